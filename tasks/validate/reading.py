"""A collected dataset as read for validation: its index, scenes, episodes and shards, or the reason why it is none."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tasks.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

    from tasks.spec import ManifestId
    from tasks.store import ArtefactStore, Manifest

FILES = ("index.parquet", "scenes.json", "episodes.json.gz")
"""Blobs beside the shards."""
COLUMNS = {
    **dict.fromkeys(("episode", "shard", "action", "stratum", "scene", "split", "instruction"), "string"),
    "frame": "integer",
    **{f"{kind}_{what}": "integer" for kind in ("rgb", "depth", "semantic") for what in ("offset", "size")},
    **dict.fromkeys(("pose", "intrinsics"), "list of numbers"),
}
"""Columns of the index and what they hold."""

MOST_OBJECTS = 65_535
"""Ids that a semantic picture of 16 bits can hold."""
STEP = 0.25
"""Metres."""
MATRICES = {"pose": 16, "intrinsics": 9}
"""Columns that hold so many numbers a row."""

Rows = dict[str, Any]
"""Columns of one episode, in order of frames: lists; of `MATRICES` arrays [N, count], NaN where a row is malformed."""


@dataclass(frozen=True)
class Dataset:
    """A dataset on this machine's disk."""

    id: ManifestId
    manifest: Manifest
    index: pa.Table
    """Sorted by episode and frame."""
    scenes: dict[str, dict[str, Any]]
    """Id -> entry of scenes.json."""
    entries: dict[str, dict[str, Any]]
    """Episode -> its entry of the episode file."""
    instructions: dict[str, str]
    """Episode -> instruction there."""
    shards: dict[str, Path]
    """Blob name -> file."""
    vocabulary: list[str]
    """Word by number, as the episode file tells it; empty where it does not."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of a frame in pixels."""
        width, height = self.manifest.meta["size"]
        return int(width), int(height)

    @property
    def plan(self) -> dict[str, Any]:
        """The plan that was collected; empty where the manifest does not tell."""
        return dict(self.manifest.meta.get("plan") or {})

    @property
    def step(self) -> float:
        """Metres that the agent went forward at a time; those of habitat's agents where the plan does not tell."""
        return float(self.plan.get("forward_step", STEP))

    def info(self, episode: str) -> dict[str, Any]:
        """The further facts in an episode's entry; empty where it tells none, or something else in their place."""
        told = self.entries.get(episode, {}).get("info")
        return told if isinstance(told, dict) else {}

    def is_given(self, episode: str) -> bool:
        """Whether its instruction comes from a public episode."""
        return "source" in self.info(episode)

    @property
    def episodes(self) -> int:
        """How many there are."""
        return len(self.walks())

    @cached_property
    def _walks(self) -> list[Rows]:
        columns: Rows = {
            name: numbers(self.index.column(name), MATRICES[name])
            if name in MATRICES
            else self.index.column(name).to_pylist()
            for name in COLUMNS
        }
        names = columns["episode"]
        starts = [i for i, name in enumerate(names) if i == 0 or name != names[i - 1]]
        spans = zip(starts, [*starts[1:], len(names)], strict=True)
        return [{name: values[a:b] for name, values in columns.items()} for a, b in spans]

    def walks(self) -> list[Rows]:
        """All episodes, in order."""
        return self._walks

    def walks_by_shard(self) -> dict[str, list[Rows]]:
        """Shard -> the episodes whose first frame lies in it. `DataError` where the manifest has no such shard."""
        found: dict[str, list[Rows]] = {}
        for rows in self.walks():
            found.setdefault(rows["shard"][0], []).append(rows)
        if unknown := sorted(found.keys() - self.shards.keys()):
            raise DataError(f"{self.id}: its index names {unknown[0]}, which is none of its blobs; collect it again.")
        return found


def read_dataset(store: ArtefactStore, id: ManifestId) -> Dataset:
    """The dataset behind a manifest id, its blobs verified. `DataError` says what is missing or malformed."""
    manifest = store.manifest(id)
    if manifest.kind != "dataset":
        raise DataError(f"{id} is a {manifest.kind}, not a dataset: give what `collect` published.")
    for name in FILES:
        if name not in manifest.blobs:
            raise DataError(f"{id} has no {name}, so it is no dataset of this layout: collect it again.")
    return open_dataset(id, manifest, {name: store.fetch(blob) for name, blob in sorted(manifest.blobs.items())})


def open_dataset(id: ManifestId, manifest: Manifest, files: Mapping[str, Path]) -> Dataset:
    """A dataset whose blobs are files on this machine, by name."""
    try:
        scenes = json.loads(files["scenes.json"].read_bytes())["scenes"]
        told = json.loads(gzip.decompress(files["episodes.json.gz"].read_bytes()))
        episodes, vocabulary = told["episodes"], (told.get("instruction_vocab") or {}).get("itos") or []
        entries = {entry["episode_id"]: entry for entry in episodes}
        instructions = {name: str(entry["instruction"]["instruction_text"]) for name, entry in entries.items()}
    except (AttributeError, ValueError, KeyError, TypeError, OSError, EOFError) as error:
        raise DataError(f"{id}: scenes.json or episodes.json.gz is malformed ({error}); collect it again.") from error
    if "size" not in manifest.meta:
        raise DataError(f"{id}: its manifest does not tell the size of its frames; collect it again.")
    return Dataset(
        id=id,
        manifest=manifest,
        index=read_index(files["index.parquet"], id),
        scenes={scene["id"]: scene for scene in scenes if is_described(scene)},
        entries=entries,
        instructions=instructions,
        shards={name: path for name, path in files.items() if name.startswith("shards/")},
        vocabulary=vocabulary,
    )


def is_described(scene: dict[str, Any]) -> bool:
    """Whether a scene's objects, rooms and doors have what validation reads of them; else its walks have no scene."""
    try:
        things, rooms, doors = (scene.get(kind, ()) for kind in ("objects", "rooms", "doors"))
        numbered = all(0 < found["id"] <= MOST_OBJECTS for found in (*things, *doors))
        named = all("id" in found and isinstance(found["category"], str) for found in (*things, *rooms))
        boxes = [np.array([*thing["centre"], *thing["size"], thing["yaw"]], float) for thing in things]
        outlines = [np.array(room["polygon"], float) for room in rooms]
    except (AttributeError, KeyError, TypeError, ValueError):
        return False
    shaped = all(box.shape == (7,) for box in boxes) and all(o.shape == (len(o), 2) and len(o) > 2 for o in outlines)
    return "id" in scene and numbered and named and shaped


def read_index(path: Path, id: ManifestId) -> pa.Table:
    """The index, sorted by episode and frame. `DataError` where it is no Parquet, empty, or of another schema."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        # Not `read_table`: it loads pyarrow's data sets and pandas first.
        with pq.ParquetFile(path) as file:
            table = file.read()
    except pa.ArrowInvalid as error:
        raise DataError(f"{id}: index.parquet is no Parquet file ({str(error).partition(chr(10))[0]}).") from error
    for name, holds in COLUMNS.items():
        if name not in table.column_names:
            raise DataError(f"{id}: index.parquet has no column {name}: collect it again with this release.")
        if not is_kind(table.schema.field(name).type, holds):
            raise DataError(f"{id}: column {name} of index.parquet holds {table.schema.field(name).type}, not {holds}.")
    if table.num_rows == 0:
        raise DataError(f"{id} holds no frames: there is nothing to validate; collect more.")
    return table.sort_by([("episode", "ascending"), ("frame", "ascending")])


def numbers(column: pa.ChunkedArray, count: int) -> NDArray[np.float64]:
    """[N, count] a column of lists; NaN where a list is missing or of another length."""
    import pyarrow.compute as pc

    lengths = np.array([length or 0 for length in pc.list_value_length(column).to_pylist()])
    whole = lengths == count
    flat = column.combine_chunks().flatten()
    # Where nothing is missing: not `to_numpy`, which imports pandas before other processes could measure meanwhile.
    values = flat.to_numpy(zero_copy_only=False) if flat.null_count else np.from_dlpack(flat)
    found = np.full((len(column), count), np.nan)
    found[whole] = values[np.repeat(whole, lengths)].reshape(-1, count)
    return found


def is_kind(kind: pa.DataType, holds: str) -> bool:
    """Whether an Arrow type is a `string`, an `integer` or a `list of numbers`."""
    import pyarrow.types as types

    if holds == "string":
        return bool(types.is_string(kind) or types.is_large_string(kind))
    if holds == "integer":
        return bool(types.is_integer(kind))
    return bool(types.is_list(kind) and types.is_floating(kind.value_type))
