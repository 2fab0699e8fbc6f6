"""One recorded walk, read from its shard by byte ranges, with a word on every member that is not what it should be."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from mmap import mmap
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from tasks.validate.png import read_png

BLOCK = 512
"""A tar member's header comes in the block before its content and begins with its name."""
MEMBERS = {"rgb": "rgb.png", "depth": "depth.png", "semantic": "semantic.png"}
SHAPES: dict[str, tuple[type, int]] = {"rgb": (np.uint8, 3), "depth": (np.uint16, 2), "semantic": (np.uint16, 2)}
"""Type and number of axes of each picture."""


@dataclass(frozen=True)
class Walk:
    """N frames of one episode; a frame that could not be read holds zeros and is False in `intact`."""

    episode: str
    intact: NDArray[np.bool_]
    """[N] all three pictures of the frame could be read."""
    rgb: NDArray[np.uint8]
    """[N, H, W, 3]."""
    depth: NDArray[np.uint16]
    """[N, H, W] z-depth in millimetres; 0 = invalid."""
    semantic: NDArray[np.uint16]
    """[N, H, W] object ids of the scene."""
    pose: NDArray[np.float64]
    """[N, 4, 4] camera-to-world, OpenCV."""
    intrinsics: NDArray[np.float64]
    """[N, 3, 3] in pixels."""
    actions: tuple[str, ...]
    """N; action i leads from frame i to frame i + 1."""

    @cached_property
    def grey(self) -> NDArray[np.uint8]:
        """[N, H, W] luminance (ITU-R BT.601), 0..255."""
        return cv2.cvtColor(tall(self.rgb), cv2.COLOR_RGB2GRAY).reshape(self.rgb.shape[:3])  # type: ignore[return-value]

    @cached_property
    def light(self) -> NDArray[np.float32]:
        """[N, H, W] the same in floats."""
        return self.grey.astype(np.float32)


def tall(pictures: NDArray[Any]) -> NDArray[Any]:
    """[N * H, W, ...] of [N, H, W, ...]: all pictures of a walk as one, below each other.

    One call of OpenCV for a walk is several times as fast as one for each of its small pictures.
    """
    return pictures.reshape(-1, *pictures.shape[2:])


def read_walk(shard: bytes | mmap, rows: dict[str, list[Any]], size: tuple[int, int]) -> Walk:
    """The walk whose rows of the index (columns -> N values, in order of frames) point into `shard`.

    `size` is width and height in pixels; pictures of another size count as unreadable.
    """
    episode, count = str(rows["episode"][0]), len(rows["frame"])
    width, height = size
    pictures: dict[str, NDArray[Any]] = {
        kind: np.zeros((count, height, width, 3) if axes == 3 else (count, height, width), dtype)
        for kind, (dtype, axes) in SHAPES.items()
    }
    intact = np.ones(count, bool)
    for i, frame in enumerate(rows["frame"]):
        for kind, suffix in MEMBERS.items():
            name = f"{episode}-{frame:04d}.{suffix}"
            picture = read_picture(shard, name, rows[f"{kind}_offset"][i], rows[f"{kind}_size"][i])
            if (
                picture is None
                or picture.shape != pictures[kind][i].shape
                or picture.dtype.itemsize != pictures[kind].itemsize
            ):
                intact[i] = False
            else:
                pictures[kind][i] = picture
    return Walk(
        episode=episode,
        intact=intact,
        rgb=pictures["rgb"],
        depth=pictures["depth"],
        semantic=pictures["semantic"],
        pose=matrices(rows["pose"], 4),
        intrinsics=matrices(rows["intrinsics"], 3),
        actions=tuple(rows["action"]),
    )


def read_picture(shard: bytes | mmap, name: str, offset: int, size: int) -> NDArray[Any] | None:
    """The picture of a member; None where the range does not hold it, whole."""
    if offset < BLOCK or size <= 0 or offset + size > len(shard):
        return None
    header = bytes(shard[offset - BLOCK : offset])
    if header[: len(name)] != name.encode() or header[len(name)] != 0:
        return None
    return read_png(bytes(shard[offset : offset + size]))


def matrices(values: list[Any], side: int) -> NDArray[np.float64]:
    """[N, side, side]; a list of another length becomes NaN, which the checks of poses refuse."""
    unknown = [np.nan] * (side * side)
    whole = [value if value is not None and len(value) == side * side else unknown for value in values]
    return np.array(whole, float).reshape(-1, side, side)
