"""Datasets taken apart into arrays, so that tests can damage an episode and put the dataset together again."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow.parquet as pq

from tasks.collect.dataset import with_vocabulary, write_gzip, write_index
from tasks.collect.shards import png
from tasks.collect.tars import TarWriter
from tasks.spec import ManifestId
from tasks.store import ArtefactStore, Manifest

PICTURES = ("rgb", "depth", "semantic")


@dataclass
class Recording:
    """One episode; N frames. Depth in millimetres."""

    episode: str
    scene: str
    split: str
    stratum: str
    instruction: str
    """In the index."""
    told: str
    """In the episode file."""
    entry: dict[str, Any]
    """Of the episode file."""
    actions: list[str]
    rgb: np.ndarray
    depth: np.ndarray
    semantic: np.ndarray
    pose: np.ndarray
    intrinsics: np.ndarray
    corrupt: set[int] = field(default_factory=set)
    """Frames whose RGB picture gets a flipped byte."""
    swap_members: bool = False
    """Whether the index points each frame at the next one's RGB picture."""
    numbers: list[int] | None = None
    """Frame numbers in the index, where they are not 0, 1, 2, ..."""
    tokens: list[int] | None = None
    """Word numbers of its instruction in the episode file, where they are not those of its words."""
    described: dict[str, Any] | None = None
    """What scenes.json tells of its scene, where that is not what the simulator told."""


@dataclass
class Collection:
    """A whole dataset."""

    recordings: list[Recording]
    scenes: list[dict[str, Any]]
    plan: dict[str, Any]

    def by_stratum(self, stratum: str) -> Iterable[Recording]:
        return (r for r in self.recordings if r.stratum == stratum)


def read_collection(folder: Path, plan: dict[str, Any]) -> Collection:
    """A dataset folder in memory."""
    entries = {e["episode_id"]: e for e in unzipped(folder / "episodes.json.gz")["episodes"]}
    table = pq.read_table(folder / "index.parquet").to_pandas()
    shards = {name: (folder / name).read_bytes() for name in table["shard"].unique()}
    recordings = []
    for episode, rows in table.groupby("episode", sort=True):
        pictures = {kind: np.stack([decoded(shards[r.shard], r, kind) for r in rows.itertuples()]) for kind in PICTURES}
        first = rows.iloc[0]
        recordings.append(
            Recording(
                episode=str(episode),
                scene=first.scene,
                split=first.split,
                stratum=first.stratum,
                instruction=first.instruction,
                told=entries[episode]["instruction"]["instruction_text"],
                entry=entries[episode],
                actions=rows["action"].tolist(),
                rgb=pictures["rgb"][..., ::-1].copy(),
                depth=pictures["depth"],
                semantic=pictures["semantic"],
                pose=np.stack(rows["pose"]).reshape(-1, 4, 4),
                intrinsics=np.stack(rows["intrinsics"]).reshape(-1, 3, 3),
            )
        )
    return Collection(recordings, json.loads((folder / "scenes.json").read_text())["scenes"], plan)


def decoded(shard: bytes, row: Any, kind: str) -> np.ndarray:
    data = np.frombuffer(shard, np.uint8, getattr(row, f"{kind}_size"), getattr(row, f"{kind}_offset"))
    return cv2.imdecode(data, cv2.IMREAD_UNCHANGED)


def unzipped(path: Path) -> Any:
    return json.loads(gzip.decompress(path.read_bytes()))


def write_collection(folder: Path, collection: Collection) -> None:
    """The folder of a dataset; one shard for every eight episodes."""
    (folder / "shards").mkdir(parents=True)
    rows: list[dict[str, Any]] = []
    for number in range(0, len(collection.recordings), 8):
        name = f"shards/{number // 8:03d}.tar"
        with TarWriter(folder / name) as tar:
            for recording in collection.recordings[number : number + 8]:
                rows += write_recording(tar, name, recording)
    write_index(folder / "index.parquet", sorted(rows, key=lambda row: (row["episode"], row["frame"])))
    write_gzip(folder / "episodes.json.gz", told_of([], collection.recordings))
    (folder / "scenes.json").write_text(json.dumps({"scenes": described(collection.scenes, collection.recordings)}))


def described(scenes: list[dict[str, Any]], recordings: Iterable[Recording]) -> list[dict[str, Any]]:
    """The scenes, those in the place of others that a damaged recording brings."""
    changed = {r.described["id"]: r.described for r in recordings if r.described}
    return [changed.get(scene["id"], scene) for scene in scenes]


def entry_of(recording: Recording) -> dict[str, Any]:
    """The recording's entry of the episode file."""
    entry = {**recording.entry, "episode_id": recording.episode}
    return {**entry, "instruction": {"instruction_text": recording.told}}


def told_of(entries: list[dict[str, Any]], recordings: list[Recording]) -> dict[str, Any]:
    """The episode file: some entries as they stand, and those of recordings."""
    told = {recording.episode: entry_of(recording) for recording in recordings}
    file = with_vocabulary([*entries, *told.values()])
    for recording in recordings:
        if recording.tokens is not None:
            told[recording.episode]["instruction"]["instruction_tokens"] = recording.tokens
    return file


def write_recording(tar: TarWriter, shard: str, recording: Recording) -> list[dict[str, Any]]:
    rows = []
    for i, number in enumerate(recording.numbers or range(len(recording.rgb))):
        ranges = {}
        for kind in PICTURES:
            data = png(getattr(recording, kind)[i])
            if kind == "rgb" and i in recording.corrupt:
                data = data[:60] + bytes([data[60] ^ 0xFF]) + data[61:]
            ranges[kind] = tar.add(f"{recording.episode}-{number:04d}.{kind}.png", data)
        rows.append(row(recording, shard, i, number, ranges))
    if recording.swap_members:
        for key in ("rgb_offset", "rgb_size"):
            values = [r[key] for r in rows]
            for r, value in zip(rows, [*values[1:], values[0]], strict=True):
                r[key] = value
    return rows


def row(recording: Recording, shard: str, i: int, number: int, ranges: dict[str, tuple[int, int]]) -> dict[str, Any]:
    return {
        "episode": recording.episode, "frame": number, "shard": shard,
        **{f"{kind}_offset": span[0] for kind, span in ranges.items()},
        **{f"{kind}_size": span[1] for kind, span in ranges.items()},
        "pose": recording.pose[i].ravel().tolist(), "intrinsics": recording.intrinsics[i].ravel().tolist(),
        "action": recording.actions[i], "stratum": recording.stratum, "scene": recording.scene,
        "split": recording.split, "instruction": recording.instruction,
    }  # fmt: skip


def publish(store: ArtefactStore, folder: Path, plan: dict[str, Any], size: tuple[int, int] = (64, 64)) -> ManifestId:
    """The folder as `collect` would publish it."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    blobs = {str(path.relative_to(folder)): store.put_blob(path) for path in files}
    return store.publish(Manifest(kind="dataset", blobs=blobs, meta={"size": list(size), "plan": plan}))
