"""A local index of a store's manifests: what each was made from and what was made from it, without asking for all.

Manifests never change, so whatever was read once and fits its digest stays right; each look adds what is new in the
bucket's listing and drops what is gone. The file is a cache: delete it at will.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import sqlite3
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.spec import ManifestId
from tasks.store.manifests import Manifest, tampered

if TYPE_CHECKING:
    from tasks.store.bucket import Bucket

PREFIX, SUFFIX = "manifests/", ".json"
REQUESTS_AT_ONCE = 12
BUSY_SECONDS = 10.0
NAMED = re.compile(r"(?<![a-z0-9])[a-z]+/[0-9a-f]{64}(?![0-9a-f])")
"""Everything in a text that names a manifest: inputs, a stage's outputs, whatever else."""
DIGESTS = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")
"""Everything in a text that may name a blob."""

TABLES = """
create table if not exists manifests (id text primary key, etag text not null, encoded blob not null);
create table if not exists edges (source text not null, target text not null, primary key (source, target));
create index if not exists edges_back on edges (target, source);
create table if not exists blobs (digest text not null, source text not null, primary key (digest, source));
create table if not exists walks (file text not null, episode text not null, scene text, split text, stratum text,
    shard text, primary key (episode, file));
create table if not exists walk_files (file text primary key);
"""


@dataclass(frozen=True)
class Walk:
    """An episode as its dataset's index tells of it."""

    episode: str
    scene: str
    split: str
    stratum: str
    shard: str
    """Name of the blob within the dataset."""


class ManifestIndex:
    """One bucket's manifests in an SQLite file. May be used by several processes at once."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self.database = opened(path)
        except sqlite3.DatabaseError:
            # A damaged cache is worth nothing and costs nothing: begin anew.
            path.unlink(missing_ok=True)
            self.database = opened(path)

    def refresh(self, bucket: Bucket) -> int:
        """Bring the index up to what the bucket lists now; the number of manifests read. `DataError` for altered ones.

        An object whose ETag is another than when it was read is read again.
        """
        listed = {id_of(item.key): item for item in bucket.listing(PREFIX) if item.key.endswith(SUFFIX)}
        known = dict(self.database.execute("select id, etag from manifests"))
        self.drop(known.keys() - listed.keys())
        wanted = [id for id, item in listed.items() if known.get(id) != item.etag]
        with ThreadPoolExecutor(REQUESTS_AT_ONCE) as pool:
            fetched = pool.map(lambda id: (id, bucket.get(f"{PREFIX}{id}{SUFFIX}")), wanted)
            self.add((id, held.data, listed[id].etag) for id, held in fetched if held is not None)
        return len(wanted)

    def add(self, manifests: Iterable[tuple[ManifestId, bytes, str]]) -> None:
        """Take manifests up: id, bytes, ETag of the object. Those whose bytes do not fit their id are a `DataError`."""
        with self.database:
            for id, encoded, etag in manifests:
                if hashlib.sha256(encoded).hexdigest() != id.partition("/")[2]:
                    raise tampered(id)
                self._remove(id)
                self.database.execute("insert or replace into manifests values (?, ?, ?)", (id, etag, encoded))
                text = encoded.decode()
                targets, blobs = set(NAMED.findall(text)) - {id}, set(DIGESTS.findall(text))
                self.database.executemany("insert or ignore into edges values (?, ?)", ((id, t) for t in targets))
                self.database.executemany("insert or ignore into blobs values (?, ?)", ((b, id) for b in blobs))

    def drop(self, ids: Iterable[ManifestId]) -> None:
        """Forget manifests that are gone."""
        with self.database:
            for id in ids:
                self._remove(id)

    def ids(self) -> list[ManifestId]:
        """All manifests, sorted."""
        return [id for (id,) in self.database.execute("select id from manifests order by id")]

    def beginning(self, prefix: str) -> list[ManifestId]:
        """Manifests whose `kind/digest` begins so, sorted."""
        found = self.database.execute("select id from manifests where id glob ? order by id", (f"{prefix}*",))
        return [id for (id,) in found]

    def with_digest(self, prefix: str) -> list[ManifestId]:
        """Manifests whose digest begins so, sorted."""
        found = self.database.execute("select id from manifests where id glob ? order by id", (f"*/{prefix}*",))
        return [id for (id,) in found]

    def manifest(self, id: ManifestId) -> Manifest | None:
        """A manifest as indexed; None where there is none."""
        row = self.database.execute("select encoded from manifests where id = ?", (id,)).fetchone()
        return None if row is None else Manifest.model_validate_json(row[0])

    def naming(self, id: ManifestId) -> list[ManifestId]:
        """Manifests that name this one."""
        return [s for (s,) in self.database.execute("select source from edges where target = ? order by source", (id,))]

    def holding(self, digest: str) -> list[ManifestId]:
        """Manifests in which a blob is named."""
        found = self.database.execute("select source from blobs where digest = ? order by source", (digest,))
        return [source for (source,) in found]

    def blobs_beginning(self, prefix: str) -> list[str]:
        """Digests named in manifests that begin so."""
        found = self.database.execute("select distinct digest from blobs where digest glob ? limit 20", (f"{prefix}*",))
        return [digest for (digest,) in found]

    def edges(self) -> Iterator[tuple[ManifestId, ManifestId]]:
        """Every (manifest, manifest that it names)."""
        yield from self.database.execute("select source, target from edges")

    def blob_edges(self) -> Iterator[tuple[ManifestId, str]]:
        """Every (manifest, digest that it names)."""
        yield from self.database.execute("select source, digest from blobs")

    def stages(self) -> Iterator[tuple[ManifestId, set[ManifestId]]]:
        """Every record of a stage and what the stage published."""
        for id, encoded in self.database.execute("select id, encoded from manifests where id glob 'stage/*'"):
            yield id, set(json.loads(encoded)["meta"].get("result", {}).get("outputs", {}).values())

    def walks_read(self) -> set[str]:
        """Digests of the episode indexes (`index.parquet`) that were read."""
        return {file for (file,) in self.database.execute("select file from walk_files")}

    def add_walks(self, file: str, walks: Iterable[Walk]) -> None:
        """Take up the episodes of an `index.parquet`, given its digest."""
        with self.database:
            rows = ((file, w.episode, w.scene, w.split, w.stratum, w.shard) for w in walks)
            self.database.executemany("insert or ignore into walks values (?, ?, ?, ?, ?, ?)", rows)
            self.database.execute("insert or ignore into walk_files values (?)", (file,))

    def walks(self, file: str) -> list[Walk]:
        """The episodes of an `index.parquet` that was read, sorted."""
        asked = "select episode, scene, split, stratum, shard from walks where file = ? order by episode"
        return [Walk(*row) for row in self.database.execute(asked, (file,))]

    def files_with(self, episode: str) -> list[str]:
        """Digests of the episode indexes that have an episode."""
        return [
            f for (f,) in self.database.execute("select file from walks where episode = ? order by file", (episode,))
        ]

    def episodes(self) -> list[str]:
        """Names of all episodes that were read."""
        return [e for (e,) in self.database.execute("select distinct episode from walks order by episode")]

    def close(self) -> None:
        """Let go of the file."""
        self.database.close()

    def _remove(self, id: ManifestId) -> None:
        for table, column in (("manifests", "id"), ("edges", "source"), ("blobs", "source")):
            self.database.execute(f"delete from {table} where {column} = ?", (id,))


def opened(path: Path) -> sqlite3.Connection:
    """The database with its tables."""
    database = sqlite3.connect(path, timeout=BUSY_SECONDS, check_same_thread=False)
    with contextlib.suppress(sqlite3.OperationalError):  # another process is switching it at this moment
        database.execute("pragma journal_mode = wal")
    database.execute("pragma synchronous = off")
    database.executescript(TABLES)
    return database


def index_path(home: Path, endpoint: str, bucket: str) -> Path:
    """Where the index of a bucket lies. The local stack's ports move, so its server is known by the home alone."""
    place = "local" if endpoint.startswith(("127.0.0.1:", "localhost:")) else endpoint
    name = hashlib.sha256(f"{place}/{bucket}".encode()).hexdigest()[:16]
    return home / "cache" / f"manifests-{name}.sqlite"


def id_of(key: str) -> ManifestId:
    """The manifest whose key this is."""
    return key.removeprefix(PREFIX).removesuffix(SUFFIX)
