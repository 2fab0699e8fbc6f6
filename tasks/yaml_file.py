"""A YAML file that a person wrote, read with a sentence for each way in which it is none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tasks.errors import UsageError


def read_keys(path: Path, what: str, example: str) -> dict[str, Any]:
    """The keys of a YAML file and what they hold.

    Raises `UsageError`, which calls the file `what` ("the preset"), where it cannot be read, is no YAML, or holds no
    keys; then `example` shows a line of it.
    """
    import yaml

    try:
        values = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{what} {path} cannot be read: {error}.") from error
    except yaml.YAMLError as error:
        raise UsageError(f"{what} {path} is no YAML: {' '.join(str(error).split())}.") from error
    if not isinstance(values, dict):
        raise UsageError(f"{what} {path} holds no keys: write lines such as `{example}`.")
    return values
