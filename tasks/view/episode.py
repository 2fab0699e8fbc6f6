"""One recorded episode with everything that is known of it, its frames still encoded as they were recorded."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from tasks.errors import DataError, UsageError
from tasks.view.source import Source

PARTS = ("rgb", "depth", "semantic")
NAMED = 3
"""Episodes that a message suggests."""


@dataclass(frozen=True)
class Recorded:
    """An episode; n frames."""

    id: str
    split: str
    stratum: str
    scene: dict[str, Any]
    """Entry of scenes.json."""
    instruction: str
    info: dict[str, Any]
    """`info` of the episode file: camera, instruction in Chinese, geodesic distance."""
    actions: tuple[str, ...]
    poses: NDArray[np.float64]
    """[n, 4, 4] camera-to-world, OpenCV, metres."""
    intrinsics: NDArray[np.float64]
    """[n, 3, 3] pixels."""
    encoded: dict[str, tuple[bytes, ...]]
    """Part (rgb, depth, semantic) -> n PNGs."""

    @cached_property
    def rgb(self) -> NDArray[np.uint8]:
        """[n, H, W, 3]."""
        return np.stack([self.decoded("rgb", i)[..., ::-1] for i in range(len(self.actions))])

    @cached_property
    def depth(self) -> NDArray[np.float32]:
        """[n, H, W] z-depth in metres, 0 = invalid."""
        frames = [self.decoded("depth", i) for i in range(len(self.actions))]
        return np.stack(frames).astype(np.float32) / np.float32(1000)

    @cached_property
    def semantic(self) -> NDArray[np.uint16]:
        """[n, H, W] ids of the scene's things."""
        return np.stack([self.decoded("semantic", i) for i in range(len(self.actions))])

    def decoded(self, part: str, frame: int) -> NDArray[Any]:
        """One image as OpenCV reads it."""
        data = np.frombuffer(self.encoded[part][frame], np.uint8)
        image = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if len(data) else None
        if image is None:
            raise DataError(
                f"The {part} image of frame {frame} of episode {self.id} cannot be decoded: its shard is truncated or "
                "damaged; collect the dataset again."
            )
        return np.asarray(image)


def episode_ids(source: Source) -> list[str]:
    """All episodes of a dataset, in order."""
    return sorted(set(source.index.column("episode").to_pylist()))


def read_episode(source: Source, id: str) -> Recorded:
    """An episode, read by byte ranges. Raises UsageError naming near ones where there is none of that id."""
    import pyarrow.compute as pc

    rows = source.index.filter(pc.equal(source.index.column("episode"), id)).to_pylist()
    if not rows:
        raise UsageError(unknown(source, id))
    first = rows[0]
    if first["scene"] not in source.scenes or id not in source.episodes:
        missing = "scenes.json" if first["scene"] not in source.scenes else "episodes.json.gz"
        raise DataError(f"{source.name}: {missing} does not know episode {id}; collect the dataset again.")
    entry = source.episodes[id]
    return Recorded(
        id=id,
        split=first["split"],
        stratum=first["stratum"],
        scene=source.scenes[first["scene"]],
        instruction=first["instruction"],
        info=entry.get("info", {}),
        actions=tuple(row["action"] for row in rows),
        poses=np.array([row["pose"] for row in rows]).reshape(-1, 4, 4),
        intrinsics=np.array([row["intrinsics"] for row in rows]).reshape(-1, 3, 3),
        encoded=encoded_frames(source, rows),
    )


def encoded_frames(source: Source, rows: list[dict[str, Any]]) -> dict[str, tuple[bytes, ...]]:
    """The PNGs of an episode's rows. Its members lie side by side in the shard, so that one read gets them all."""
    spans = [(row[f"{part}_offset"], row[f"{part}_offset"] + row[f"{part}_size"]) for row in rows for part in PARTS]
    start, stop = min(low for low, _ in spans), max(high for _, high in spans)
    data = source.read(rows[0]["shard"], start, stop - start)
    return {
        part: tuple(
            data[row[f"{part}_offset"] - start : row[f"{part}_offset"] + row[f"{part}_size"] - start] for row in rows
        )
        for part in PARTS
    }


def unknown(source: Source, id: str) -> str:
    """What to tell a person who asked for an episode that is not there."""
    names = episode_ids(source)
    near = difflib.get_close_matches(id, names, NAMED, cutoff=0.4) or names[:NAMED]
    return f"There is no episode {id!r} among the {len(names)} of {source.name}; there is, for one, {', '.join(near)}."
