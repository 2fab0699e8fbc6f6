"""A preset: every setting of a night in one YAML file, typed, each section owned by the stage that reads it."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from pydantic import Field, ValidationError, model_validator

from model.config import NetworkConfig
from model.training.config import PhaseConfig
from tasks.collect.spec import CollectPlan
from tasks.errors import UsageError
from tasks.evaluate.spec import EvaluationPlan
from tasks.explain import explain
from tasks.monitor.spec import MonitorPlan
from tasks.promote.spec import Policy
from tasks.spec import Frozen
from tasks.validate.spec import Thresholds
from tasks.yaml_file import read_keys

PRESETS = Path(__file__).parent / "presets"


class Training(Frozen):
    """The four phases, each of which goes on from the one before."""

    ranks: int = Field(2, ge=1, le=4096, description="Processes that train side by side, data parallel.")
    geometry: PhaseConfig
    pretrain: PhaseConfig
    finetune: PhaseConfig
    joint: PhaseConfig


class Preset(Frozen):
    """All settings of a night but its seed."""

    collect: CollectPlan = CollectPlan()
    validation: Thresholds = Thresholds()
    network: NetworkConfig = NetworkConfig()
    training: Training
    evaluate: EvaluationPlan = EvaluationPlan()
    promote: Policy = Policy()
    monitor: MonitorPlan = MonitorPlan()

    @model_validator(mode="after")
    def sections_fit(self) -> Self:
        """Refuse sections that cannot work together, before the night has spent hours to find out."""
        asked, taken = self.evaluate.keyframes, self.network.keyframes
        if asked > taken:
            raise ValueError(f"evaluate.keyframes {asked} exceeds network.keyframes {taken}: the network takes no more")
        if self.collect.size[0] != self.collect.size[1]:
            raise ValueError(f"collect.size {list(self.collect.size)} is not square, but the network's views are")
        return self


def load_preset(name_or_path: str | Path, changed: Mapping[str, Any] | None = None) -> Preset:
    """A preset by name (`tiny`) or by the path of a YAML file, with dotted keys (`collect.train.scenes`) changed.

    A `UsageError` names the file, the key's path and the nearest known key.
    """
    path = preset_path(name_or_path)
    preset = checked(read_keys(path, "The preset", "collect: {...}"), str(path))
    if not changed:
        return preset
    # Onto the whole preset, not onto the file: a changed key keeps its neighbours' defaults.
    values = preset.model_dump(mode="json")
    for key, value in changed.items():
        place(values, key, value)
    return checked(values, f"{path} with {', '.join(changed)} changed")


def checked(values: dict[str, Any], source: str) -> Preset:
    """The preset that these values are; a `UsageError` names the source and the first key that is wrong."""
    try:
        return Preset.model_validate(values)
    except ValidationError as error:
        raise UsageError(explain(error, source, Preset)) from error


def preset_names() -> list[str]:
    """The presets that come with the house."""
    return sorted(path.stem for path in PRESETS.glob("*.yaml"))


def preset_path(name_or_path: str | Path) -> Path:
    """The file of a preset; whatever has a slash or ends in .yaml is a path."""
    text = str(name_or_path)
    if "/" in text or text.endswith((".yaml", ".yml")):
        path = Path(text)
        if not path.is_file():
            raise UsageError(f"There is no preset file {path}: correct the path, or name one of {known()}.")
        return path
    if text not in preset_names():
        close = difflib.get_close_matches(text, preset_names(), n=1)
        hint = f"did you mean {close[0]}?" if close else f"known are {known()}."
        raise UsageError(f"There is no preset {text!r}: {hint}")
    return PRESETS / f"{text}.yaml"


def known() -> str:
    """The names of the presets, for a sentence."""
    return ", ".join(preset_names())


def place(values: dict[str, Any], key: str, value: Any) -> None:
    """Set a dotted key in nested settings; sections that are missing on the way are made, for the preset to judge."""
    *path, last = key.split(".")
    section = values
    for part in path:
        inner = section.setdefault(part, {})
        if not isinstance(inner, dict):
            raise UsageError(f"The key {key} cannot be changed: {part} is no section but {inner!r}.")
        section = inner
    section[last] = value
