"""A preset by name or path with some of its keys changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from flows.parameters import Setting
from tasks.errors import UsageError
from tasks.explain import explain

if TYPE_CHECKING:
    from tasks.preset import Preset


def chosen_preset(name: str, changed: Mapping[str, Setting]) -> Preset:
    """The preset with dotted keys replaced; a `UsageError` names the key that is wrong and the one that was meant."""
    from tasks.preset import Preset, load_preset

    preset = load_preset(name)
    if not changed:
        return preset
    values = preset.model_dump(mode="json")
    for key, value in changed.items():
        place(values, key, value)
    try:
        return Preset.model_validate(values)
    except ValidationError as error:
        raise UsageError(explain(error, f"preset {name} with {', '.join(changed)}", Preset)) from error


def place(values: dict[str, Any], key: str, value: Setting) -> None:
    """Set a dotted key in nested settings; sections that are missing on the way are made, for the preset to judge."""
    *path, last = key.split(".")
    section = values
    for part in path:
        inner = section.setdefault(part, {})
        if not isinstance(inner, dict):
            raise UsageError(f"The key '{key}' cannot be set: '{part}' is not a section but {inner!r}.")
        section = inner
    section[last] = value
