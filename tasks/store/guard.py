"""Who may write first: conditional requests where the server honours them, a lock file on this machine elsewhere."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from tasks.errors import BacksightError
from tasks.store.bucket import Bucket

LOCK_SECONDS = 60


class Guard(Protocol):
    """Writes that one of several writers wins. Writing what is there already is a win too."""

    def create(self, key: str, data: bytes) -> bool:
        """Write where nothing is; whether `key` now holds `data`."""

    def swap(self, key: str, expected: bytes, data: bytes) -> bool:
        """Write where `expected` is; whether `key` now holds `data`."""

    def overwrite(self, key: str, data: bytes) -> None:
        """Write whatever is there."""


class ConditionalRequests:
    """The server decides (If-None-Match, If-Match): holds for writers on all machines."""

    def __init__(self, bucket: Bucket) -> None:
        self.bucket = bucket

    def create(self, key: str, data: bytes) -> bool:
        """Write where nothing is; whether `key` now holds `data`."""
        # A request repeated after a lost answer meets its own first try, so a refusal alone does not mean defeat.
        return self.bucket.put_if_absent(key, data) or holds(self.bucket, key, data)

    def swap(self, key: str, expected: bytes, data: bytes) -> bool:
        """Write where `expected` is; whether `key` now holds `data`."""
        held = self.bucket.get(key)
        if held is not None and held.data == expected and self.bucket.put_if_match(key, data, held.etag):
            return True
        return holds(self.bucket, key, data)

    def overwrite(self, key: str, data: bytes) -> None:
        """Write whatever is there."""
        self.bucket.put(key, data)


class LockFile:
    """One lock for the whole bucket, in the home folder: holds among writers that share that folder, and no others."""

    def __init__(self, bucket: Bucket, path: Path) -> None:
        self.bucket = bucket
        self.path = path

    def create(self, key: str, data: bytes) -> bool:
        """Write where nothing is; whether `key` now holds `data`."""
        with self._locked():
            held = self.bucket.get(key)
            if held is None:
                self.bucket.put(key, data)
            return held is None or held.data == data

    def swap(self, key: str, expected: bytes, data: bytes) -> bool:
        """Write where `expected` is; whether `key` now holds `data`."""
        with self._locked():
            held = self.bucket.get(key)
            if held is not None and held.data == expected:
                self.bucket.put(key, data)
                return True
            return held is not None and held.data == data

    def overwrite(self, key: str, data: bytes) -> None:
        """Write whatever is there."""
        with self._locked():
            self.bucket.put(key, data)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        from filelock import FileLock, Timeout

        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(self.path, timeout=LOCK_SECONDS):
                yield
        except Timeout as error:
            raise BacksightError(
                f"Another process has held {self.path} for {LOCK_SECONDS} s: end it, or wait until it is done."
            ) from error


def holds(bucket: Bucket, key: str, data: bytes) -> bool:
    """Whether `key` holds just these bytes."""
    held = bucket.get(key)
    return held is not None and held.data == data
