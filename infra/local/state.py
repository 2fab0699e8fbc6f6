"""What the stack remembers between commands: which process serves what, where, and started how."""

from __future__ import annotations

import json
import threading
from dataclasses import asdict, dataclass
from pathlib import Path

from tasks import files
from tasks.errors import DataError


@dataclass(frozen=True)
class Record:
    """One started service."""

    pid: int
    created: float
    """Unix time at which the process was made: a pid alone may be another's by now."""
    port: int | None
    fingerprint: str
    """Digest of the command and its environment: another one means that the service must be started anew."""


class State:
    """The records of one stack, each change written at once and as a whole. Safe to use from several threads."""

    def __init__(self, path: Path) -> None:
        """Read the records in a file; none where there is no file yet."""
        self._path = path
        self._lock = threading.Lock()
        self._records = read_records(path)

    def get(self, service: str) -> Record | None:
        """The last record of a service."""
        with self._lock:
            return self._records.get(service)

    def put(self, service: str, record: Record) -> None:
        """Remember a started service."""
        with self._lock:
            self._records[service] = record
            write_records(self._path, self._records)


def read_records(path: Path) -> dict[str, Record]:
    """The records in a state file."""
    if not path.exists():
        return {}
    try:
        return {name: Record(**fields) for name, fields in json.loads(path.read_text())["services"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"The stack's state {path} cannot be read ({error}): delete it and run `backsight up`."
        ) from error


def write_records(path: Path, records: dict[str, Record]) -> None:
    """Replace a state file."""
    services = {name: asdict(record) for name, record in sorted(records.items())}
    files.write(path, json.dumps({"services": services}, indent=2).encode() + b"\n", mode=0o600)
