"""What was published: named blobs, the artefacts that they were made from, and facts about them."""

from __future__ import annotations

import hashlib
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from pydantic import Field, ValidationError

from tasks.errors import DataError, UsageError
from tasks.spec import MANIFEST_ID, Frozen, ManifestId, canonical
from tasks.store.blobs import FRESH, Blob, Blobs
from tasks.store.bucket import Bucket
from tasks.store.guard import Guard

REQUESTS_AT_ONCE = 8
LONGEST_SHOWN = 90
"""Characters of a wrong name that an error repeats: what stands in a damaged ref may be of any length."""


class Manifest(Frozen):
    """One artefact. It holds no time and no path, so that equal content has an equal name."""

    kind: str = Field(pattern=r"^[a-z]+$")
    blobs: dict[str, Blob] = Field(default_factory=dict)
    inputs: dict[str, ManifestId] = Field(default_factory=dict)
    meta: dict[str, Any] = Field(default_factory=dict)

    def encoded(self) -> bytes:
        """The bytes that are stored and digested."""
        return canonical(self.model_dump(mode="json"))

    @property
    def id(self) -> ManifestId:
        """`<kind>/<sha256 of encoded()>`."""
        return f"{self.kind}/{hashlib.sha256(self.encoded()).hexdigest()}"


class Manifests:
    """Publishes and reads the manifests of one bucket."""

    def __init__(self, bucket: Bucket, blobs: Blobs, guard: Guard) -> None:
        self.bucket = bucket
        self.blobs = blobs
        self.guard = guard

    def publish(self, manifest: Manifest) -> ManifestId:
        """Write the manifest once all its blobs are there; a second time is no work and gives the same name."""
        if absent := self.absent(manifest):
            raise DataError(
                f"The {manifest.kind} was not published: its blob {absent[0]} is not in the artefact store "
                f"({len(absent)} of {len(manifest.blobs)} missing); put the blobs first."
            )
        if not self.guard.create(path(manifest.id), manifest.encoded()):
            raise tampered(manifest.id)
        encoded = manifest.encoded()
        if not self.bucket.fresh(path(manifest.id), len(encoded), FRESH):
            self.bucket.put(path(manifest.id), encoded)  # so that a gc takes it for new
        return manifest.id

    def read(self, id: ManifestId) -> Manifest:
        """A published manifest, its bytes checked against its name."""
        held = self.bucket.get(path(checked(id)))
        if held is None:
            raise DataError(f"The artefact store has no {id}: correct the name, or run the stage that makes it.")
        if hashlib.sha256(held.data).hexdigest() != id.partition("/")[2]:
            raise tampered(id)
        try:
            return Manifest.model_validate_json(held.data)
        except ValidationError as error:
            raise DataError(f"{id} was written by another release of Backsight: run the stage again.") from error

    def complete(self, id: ManifestId) -> bool:
        """Whether the manifest and all its blobs are there."""
        return self.bucket.size(path(checked(id))) is not None and not self.absent(self.read(id))

    def absent(self, manifest: Manifest) -> list[str]:
        """Names of the manifest's blobs that are not in the store, sorted."""
        with ThreadPoolExecutor(REQUESTS_AT_ONCE) as pool:
            present = pool.map(self.blobs.has, manifest.blobs.values())
            return sorted(name for name, there in zip(manifest.blobs, present, strict=True) if not there)


def path(id: ManifestId) -> str:
    """The manifest's key in its bucket."""
    return f"manifests/{id}.json"


def checked(id: str) -> ManifestId:
    """`id`, or a `UsageError` where it is no manifest id at all."""
    if not re.fullmatch(MANIFEST_ID, id):
        shown = id if len(id) <= LONGEST_SHOWN else f"{id[:LONGEST_SHOWN]}..."
        raise UsageError(f"{shown!r} names no artefact: a name is a kind, a slash, and 64 hexadecimal digits.")
    return id


def tampered(id: ManifestId) -> DataError:
    """The sentence for a manifest whose bytes are not those that it is named after."""
    return DataError(
        f"The bytes of {id} do not have the SHA-256 of its name: "
        f"delete {path(id)} from the bucket and run the stage that made it again with --force."
    )
