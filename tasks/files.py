"""Writing a file so that a reader, or a crash, never meets half of it."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from tasks.errors import BacksightError

FULL = (errno.ENOSPC, errno.EDQUOT)


@contextlib.contextmanager
def replacing(path: Path, mode: int = 0o644) -> Iterator[IO[bytes]]:
    """A binary file that takes the place of `path` when the block ends without an error, else vanishes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(prefix=".partial-", dir=path.parent)
    try:
        with full_disk_named(path), os.fdopen(descriptor, "wb") as stream:
            yield stream
        Path(temporary).chmod(mode)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def write(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Put `data` at `path`, wholly or not at all."""
    with replacing(path, mode) as stream:
        stream.write(data)


@contextlib.contextmanager
def full_disk_named(path: Path) -> Iterator[None]:
    """Turn "no space left" while writing to `path` into a sentence that says which disk is full."""
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise BacksightError(
            f"The disk that holds {path.parent} is full: free some space there, or set BACKSIGHT_HOME to another disk."
        ) from error
