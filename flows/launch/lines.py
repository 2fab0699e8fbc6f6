"""From the lines that a task writes to log lines and progress: pure parsing and a growing file's tail."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from flows.launch.contract import LogLine, Progress

PROGRESS_START = '{"progress":'


def parse(line: str) -> LogLine | Progress:
    """A line of output as what it is; one that only looks like progress stays a log line."""
    if not line.startswith(PROGRESS_START):
        return LogLine(line)
    try:
        told = json.loads(line)["progress"]
        return Progress(
            label=str(told["label"]),
            done=float(told["done"]),
            total=None if told.get("total") is None else float(told["total"]),
            unit=str(told.get("unit") or ""),
            eta_s=None if told.get("eta_s") is None else float(told["eta_s"]),
            detail=dict(told.get("detail") or {}),
        )
    except (ValueError, KeyError, TypeError):
        return LogLine(line)


@dataclass
class Tail:
    """Reads the whole lines that a growing file has gained since the last look."""

    path: Path
    offset: int = 0
    rest: bytes = b""

    def new_lines(self) -> list[str]:
        """The lines completed since the last call."""
        with self.path.open("rb") as file:
            file.seek(self.offset)
            fresh = file.read()
        self.offset += len(fresh)
        *whole, self.rest = (self.rest + fresh).split(b"\n")
        return [line.decode(errors="replace").rstrip("\r") for line in whole]

    def last_line(self) -> list[str]:
        """What was written after the last line break, once nothing more will come."""
        last, self.rest = self.rest, b""
        return [last.decode(errors="replace")] if last else []


def last_lines(path: Path, count: int = 200, at_most: int = 256 * 1024) -> list[str]:
    """The end of a file, as lines."""
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, size - at_most))
        return file.read().decode(errors="replace").splitlines()[-count:]
