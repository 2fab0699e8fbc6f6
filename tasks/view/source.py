"""Where a dataset's bytes come from: a folder on this machine, or the artefact store, of which only parts are read."""

from __future__ import annotations

import gzip
import json
import re
from abc import ABC, abstractmethod
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.errors import DataError, UsageError
from tasks.spec import MANIFEST_ID, ManifestId

if TYPE_CHECKING:
    import pyarrow as pa

    from tasks.store import ArtefactStore

LATEST = ("validate", "collect")
"""Stages whose latest outcome is a dataset, the better one first."""


class Source(ABC):
    """A dataset that can be read in parts: any frame by its byte range."""

    name: str
    """For messages: the folder or the id."""

    @abstractmethod
    def file(self, name: str) -> Path:
        """A whole file (`index.parquet`, `scenes.json`, `episodes.json.gz`) on this machine."""

    @abstractmethod
    def read(self, shard: str, offset: int, size: int) -> bytes:
        """A byte range of a shard."""

    @cached_property
    def index(self) -> pa.Table:
        """One row a frame, sorted by episode and frame. Raises DataError where it is malformed."""
        from tasks.validate.reading import read_index

        return read_index(self.file("index.parquet"), self.name)

    @cached_property
    def scenes(self) -> dict[str, dict[str, Any]]:
        """Scene id -> its entry of scenes.json."""
        return {scene["id"]: scene for scene in self.parsed("scenes.json", "scenes")}

    @cached_property
    def episodes(self) -> dict[str, dict[str, Any]]:
        """Episode id -> its entry of the episode file."""
        return {episode["episode_id"]: episode for episode in self.parsed("episodes.json.gz", "episodes")}

    def parsed(self, name: str, key: str) -> list[dict[str, Any]]:
        """The list under a key of a JSON file, gzipped or not."""
        try:
            data = self.file(name).read_bytes()
            return list(json.loads(gzip.decompress(data) if name.endswith(".gz") else data)[key])
        except (ValueError, KeyError, TypeError, OSError, EOFError) as error:
            raise DataError(f"{self.name}: {name} is malformed ({error}); collect the dataset again.") from error


class FolderSource(Source):
    """A dataset in a folder, as `python -m tasks.collect.dataset` writes one."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.name = folder, str(folder)

    def file(self, name: str) -> Path:
        """See Source."""
        path = self.folder / name
        if not path.is_file():
            raise DataError(f"The folder {self.folder} is no dataset: it has no {name}.")
        return path

    def read(self, shard: str, offset: int, size: int) -> bytes:
        """See Source."""
        with self.file(shard).open("rb") as file:
            file.seek(offset)
            return file.read(size)


class StoreSource(Source):
    """A published dataset; shards are never fetched whole."""

    def __init__(self, store: ArtefactStore, id: ManifestId) -> None:
        self.store, self.name = store, id
        self.manifest = store.manifest(id)
        if self.manifest.kind != "dataset":
            raise DataError(f"{id} is a {self.manifest.kind}, not a dataset: give what collect or validate published.")

    def file(self, name: str) -> Path:
        """See Source."""
        if name not in self.manifest.blobs:
            raise DataError(f"{self.name} has no {name}: collect the dataset again.")
        return self.store.fetch(self.manifest.blobs[name])

    def read(self, shard: str, offset: int, size: int) -> bytes:
        """See Source."""
        if shard not in self.manifest.blobs:
            raise DataError(f"{self.name}: its index names {shard}, which is none of its blobs; collect it again.")
        return self.store.read_range(self.manifest.blobs[shard], offset, size)


def open_source(where: str | None) -> Source:
    """A dataset by folder, by id, or by name (`validate`, `collect`: that stage's latest outcome; None: of either).

    Raises UsageError where there is no such dataset. A folder needs no store.
    """
    if where is not None and Path(where).is_dir():
        return FolderSource(Path(where))
    if where is not None and where not in LATEST and not re.fullmatch(MANIFEST_ID, where):
        raise UsageError(
            f"{where!r} is no dataset: give a folder, an id like dataset/<64 hex digits>, or {' or '.join(LATEST)} "
            "for the latest outcome of that stage."
        )
    from tasks.store import open_store

    store = open_store()
    if where is not None and where not in LATEST:
        return StoreSource(store, where)
    for stage in LATEST if where is None else (where,):
        if id := store.ref("latest", stage):
            return StoreSource(store, id)
    raise UsageError(
        f"No dataset was made yet by {where or ' or '.join(LATEST)}: run `backsight run collect` first, "
        "or name a folder with --dataset."
    )
