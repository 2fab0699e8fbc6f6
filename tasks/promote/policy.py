"""A policy from a YAML file: its own, or the section `promote` of a preset."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from tasks.errors import UsageError
from tasks.explain import explain
from tasks.promote.spec import Policy
from tasks.yaml_file import read_keys


def load_policy(path: Path) -> Policy:
    """The policy in a file; a `UsageError` says in one sentence which key is wrong or which bounds contradict."""
    if not path.is_file():
        raise UsageError(f"There is no policy file {path}: correct the path.")
    values = read_keys(path, "The policy", "nights: 3")
    values = values["promote"] if isinstance(values.get("promote"), dict) else values
    try:
        return Policy.model_validate(values)
    except ValidationError as error:
        raise UsageError(explain(error, str(path), Policy)) from error
