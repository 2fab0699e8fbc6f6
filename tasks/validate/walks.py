"""One recorded walk, read from its shard by byte ranges, with a word on every member that is not what it should be."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import cached_property
from mmap import mmap
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

SIGNATURE = b"\x89PNG\r\n\x1a\n"
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
    depth: NDArray[np.float32]
    """[N, H, W] z-depth in metres; 0 = invalid."""
    semantic: NDArray[np.uint16]
    """[N, H, W] object ids of the scene."""
    pose: NDArray[np.float64]
    """[N, 4, 4] camera-to-world, OpenCV."""
    intrinsics: NDArray[np.float64]
    """[N, 3, 3] in pixels."""
    actions: tuple[str, ...]
    """N; action i leads from frame i to frame i + 1."""

    @cached_property
    def grey(self) -> NDArray[np.float32]:
        """[N, H, W] luminance (ITU-R BT.601), 0..255."""
        blue_first = np.ascontiguousarray(self.rgb[..., ::-1])
        rows = blue_first.reshape(-1, *blue_first.shape[2:])
        return cv2.cvtColor(rows, cv2.COLOR_BGR2GRAY).reshape(self.rgb.shape[:3]).astype(np.float32)


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
            if picture is None or picture.shape != pictures[kind][i].shape or picture.dtype != pictures[kind].dtype:
                intact[i] = False
            else:
                pictures[kind][i] = picture
    return Walk(
        episode=episode,
        intact=intact,
        rgb=pictures["rgb"][..., ::-1],
        depth=(pictures["depth"] / 1000).astype(np.float32),
        semantic=pictures["semantic"],
        pose=matrices(rows["pose"], 4),
        intrinsics=matrices(rows["intrinsics"], 3),
        actions=tuple(rows["action"]),
    )


def read_picture(shard: bytes | mmap, name: str, offset: int, size: int) -> NDArray[Any] | None:
    """The picture of a member, in OpenCV's order of colours; None where the range does not hold it, whole."""
    if offset < BLOCK or size <= 0 or offset + size > len(shard):
        return None
    header = bytes(shard[offset - BLOCK : offset])
    if header[: len(name)] != name.encode() or header[len(name)] != 0:
        return None
    data = bytes(shard[offset : offset + size])
    if not is_whole_png(data):
        return None
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)


def is_whole_png(data: bytes) -> bool:
    """Whether the bytes are a PNG from signature to end, each chunk with its checksum (decoders forgive too much)."""
    if not data.startswith(SIGNATURE):
        return False
    at = len(SIGNATURE)
    while at + 12 <= len(data):
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        if end > len(data) or zlib.crc32(data[at + 4 : end - 4]) != int.from_bytes(data[end - 4 : end], "big"):
            return False
        if data[at + 4 : at + 8] == b"IEND":
            return end == len(data)
        at = end
    return False


def matrices(values: list[Any], side: int) -> NDArray[np.float64]:
    """[N, side, side]; a list of another length becomes NaN, which the checks of poses refuse."""
    found = np.full((len(values), side, side), np.nan)
    for i, value in enumerate(values):
        if value is not None and len(value) == side * side:
            found[i] = np.asarray(value, float).reshape(side, side)
    return found
