"""Immutable bytes under their own digest: written once, verified on every read, cached on this machine's disk."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from pydantic import Field

from tasks import files
from tasks.errors import DataError
from tasks.spec import Frozen
from tasks.store.bucket import Bucket

READ_ONLY = 0o444
FRESH = timedelta(hours=12)
"""What is put again is sent again where it is older, so that a gc, whose least age is twice this, takes it for new."""


class Blob(Frozen):
    """The name of some bytes."""

    digest: str = Field(pattern=r"^[0-9a-f]{64}$", description="SHA-256 of the bytes, in hexadecimal.")
    size: int = Field(ge=0, description="How many bytes.")


def blob_of(source: Path | bytes) -> Blob:
    """The name that a file, or some bytes, have in any store."""
    if isinstance(source, bytes):
        return Blob(digest=hashlib.sha256(source).hexdigest(), size=len(source))
    with source.open("rb") as stream:
        return Blob(digest=hashlib.file_digest(stream, "sha256").hexdigest(), size=source.stat().st_size)


class Blobs:
    """The blobs of one bucket and their cache in a local folder."""

    def __init__(self, bucket: Bucket, cache: Path) -> None:
        self.bucket = bucket
        self.cache = cache
        self._verified: dict[Path, tuple[int, int]] = {}

    def put(self, source: Path | bytes) -> Blob:
        """Store a file or some bytes; nothing is sent where they are there already, and not for long."""
        blob = blob_of(source)
        if self.bucket.fresh(key(blob), blob.size, FRESH):
            return blob
        if isinstance(source, bytes):
            self.bucket.put(key(blob), source)
        else:
            self.bucket.upload(key(blob), source)
        return blob

    def has(self, blob: Blob) -> bool:
        """Whether the blob is in the store, with its full length."""
        return self.bucket.size(key(blob)) == blob.size

    def fetch(self, blob: Blob) -> Path:
        """The blob as a read-only file of the cache. A `DataError` says that the store has not what the name says."""
        path = self.cache / "sha256" / blob.digest[:2] / blob.digest
        if self._cached(path, blob):
            return path
        with files.replacing(path, READ_ONLY) as stream:
            for chunk in self._verified_chunks(blob):
                stream.write(chunk)
        self._verified[path] = stamp(path)
        return path

    def read(self, blob: Blob) -> bytes:
        """The bytes of a small blob, verified; the cache is not touched."""
        return b"".join(self._verified_chunks(blob))

    def read_range(self, blob: Blob, offset: int, size: int) -> bytes:
        """`size` bytes from `offset`. Part of a blob has no digest: whoever decodes it is to notice damage."""
        if offset < 0 or size < 0 or offset + size > blob.size:
            raise DataError(f"Blob {blob.digest} has {blob.size} bytes: {size} from byte {offset} were asked of it.")
        if size == 0:
            return b""
        try:
            data = self.bucket.get_range(key(blob), offset, size)
        except KeyError:
            raise missing(blob) from None
        if len(data) != size:
            raise damaged(blob)
        return data

    def _cached(self, path: Path, blob: Blob) -> bool:
        if not path.exists():
            return False
        if self._verified.get(path) == stamp(path):
            used(path)
            return True
        if blob_of(path) != blob:
            return False
        used(path)
        self._verified[path] = stamp(path)
        return True

    def _verified_chunks(self, blob: Blob) -> Iterator[bytes]:
        digest, size = hashlib.sha256(), 0
        try:
            for chunk in self.bucket.chunks(key(blob)):
                digest.update(chunk)
                size += len(chunk)
                yield chunk
        except KeyError:
            raise missing(blob) from None
        if (digest.hexdigest(), size) != (blob.digest, blob.size):
            raise damaged(blob)


def key(blob: Blob) -> str:
    """The blob's key in its bucket."""
    return f"blobs/sha256/{blob.digest[:2]}/{blob.digest}"


def used(path: Path) -> None:
    """Note the use of a cached file, for the bound on the cache; most disks are told to note it once a day at most."""
    os.utime(path, ns=(time.time_ns(), path.stat().st_mtime_ns))


def stamp(path: Path) -> tuple[int, int]:
    """What changes when a file is written to."""
    status = path.stat()
    return status.st_mtime_ns, status.st_size


def missing(blob: Blob) -> DataError:
    """The sentence for a blob that is not there."""
    return DataError(f"The artefact store has no blob {blob.digest}: run the stage that made it again with --force.")


def damaged(blob: Blob) -> DataError:
    """The sentence for a blob whose bytes are not those that it is named after."""
    return DataError(
        f"The bytes of blob {blob.digest} do not have that SHA-256 and a length of {blob.size}: "
        f"delete {key(blob)} from the bucket and run the stage that made it again with --force."
    )
