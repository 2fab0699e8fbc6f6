"""Folders of our own below the machine's temporary folder, where everyone may write."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Collection
from pathlib import Path

from tasks.errors import BacksightError


def folder_in_temporary(name: str) -> Path:
    """Path of a folder for this user below the temporary folder; `claim` makes it."""
    return Path(tempfile.gettempdir()) / f"backsight-{os.geteuid()}-{name}"


def claim(folder: Path, owners: Collection[int] = ()) -> None:
    """Make a folder that others cannot enter, or refuse one that somebody else has laid there.

    `owners` are user ids that it may belong to beside our own.
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in (os.geteuid(), *owners):
        raise BacksightError(f"{folder} belongs to somebody else: remove it, or set TMPDIR to a folder of your own.")
    folder.chmod(0o700)
