"""What the S3 server can do, found out by doing it: decides how refs and manifests are guarded."""

from __future__ import annotations

import hashlib
import uuid
from pathlib import Path

from pydantic import ValidationError

from tasks import files
from tasks.settings import StoreSettings, home
from tasks.spec import Frozen
from tasks.store.bucket import Bucket

SMALLEST_PART = 5 * 2**20
"""S3's own lower bound for all parts of an upload but the last."""


class Conformance(Frozen):
    """Findings about one bucket of one server."""

    endpoint: str
    bucket: str
    conditional_put: bool
    """If-None-Match and If-Match are honoured. Without it writers are kept apart by a lock file on one machine."""
    list_after_write: bool
    """A listing shows at once what was written and no longer what was deleted."""
    multipart: bool
    """An object sent in parts reads back as one."""
    versioning: bool
    """The bucket keeps overwritten objects."""


def check(settings: StoreSettings) -> Conformance:
    """Try the server out under a prefix of its own, which is empty again afterwards.

    Raises `UsageError` where the bucket is missing or the credentials are wrong.
    """
    bucket = Bucket(settings)
    prefix = f"{place()}/"
    try:
        return Conformance(
            endpoint=settings.endpoint,
            bucket=settings.bucket,
            conditional_put=conditional_put(bucket),
            list_after_write=lists_after_write(bucket, f"{prefix}list/"),
            multipart=joins_parts(bucket, f"{prefix}parts"),
            versioning=keeps_versions(bucket),
        )
    finally:
        for name in bucket.names(prefix):
            bucket.remove(name)


def place() -> str:
    """A name of this process's own: some servers delete a folder with its last object, while others write into it."""
    return f"conformance-{uuid.uuid4().hex}"


def conditional_put(bucket: Bucket) -> bool:
    """Whether conditional writes are refused when they should be, and done when they should be."""
    key = place()
    try:
        return honours_conditions(bucket, key)
    finally:
        bucket.remove(key)


def honours_conditions(bucket: Bucket, key: str) -> bool:
    """The same, leaving an object at `key`."""
    if not bucket.put_if_absent(key, b"first") or bucket.put_if_absent(key, b"second"):
        return False
    if bucket.put_if_match(key, b"third", '"00000000000000000000000000000000"'):
        return False
    held = bucket.get(key)
    return held is not None and held.data == b"first" and bucket.put_if_match(key, b"fourth", held.etag)


def lists_after_write(bucket: Bucket, prefix: str) -> bool:
    """Whether a listing is never behind the writes."""
    names = [f"{prefix}{i}" for i in range(5)]
    for name in names:
        bucket.put(name, name.encode())
    complete = bucket.names(prefix) == names
    bucket.remove(names[0])
    return complete and bucket.names(prefix) == names[1:]


def joins_parts(bucket: Bucket, key: str) -> bool:
    """Whether an object sent in two parts reads back as it was."""
    data = bytes(range(256)) * (SMALLEST_PART // 256) + b"tail"
    bucket.put(key, data, part=SMALLEST_PART)
    return hashlib.sha256(b"".join(bucket.chunks(key))).digest() == hashlib.sha256(data).digest()


def keeps_versions(bucket: Bucket) -> bool:
    """Whether versioning is switched on; a server without versioning says so with an error."""
    from minio.error import S3Error

    try:
        return bucket.client.get_bucket_versioning(bucket.name).status == "Enabled"
    except S3Error as error:
        if error.code in ("NotImplemented", "MethodNotAllowed"):
            return False
        raise


def save(found: Conformance) -> Path:
    """Keep the findings where `load` looks for them."""
    path = home() / "conformance.json"
    files.write(path, found.model_dump_json(indent=1).encode())
    return path


def load(settings: StoreSettings) -> Conformance | None:
    """What was found about this very bucket; `None` = nothing yet."""
    path = home() / "conformance.json"
    try:
        found = Conformance.model_validate_json(path.read_text())
    except (FileNotFoundError, ValidationError):
        return None
    return found if (found.endpoint, found.bucket) == (settings.endpoint, settings.bucket) else None
