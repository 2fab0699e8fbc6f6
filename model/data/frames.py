"""Reads single frames out of the shards by byte range and decodes them, keeping the latest ones in memory."""

from __future__ import annotations

import os
from collections import OrderedDict
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from model.data.walks import WalkDataset
from model.errors import DataError

MILLIMETRES = 1000.0
BYTES_A_PIXEL = 9
"""Three of colour, four of depth, two of ids."""


@dataclass(frozen=True)
class Frame:
    """One recorded frame at the size that the network takes."""

    rgb: NDArray[np.uint8]
    """[H, W, 3]."""
    depth: NDArray[np.float32]
    """[H, W] z-depth in metres; 0 = invalid."""
    semantic: NDArray[np.uint16]
    """[H, W] ids of the scene's things."""
    intrinsics: NDArray[np.float64]
    """[3, 3] in pixels of this size."""


class FrameReader:
    """Decoded frames of a dataset by row of its index.

    Shard files stay open; reads are positioned, so forked loader processes can share them.
    """

    def __init__(self, dataset: WalkDataset, size: int, memory: int = 128 << 20) -> None:
        self.dataset = dataset
        self.size = size
        self.keep = max(1, memory // (size * size * BYTES_A_PIXEL))
        self._files: dict[str, int] = {}
        self._latest: OrderedDict[int, Frame] = OrderedDict()

    def read(self, row: int) -> Frame:
        """The frame in a row of the index; a `DataError` names the episode and frame that cannot be decoded."""
        if row in self._latest:
            self._latest.move_to_end(row)
            return self._latest[row]
        frame = self._decode(row)
        self._latest[row] = frame
        if len(self._latest) > self.keep:
            self._latest.popitem(last=False)
        return frame

    def _decode(self, row: int) -> Frame:
        rgb = self._image("rgb", row, cv2.IMREAD_COLOR_RGB)
        depth = self._image("depth", row, cv2.IMREAD_UNCHANGED)
        semantic = self._image("semantic", row, cv2.IMREAD_UNCHANGED)
        intrinsics = self.dataset.intrinsics[row].copy()
        height, width = depth.shape
        if (height, width) != (self.size, self.size):
            side = (self.size, self.size)
            rgb = cv2.resize(rgb, side, interpolation=cv2.INTER_AREA)
            # Depth and ids are not averaged: a mean of two surfaces lies on neither.
            depth = cv2.resize(depth, side, interpolation=cv2.INTER_NEAREST_EXACT)
            semantic = cv2.resize(semantic, side, interpolation=cv2.INTER_NEAREST_EXACT)
            intrinsics[0] *= self.size / width
            intrinsics[1] *= self.size / height
        return Frame(rgb, depth.astype(np.float32) / np.float32(MILLIMETRES), semantic, intrinsics)

    def _image(self, part: str, row: int, flags: int) -> NDArray:
        offset, size = self.dataset.span[part][row].tolist()
        name = self.dataset.shard[row]
        content = os.pread(self._descriptor(name), size, offset)
        image = cv2.imdecode(np.frombuffer(content, np.uint8), flags) if len(content) == size else None
        if image is None:
            walk = self.dataset.walks[self.dataset.walk[row]]
            raise DataError(
                f"The {part} image of frame {self.dataset.frame[row]} of episode {walk.episode} in {name} cannot be "
                "decoded: the shard is truncated or damaged; collect the dataset again."
            )
        return image

    def _descriptor(self, name: str) -> int:
        if name not in self._files:
            self._files[name] = os.open(self.dataset.files.shards[name], os.O_RDONLY)
        return self._files[name]
