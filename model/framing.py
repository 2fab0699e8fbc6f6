"""A picture of any shape as the square that the network takes, and the way back from a heatmap to the whole picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Self

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

Fit = Literal["crop", "letterbox"]


@dataclass(frozen=True)
class Framing:
    """Which square of a picture's plane the network sees. `crop`: the largest one inside the picture, in its middle;
    `letterbox`: the smallest one around it, black where there is no picture.
    """

    width: int
    """Pixels of the whole picture."""
    height: int
    left: int
    """The square's left and upper edge in pixels of the picture; negative for a letterbox."""
    top: int
    side: int
    """Of the square, in pixels of the picture."""

    @classmethod
    def of(cls, width: int, height: int, fit: Fit) -> Self:
        """The square of pictures of this size."""
        side = min(width, height) if fit == "crop" else max(width, height)
        # Whole pixels: an odd one goes to the right or below.
        return cls(width, height, (width - side) // 2, (height - side) // 2, side)

    def square(self, picture: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
        """[height, width, 3] -> [size, size, 3]: what the network sees."""
        left, top = max(0, self.left), max(0, self.top)
        part = picture[top : top + self.side, left : left + self.side]
        if self.left < 0 or self.top < 0:
            above, before = -min(0, self.top), -min(0, self.left)
            below, after = self.side - part.shape[0] - above, self.side - part.shape[1] - before
            part = np.pad(part, ((above, below), (before, after), (0, 0)))
        shrinks = size < self.side
        return np.asarray(cv2.resize(part, (size, size), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC))

    def whole(self, grid: NDArray[np.floating], width: int) -> NDArray[np.float64]:
        """A map over the square [G, G] -> the same over the whole picture, `width` pixels wide: [h, width].

        Values are interpolated between the cells' centres, never below 0; 0 where the network did not look. What a
        letterbox's map says of the black borders is left out.
        """
        scale = width / self.width
        height = round(self.height * scale)
        side, left, top = round(self.side * scale), round(self.left * scale), round(self.top * scale)
        image = Image.fromarray(np.asarray(grid, dtype=np.float32)).resize((side, side), Image.Resampling.BICUBIC)
        spread = np.asarray(image, dtype=np.float64).clip(0)
        full = np.zeros((height, width))
        x0, y0, x1, y1 = max(0, left), max(0, top), min(width, left + side), min(height, top + side)
        full[y0:y1, x0:x1] = spread[y0 - top : y1 - top, x0 - left : x1 - left]
        return full

    def centre_of(self, row: float, column: float, cells: int) -> tuple[float, float]:
        """(x, y) in pixels of the whole picture of the centre of a cell of a `cells` x `cells` map."""
        cell = self.side / cells
        return self.left + (column + 0.5) * cell, self.top + (row + 0.5) * cell
