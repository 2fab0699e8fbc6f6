"""A dataset on this machine: which walks it holds, and where each frame's bytes lie."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from model.errors import DataError, UsageError

PARTS = ("rgb", "depth", "semantic")
COLUMNS = ("episode", "frame", "shard", "pose", "intrinsics", "stratum", "scene", "split", "instruction")


@dataclass(frozen=True)
class DatasetFiles:
    """Where a dataset's blobs lie on this machine."""

    index: Path
    scenes: Path
    episodes: Path
    shards: Mapping[str, Path]
    """Name in the index -> file; it may be brought here when it is first asked for."""
    sizes: Mapping[str, int]
    """Name -> bytes, known before the file is here."""

    @classmethod
    def inside(cls, folder: Path) -> Self:
        """A dataset that lies whole in a folder."""
        shards = {f"shards/{path.name}": path for path in sorted((folder / "shards").iterdir())}
        sizes = {name: path.stat().st_size for name, path in shards.items()}
        return cls(folder / "index.parquet", folder / "scenes.json", folder / "episodes.json.gz", shards, sizes)


@dataclass(frozen=True)
class Walk:
    """One episode: rows `start` to `stop - 1` of the index, in order of time."""

    episode: str
    scene: str
    split: str
    stratum: str
    instruction: str
    shard: str
    start: int
    stop: int


@dataclass(frozen=True)
class WalkDataset:
    """The index of a dataset as arrays over its rows (one a frame, sorted by episode and frame)."""

    files: DatasetFiles
    walks: tuple[Walk, ...]
    frame: NDArray[np.int32]
    """[rows] number of the frame in its episode."""
    walk: NDArray[np.int64]
    """[rows] index into `walks`."""
    pose: NDArray[np.float64]
    """[rows, 4, 4] camera-to-world, OpenCV."""
    intrinsics: NDArray[np.float64]
    """[rows, 3, 3] in pixels of the stored frames."""
    shard: tuple[str, ...]
    """[rows] name of the shard."""
    span: Mapping[str, NDArray[np.int64]]
    """Part (rgb, depth, semantic) -> [rows, 2] offset and size of its bytes in the shard."""

    def split(self, name: str) -> list[int]:
        """Indices of the walks of a split; a `UsageError` names the splits that there are."""
        found = [i for i, walk in enumerate(self.walks) if walk.split == name]
        if not found:
            there = ", ".join(sorted({w.split for w in self.walks})) or "none"
            raise UsageError(f"The dataset has no walks in the split {name!r} (it has {there}): collect scenes for it.")
        return found

    def first_elsewhere(self, own: int, among: Iterable[int]) -> int | None:
        """The first of some walks that is in another building than one's own; None where there is none."""
        scene = self.walks[own].scene
        return next((walk for walk in among if self.walks[walk].scene != scene), None)

    @cached_property
    def categories(self) -> dict[str, dict[int, str]]:
        """Scene -> semantic id -> category."""
        return {
            scene["id"]: {int(thing["id"]): str(thing["category"]) for thing in scene["objects"]}
            for scene in read_scenes(self.files.scenes)
        }

    @cached_property
    def camera_height(self) -> NDArray[np.float64]:
        """[walks] metres from the walker's feet, where the episode starts, up to the camera."""
        feet = {e["episode_id"]: e["start_position"][1] for e in read_episodes(self.files.episodes)}
        return np.array([self.pose[walk.start, 1, 3] - feet[walk.episode] for walk in self.walks])


def open_dataset(files: DatasetFiles) -> WalkDataset:
    """Read the index and make sure that every shard is long enough for it.

    Raises `DataError` for an index that misses columns or rows, or a shard that is missing or truncated.
    """
    columns = _read_index(files.index)
    span = {part: np.stack([columns[f"{part}_offset"], columns[f"{part}_size"]], -1) for part in PARTS}
    shards = columns["shard"].tolist()
    _check_shards(files, columns["shard"], span)
    starts = np.flatnonzero(np.r_[True, columns["episode"][1:] != columns["episode"][:-1]])
    stops = np.r_[starts[1:], len(shards)]
    names = ("episode", "scene", "split", "stratum", "instruction", "shard")
    walks = tuple(
        Walk(**{name: str(columns[name][a]) for name in names}, start=a, stop=b)
        for a, b in zip(starts.tolist(), stops.tolist(), strict=True)
    )
    return WalkDataset(
        files,
        walks,
        frame=columns["frame"],
        walk=np.repeat(np.arange(len(walks)), stops - starts),
        pose=columns["pose"].reshape(-1, 4, 4),
        intrinsics=columns["intrinsics"].reshape(-1, 3, 3),
        shard=tuple(shards),
        span=span,
    )


def read_scenes(path: Path) -> list[dict[str, Any]]:
    """The scenes of `scenes.json`, which is a list, or an object with the list under `scenes`."""
    content = json.loads(path.read_text())
    return list(content["scenes"] if isinstance(content, dict) else content)


def read_episodes(path: Path) -> list[dict[str, Any]]:
    """The episodes of a habitat-lab VLN file (`episodes.json.gz`)."""
    with gzip.open(path, "rt") as lines:
        return list(json.load(lines)["episodes"])


def _read_index(path: Path) -> dict[str, NDArray[Any]]:
    import pyarrow
    import pyarrow.parquet

    wanted = [*COLUMNS, *(f"{part}_{end}" for part in PARTS for end in ("offset", "size"))]
    try:
        missing = sorted(set(wanted) - set(pyarrow.parquet.read_schema(path).names))
        table = pyarrow.parquet.read_table(path, columns=[] if missing else wanted)
    except (pyarrow.ArrowInvalid, OSError) as error:
        raise DataError(f"The dataset's index {path} is no whole Parquet file: collect the dataset again.") from error
    if missing or not table.num_rows:
        lack = f"lacks the columns {', '.join(missing)}" if missing else "lists no frames"
        raise DataError(f"The dataset's index {path} {lack}: collect and validate the dataset again.")
    columns = {}
    for name in table.column_names:
        column = table[name].combine_chunks()
        flat = column.flatten() if name in ("pose", "intrinsics") else column
        columns[name] = flat.to_numpy(zero_copy_only=False)
    return columns


def _check_shards(files: DatasetFiles, shard: NDArray[Any], span: Mapping[str, NDArray[np.int64]]) -> None:
    ends = np.max([part.sum(-1) for part in span.values()], axis=0)
    for name in np.unique(shard).tolist():
        if name not in files.sizes:
            raise DataError(f"The dataset's index names the shard {name}, which the dataset does not hold.")
        needed, there = int(ends[shard == name].max()), files.sizes[name]
        if there < needed:
            raise DataError(
                f"The shard {name} is truncated: it has {there} bytes, but its last frame ends at byte {needed}; "
                "collect the dataset again."
            )
