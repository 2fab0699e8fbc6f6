"""A dataset as LeRobot v3.0 has them: Parquet files with the recorded PNGs inside, and their metadata."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tasks.errors import UsageError
from tasks.export.motion import ACTION, STATE, moves, states
from tasks.export.statistics import PixelCounts, Statistics, of_vectors
from tasks.progress import Progress
from tasks.view.episode import Recorded, read_episode
from tasks.view.source import Source

VERSION = "v3.0"
CHUNK, MEGABYTES = 1000, 100
"""Files in a folder, and megabytes in a file, at most."""
DATA_PATH = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
EPISODES_PATH = "meta/episodes/chunk-000/file-000.parquet"
RGB, DEPTH = "observation.images.rgb", "observation.images.depth"
COARSE = 4
"""Of an image every fourth row and column is counted."""
VECTORS = {"observation.state": len(STATE), "observation.intrinsics": 4, "action": len(ACTION)}
NUMBERS = {"timestamp": "float32", "frame_index": "int64", "episode_index": "int64", "index": "int64"}


@dataclass
class Exported:
    """What was written."""

    episodes: int
    frames: int
    files: int


@dataclass
class Totals:
    """Statistics over all episodes: the vectors themselves, which are small, and counts of pixels."""

    vectors: dict[str, list[np.ndarray]] = field(default_factory=dict)
    pixels: dict[str, PixelCounts] = field(
        default_factory=lambda: {RGB: PixelCounts(3, 256), DEPTH: PixelCounts(1, 65536)}
    )

    def statistics(self) -> dict[str, Statistics]:
        """Of every feature."""
        found = {name: of_vectors(np.concatenate(parts)) for name, parts in self.vectors.items()}
        return found | {RGB: self.pixels[RGB].statistics(255.0), DEPTH: self.pixels[DEPTH].statistics(1.0)}


def export_lerobot(source: Source, out: Path, fps: int, splits: Sequence[str], progress: Progress) -> Exported:
    """Write the episodes of some splits to the folder `out`, which must not exist; one step of a walk lasts 1/fps s.

    The folder has its name only when it is whole. Raises UsageError where there is nothing to export.
    """
    if out.exists():
        raise UsageError(f"{out} exists already: name a folder that does not, or remove it first.")
    chosen = chosen_episodes(source, splits)
    part = out.with_name(out.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    totals, entries = Totals(), list[dict[str, Any]]()
    tasks: dict[str, int] = {}
    writer = DataFiles(part)
    with progress.track("export", len(chosen), "episodes") as track:
        for name in chosen:
            episode = read_episode(source, name)
            first = entries[-1]["dataset_to_index"] if entries else 0
            task = tasks.setdefault(episode.instruction, len(tasks))
            columns = columns_of(episode, len(entries), first, task, fps)
            place = writer.write(columns)
            entries.append(entry_of(episode, len(entries), first, place, add(totals, episode, columns)))
            track.advance(episode=name)
    writer.close()
    size = read_episode(source, chosen[0]).rgb.shape[1:3]
    write_meta(part, entries, tasks, totals, fps, (size[0], size[1]))
    part.replace(out)
    return Exported(len(entries), entries[-1]["dataset_to_index"], writer.file + 1)


def chosen_episodes(source: Source, splits: Sequence[str]) -> list[str]:
    """Episodes of the splits, one split after the other."""
    rows = {(row["split"], row["episode"]) for row in source.index.select(["split", "episode"]).to_pylist()}
    chosen = sorted((splits.index(split), name) for split, name in rows if split in splits)
    if not chosen:
        there = ", ".join(sorted({split for split, _ in rows}))
        raise UsageError(f"{source.name} has no episodes in {', '.join(splits)} (it has {there}).")
    return [name for _, name in chosen]


def columns_of(episode: Recorded, number: int, first: int, task: int, fps: int) -> dict[str, Any]:
    """The rows of one episode, by column."""
    count = len(episode.actions)
    k = episode.intrinsics
    return {
        RGB: [{"bytes": data, "path": None} for data in episode.encoded["rgb"]],
        DEPTH: [{"bytes": data, "path": None} for data in episode.encoded["depth"]],
        "observation.state": states(episode.poses),
        "observation.intrinsics": np.stack([k[:, 0, 0], k[:, 1, 1], k[:, 0, 2], k[:, 1, 2]], axis=1),
        "action": moves(episode.poses, list(episode.actions)),
        "next.done": np.arange(count) == count - 1,
        "timestamp": np.arange(count) / fps,
        "frame_index": np.arange(count),
        "episode_index": np.full(count, number),
        "index": first + np.arange(count),
        "task_index": np.full(count, task),
    }


def add(totals: Totals, episode: Recorded, columns: dict[str, Any]) -> dict[str, Statistics]:
    """Count an episode in, and give its own statistics."""
    own = Totals()
    images: dict[str, Any] = {RGB: episode.rgb, DEPTH: np.round(episode.depth * 1000).astype(np.uint16)[..., None]}
    for name, values in columns.items():
        if name in images:
            for counts in (own, totals):
                counts.pixels[name].add(images[name][:, ::COARSE, ::COARSE])
        else:
            vectors = np.asarray(values, dtype=np.float64).reshape(len(episode.actions), -1)
            for counts in (own, totals):
                counts.vectors.setdefault(name, []).append(vectors)
    return own.statistics()


def entry_of(
    episode: Recorded, number: int, first: int, place: tuple[int, int], statistics: dict[str, Statistics]
) -> dict[str, Any]:
    """An episode's row of meta/episodes; what LeRobot has no word for stands under `backsight/`."""
    count = len(episode.actions)
    return {
        "episode_index": number,
        "tasks": [episode.instruction],
        "length": count,
        "data/chunk_index": place[0],
        "data/file_index": place[1],
        "dataset_from_index": first,
        "dataset_to_index": first + count,
        "meta/episodes/chunk_index": 0,
        "meta/episodes/file_index": 0,
        "backsight/episode": episode.id,
        "backsight/scene": episode.scene["id"],
        "backsight/split": episode.split,
        "backsight/stratum": episode.stratum,
        **{f"stats/{name}/{key}": value for name, found in statistics.items() for key, value in found.items()},
    }


class DataFiles:
    """Writes episodes into Parquet files, one row group an episode, and begins another file when one is full."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.file, self.size = folder, 0, 0
        self.writer: Any = None

    def write(self, columns: dict[str, Any]) -> tuple[int, int]:
        """Append an episode; returns its chunk and its file in the chunk."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        schema = data_schema()
        table = pa.table({f.name: pa.array(as_values(columns[f.name]), type=f.type) for f in schema}, schema=schema)
        if self.writer is not None and self.size + table.nbytes > MEGABYTES << 20:
            self.close()
            self.file, self.size = self.file + 1, 0
        place = divmod(self.file, CHUNK)
        if self.writer is None:
            path = self.folder / DATA_PATH.format(chunk_index=place[0], file_index=place[1])
            path.parent.mkdir(parents=True, exist_ok=True)
            # PNGs are compressed already.
            self.writer = pq.ParquetWriter(path, schema, compression="none")
        self.writer.write_table(table)
        self.size += table.nbytes
        return place

    def close(self) -> None:
        """Finish the file at hand."""
        if self.writer is not None:
            self.writer.close()
        self.writer = None


def as_values(column: Any) -> Any:
    """What pyarrow takes: rows of a matrix as lists."""
    return column.tolist() if isinstance(column, np.ndarray) else column


def data_schema() -> Any:
    """Columns of the data files."""
    import pyarrow as pa

    image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    kinds = {"float32": pa.float32(), "int64": pa.int64()}
    return pa.schema(
        [
            (RGB, image),
            (DEPTH, image),
            *((name, pa.list_(pa.float32(), length)) for name, length in VECTORS.items()),
            ("next.done", pa.bool_()),
            *((name, kinds[kind]) for name, kind in NUMBERS.items()),
            ("task_index", pa.int64()),
        ]
    )


def write_meta(
    folder: Path, entries: list[dict[str, Any]], tasks: dict[str, int], totals: Totals, fps: int, size: tuple[int, int]
) -> None:
    """info.json, stats.json, tasks.parquet and the table of episodes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    meta = folder / "meta"
    meta.mkdir(parents=True, exist_ok=True)
    write_json(meta / "info.json", info(entries, len(tasks), fps, size))
    write_json(meta / "stats.json", totals.statistics())
    table = pa.table({"task_index": list(tasks.values()), "task": list(tasks)})
    pq.write_table(
        table.replace_schema_metadata({"pandas": json.dumps(pandas_index("task_index", "task"))}),
        meta / "tasks.parquet",
    )
    path = folder / EPISODES_PATH
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(entries), path)


def info(entries: list[dict[str, Any]], tasks: int, fps: int, size: tuple[int, int]) -> dict[str, Any]:
    """What meta/info.json says; `size` = height and width in pixels."""
    return {
        "codebase_version": VERSION,
        "robot_type": "virtual walker",
        "total_episodes": len(entries),
        "total_frames": entries[-1]["dataset_to_index"],
        "total_tasks": tasks,
        "chunks_size": CHUNK,
        "data_files_size_in_mb": MEGABYTES,
        "video_files_size_in_mb": MEGABYTES,
        "fps": fps,
        "splits": {split: f"{span[0]}:{span[1]}" for split, span in spans(entries)},
        "data_path": DATA_PATH,
        "video_path": None,
        "features": features(size),
    }


def spans(entries: list[dict[str, Any]]) -> Iterator[tuple[str, tuple[int, int]]]:
    """Each split with its first episode and the one after its last."""
    names = [entry["backsight/split"] for entry in entries]
    for split in dict.fromkeys(names):
        start = names.index(split)
        yield split, (start, start + names.count(split))


def features(size: tuple[int, int]) -> dict[str, Any]:
    """What each column holds."""
    axes = ["height", "width", "channels"]
    vectors = {"observation.state": STATE, "observation.intrinsics": ("fx", "fy", "cx", "cy"), "action": ACTION}
    return {
        RGB: {"dtype": "image", "shape": [*size, 3], "names": axes},
        DEPTH: {"dtype": "image", "shape": [*size, 1], "names": axes, "info": {"is_depth_map": True, "unit": "mm"}},
        **{name: {"dtype": "float32", "shape": [len(n)], "names": list(n)} for name, n in vectors.items()},
        "next.done": {"dtype": "bool", "shape": [1], "names": None},
        **{name: {"dtype": kind, "shape": [1], "names": None} for name, kind in NUMBERS.items()},
        "task_index": {"dtype": "int64", "shape": [1], "names": None},
    }


def pandas_index(value: str, index: str) -> dict[str, Any]:
    """The note by which pandas knows that a column of strings is the index of a table of integers."""
    integer = {"name": value, "field_name": value, "pandas_type": "int64", "numpy_type": "int64", "metadata": None}
    text = {"name": index, "field_name": index, "pandas_type": "unicode", "numpy_type": "object", "metadata": None}
    names = {"name": None, "field_name": None, "pandas_type": "unicode", "numpy_type": "object", "metadata": None}
    return {"index_columns": [index], "column_indexes": [names], "columns": [integer, text], "pandas_version": "2.2.0"}


def write_json(path: Path, value: Any) -> None:
    """Readable JSON."""
    path.write_text(json.dumps(value, indent=4, ensure_ascii=False) + "\n")
