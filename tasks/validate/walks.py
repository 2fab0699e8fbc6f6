"""One recorded walk, read from its shard by byte ranges, with a word on every member that is not what it should be."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from tasks.validate.png import Form, read_pngs
from tasks.validate.reading import Rows

BLOCK = 512
"""A tar member's header comes in the block before its content and begins with its name."""
MEMBERS = {"rgb": "rgb.png", "depth": "depth.png", "semantic": "semantic.png"}


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


def tall(pictures: NDArray[Any]) -> NDArray[Any]:
    """[N * H, W, ...] of [N, H, W, ...]: all pictures of a walk as one, below each other.

    One call of OpenCV for a walk is several times as fast as one for each of its small pictures.
    """
    return pictures.reshape(-1, *pictures.shape[2:])


def read_walk(shard: memoryview, rows: Rows, size: tuple[int, int]) -> Walk:
    """The walk whose rows of the index point into `shard`.

    `size` is width and height in pixels; pictures of another size count as unreadable.
    """
    episode, intact = str(rows["episode"][0]), np.ones(len(rows["frame"]), bool)
    pictures: dict[str, NDArray[Any]] = {}
    for kind, suffix in MEMBERS.items():
        names = [f"{episode}-{frame:04d}.{suffix}\0".encode() for frame in rows["frame"]]
        places = zip(names, rows[f"{kind}_offset"], rows[f"{kind}_size"], strict=True)
        files = [read_member(shard, *place) for place in places]
        pictures[kind], whole = read_pngs(files, Form(*size, coloured=kind == "rgb"))
        intact &= whole
    return Walk(
        episode=episode,
        intact=intact,
        rgb=pictures["rgb"],
        depth=pictures["depth"],
        semantic=pictures["semantic"],
        pose=rows["pose"].reshape(-1, 4, 4),
        intrinsics=rows["intrinsics"].reshape(-1, 3, 3),
        actions=tuple(rows["action"]),
    )


def read_member(shard: memoryview, name: bytes, offset: int, size: int) -> memoryview | None:
    """The content of the member whose name, with the zero that ends it, is given; None where it lies elsewhere."""
    if offset < BLOCK or size <= 0 or offset + size > len(shard):
        return None
    begin = offset - BLOCK
    return shard[offset : offset + size] if shard[begin : begin + len(name)] == name else None
