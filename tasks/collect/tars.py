"""Tar files whose bytes follow from their members alone, and that tell where each member's content lies."""

from __future__ import annotations

import tarfile
from pathlib import Path
from types import TracebackType
from typing import Self

BLOCK = 512
RECORD = 20 * BLOCK


class TarWriter:
    """Writes members one after the other; owner, mode and time are fixed."""

    def __init__(self, path: Path) -> None:
        self.file = path.open("wb")
        self.position = 0

    def add(self, name: str, content: bytes) -> tuple[int, int]:
        """Append a member; returns offset and size of its content in the file."""
        info = tarfile.TarInfo(name)
        info.size, info.mode, info.mtime = len(content), 0o644, 0
        header = info.tobuf(tarfile.USTAR_FORMAT)
        padding = -len(content) % BLOCK
        self.file.write(header + content + b"\0" * padding)
        offset = self.position + len(header)
        self.position = offset + len(content) + padding
        return offset, len(content)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        end = 2 * BLOCK
        self.file.write(b"\0" * (end + -(self.position + end) % RECORD))
        self.file.close()
