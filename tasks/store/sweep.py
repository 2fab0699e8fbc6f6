"""Deletes from a store what nothing names: looks, then looks again right before each deletion."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Set
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta

from tasks.spec import ManifestId
from tasks.store.artefacts import ArtefactStore
from tasks.store.bucket import Bucket, Listed
from tasks.store.gc import BLOBS, CACHES, QUARANTINE, TRIALS, Reason, Snapshot, doomed
from tasks.store.index import DIGESTS, NAMED, PREFIX

REQUESTS_AT_ONCE = 12
LARGEST_READ = 2**20
"""Bytes of an unknown object that are searched for names."""

ORDER = (Reason.CACHE, Reason.MANIFEST, Reason.BLOB, Reason.QUARANTINE, Reason.TRIAL)
"""Names go before what they name, so that no reader meets an artefact whose blobs are gone."""

NO_UPLOADS = ("NoSuchUpload", "NotImplemented", "MethodNotAllowed")
"""What servers say that have no list of uploads, or an empty one."""

Registry = Callable[[], Set[ManifestId]]


@dataclass(frozen=True)
class Plan:
    """What would go now."""

    found: Mapping[str, Reason]
    objects: Mapping[str, Listed]
    uploads: tuple[tuple[str, str], ...]
    """Unfinished uploads in parts: key, upload id."""


@dataclass(frozen=True)
class Removed:
    """What went."""

    found: Mapping[str, Reason]
    objects: Mapping[str, Listed]
    spared: int
    """Objects that were doomed in the plan and were named or written again before their turn."""


def plan(store: ArtefactStore, registry: Registry, older_than: timedelta) -> Plan:
    """What `apply` would remove now; changes nothing."""
    cutoff = clock(store.bucket) - older_than
    snapshot = look(store, registry, cutoff)
    return Plan(doomed(snapshot, cutoff), snapshot.objects, tuple(old_uploads(store.bucket, cutoff)))


def apply(store: ArtefactStore, registry: Registry, older_than: timedelta) -> Removed:
    """Remove it: first what is found by key alone, then, after another look, what nothing names any more."""
    cutoff = clock(store.bucket) - older_than
    first = plan(store, registry, older_than)
    gone = {key: reason for key, reason in first.found.items() if reason is Reason.CACHE}
    removed = delete(store.bucket, gone, first.objects)
    snapshot = look(store, registry, cutoff)
    found = doomed(snapshot, cutoff)
    for reason in ORDER[1:]:
        turn = {key: why for key, why in found.items() if why is reason}
        removed |= delete(store.bucket, turn, snapshot.objects)
    for key, upload in first.uploads:
        with store.bucket.told(key):
            store.bucket.client._abort_multipart_upload(store.bucket.name, key, upload)
    return Removed(removed, {**first.objects, **snapshot.objects}, len((gone | found).keys() - removed.keys()))


def clock(bucket: Bucket) -> datetime:
    """The server's own time: ages are by its clock."""
    key = f"{TRIALS}{uuid.uuid4().hex}/clock"
    bucket.put(key, b"")
    try:
        now = bucket.modified(key)
    finally:
        bucket.remove(key)
    assert now is not None, "an object that was just written has no time"
    return now


def look(store: ArtefactStore, registry: Registry, cutoff: datetime) -> Snapshot:
    """The store as it is. The registry is asked first: should it not answer, nothing is decided."""
    roots = set(registry())
    objects = {item.key: item for item in store.bucket.listing("")}
    # The index comes after the listing, so that all manifests that are listed are in it.
    names: dict[ManifestId, set[str]] = defaultdict(set)
    with closing(store.index()) as index:
        for source, target in (*index.edges(), *index.blob_edges()):
            names[source].add(target)
        made = dict(index.stages())
    digests: set[str] = set()
    for text in texts(store.bucket, pointing(objects.values(), cutoff)):
        roots |= set(NAMED.findall(text))
        digests |= set(DIGESTS.findall(text))
    return Snapshot(objects, names, frozenset(roots), frozenset(digests), made)


def pointing(objects: Iterable[Listed], cutoff: datetime) -> list[Listed]:
    """The objects whose content names what is to be kept."""
    passive = (PREFIX, BLOBS, QUARANTINE, TRIALS)
    active = [item for item in objects if not item.key.startswith(passive)]
    return [item for item in active if item.modified >= cutoff or not item.key.startswith(CACHES)]


def texts(bucket: Bucket, items: Iterable[Listed]) -> Iterable[str]:
    """The contents of objects that were not deleted meanwhile."""

    def read(item: Listed) -> str:
        try:
            data = bucket.get_range(item.key, 0, min(item.size, LARGEST_READ)) if item.size else b""
        except KeyError:
            return ""
        return data.decode(errors="replace")

    with ThreadPoolExecutor(REQUESTS_AT_ONCE) as pool:
        yield from pool.map(read, items)


def delete(bucket: Bucket, found: Mapping[str, Reason], seen: Mapping[str, Listed]) -> dict[str, Reason]:
    """Delete what was not written since it was looked at; what went."""
    from minio.deleteobjects import DeleteObject

    removed: dict[str, Reason] = {}
    for prefix, keys in by_prefix(found).items():
        now = {item.key: item for item in bucket.listing(prefix)}
        going = [key for key in keys if key in now and now[key].modified == seen[key].modified]
        with bucket.told(prefix):
            failed = {str(e.name) for e in bucket.client.remove_objects(bucket.name, map(DeleteObject, going))}
        removed |= {key: found[key] for key in going if key not in failed}
    return removed


def by_prefix(keys: Iterable[str]) -> dict[str, list[str]]:
    """Keys in groups small enough to be listed right before their deletion: by folder and the first digit behind it."""
    groups: dict[str, list[str]] = defaultdict(list)
    for key in keys:
        folder, slash, name = key.rpartition("/")
        groups[f"{folder}{slash}{name[:1]}"].append(key)
    return groups


def old_uploads(bucket: Bucket, cutoff: datetime) -> Iterable[tuple[str, str]]:
    """Uploads in parts that were begun before `cutoff` and never finished."""
    from minio.error import S3Error

    with bucket.told("multipart uploads"):
        try:
            uploads = bucket.client._list_multipart_uploads(bucket.name).uploads
        except S3Error as error:
            if error.code in NO_UPLOADS:
                return
            raise
    for upload in uploads:
        if upload.initiated_time is not None and upload.initiated_time < cutoff:
            yield upload.object_name, str(upload.upload_id)
