"""Textures looked up as GL does: mip-maps by halving, the level by how far a pixel reaches, linear in all three."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from tasks.collect.embedded.baked import Sheet

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Pyramid:
    """A sheet's textures at all sizes."""

    levels: list[NDArray[np.float32]]
    """[n, H, W, 3] each, from the whole size down to one texel; 0..255."""
    repeat: tuple[bool, bool]

    @classmethod
    def of(cls, sheet: Sheet) -> Self:
        """Each level is the mean of the four texels below; an odd row or column is left out, as GL's drivers do."""
        levels = [sheet.images.astype(np.float32)]
        while max(levels[-1].shape[1:3]) > 1:
            image = levels[-1]
            rows, columns = (max(1, size // 2) for size in image.shape[1:3])
            high, wide = min(2, image.shape[1]), min(2, image.shape[2])
            cut = image[:, : rows * high, : columns * wide]
            halved = cut.reshape(len(image), rows, high, columns, wide, 3).mean(axis=(2, 4))
            # GL keeps eight bits a level.
            levels.append(np.round(halved).astype(np.float32))
        return cls(levels, sheet.repeat)

    def sample(self, texture: NDArray[np.int64], uv: Floats, right: Floats, down: Floats) -> Floats:
        """[M, 3] colours (0..255) at `uv` ([M, 2]); `right`, `down`: how far uv goes to the next pixel."""
        size = np.array(self.levels[0].shape[2:0:-1])
        reach = np.maximum(np.linalg.norm(right * size, axis=1), np.linalg.norm(down * size, axis=1))
        level = np.clip(np.log2(np.maximum(reach, 1e-9)), 0, len(self.levels) - 1)
        low = np.floor(level).astype(int)
        high, share = np.minimum(low + 1, len(self.levels) - 1), level - low
        found = np.zeros((len(uv), 3))
        for number in np.unique(np.concatenate([low, high])):
            weight = np.where(low == number, 1 - share, 0.0) + np.where(high == number, share, 0.0)
            on = weight > 0
            found[on] += weight[on, None] * self.bilinear(int(number), texture[on], uv[on])
        return found

    def bilinear(self, level: int, texture: NDArray[np.int64], uv: Floats) -> Floats:
        """[M, 3] colours on one level; texels' centres lie at +0.5."""
        image = self.levels[level]
        size = np.array(image.shape[2:0:-1])
        place = uv * size - 0.5
        first = np.floor(place).astype(np.int64)
        share = place - first
        total = np.zeros((len(uv), 3))
        for i in (0, 1):
            for j in (0, 1):
                column, row = self.wrapped(first[:, 0] + i, size[0], 0), self.wrapped(first[:, 1] + j, size[1], 1)
                weight = np.abs(1 - i - share[:, 0]) * np.abs(1 - j - share[:, 1])
                total += weight[:, None] * image[texture, row, column]
        return total

    def wrapped(self, index: NDArray[np.int64], size: int, axis: int) -> NDArray[np.int64]:
        """Texels outside the texture: the other side's where it repeats, else the rim's."""
        return index % size if self.repeat[axis] else np.clip(index, 0, size - 1)
