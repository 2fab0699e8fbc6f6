"""What crashes and caches leave on this machine's disk: the blob cache beyond its bound, temporary files, scratch."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tasks.errors import UsageError

SPARED_SECONDS = 24 * 3600.0
"""A cached blob that was used within this time stays, whatever the bound: a running stage may read it."""

TEMPORARY = (".rclone_temp_", ".partial-")
SIZES = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


@dataclass(frozen=True)
class File:
    """A file or folder that may go."""

    path: Path
    size: int
    used: float
    """Seconds since the epoch of its last use."""


def size_of(text: str) -> int:
    """`20G`, `500MB`; `UsageError` for what is no size."""
    found = re.fullmatch(r"\s*(\d{1,9})\s*([KMGT]?)B?\s*", text, re.IGNORECASE)
    if found is None:
        raise UsageError(f"--cache {text!r} is no size: write it as 20G or 500M.")
    return int(found[1]) * SIZES[found[2].upper()]


def evicted(files: Iterable[File], bound: int, now: float) -> list[File]:
    """What has to go, least recently used first, so that `bound` bytes are left."""
    ordered = sorted(files, key=lambda file: (file.used, file.path))
    left, found = sum(file.size for file in ordered), []
    for file in ordered:
        if left <= bound or now - file.used < SPARED_SECONDS:
            break
        found.append(file)
        left -= file.size
    return found


def cached_blobs(home: Path) -> list[File]:
    """The blobs in the local cache."""
    return [file_at(path) for path in (home / "cache" / "sha256").glob("*/*") if not path.name.startswith(TEMPORARY)]


def abandoned(home: Path, before: float) -> list[File]:
    """Temporary files and scratch folders that nobody has touched since `before`."""
    found = [file_at(path) for folder in ("s3", "cache") for path in temporaries(home / folder)]
    scratch = home / "scratch"
    found += [folder_at(path) for path in (scratch.iterdir() if scratch.is_dir() else ())]
    return sorted((file for file in found if file.used < before), key=lambda file: file.path)


def temporaries(folder: Path) -> Iterator[Path]:
    """Files that a writer would have renamed when it was done."""
    for root, _, names in os.walk(folder):
        yield from (Path(root) / name for name in names if name.startswith(TEMPORARY))


def remove(files: Sequence[File]) -> int:
    """Delete them; the bytes that are free now."""
    for file in files:
        if file.path.is_dir():
            shutil.rmtree(file.path, ignore_errors=True)
        else:
            file.path.unlink(missing_ok=True)
    return sum(file.size for file in files)


def file_at(path: Path) -> File:
    """A file as it is; one that vanished meanwhile has no size and was used now."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return File(path, 0, time.time())
    return File(path, status.st_size, max(status.st_atime, status.st_mtime))


def folder_at(path: Path) -> File:
    """A folder with all that is in it."""
    files = [file_at(path), *(file_at(inner) for inner in path.rglob("*"))] if path.is_dir() else [file_at(path)]
    newest = max(file_at_time(file.path) for file in files)
    return File(path, sum(file.size for file in files), newest)


def file_at_time(path: Path) -> float:
    """When a file or folder was last written; a look at it does not count."""
    try:
        return path.lstat().st_mtime
    except FileNotFoundError:
        return time.time()
