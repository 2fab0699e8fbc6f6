"""The ends of log files."""

from __future__ import annotations

from pathlib import Path

TAIL_BYTES = 4096


def last_lines(path: Path, count: int = 3) -> list[str]:
    """The last non-empty lines of a log; none where there is no log."""
    if not path.exists():
        return []
    with path.open("rb") as log:
        log.seek(max(0, path.stat().st_size - TAIL_BYTES))
        lines = log.read().decode(errors="replace").splitlines()
    return [line.strip() for line in lines if line.strip()][-count:]
