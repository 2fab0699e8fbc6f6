"""One heatmap over one picture."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

GROUND = 0.45
"""Brightness of the picture where the map is empty, so that the map shines."""
LIFT = 0.7
"""Exponent that lifts the flanks of a map, which would drown beside a sharper one's peak."""
DENSITY = 0.85
"""Opacity of the brightest heat."""

_RAMP = np.array(
    [[0.00, 40, 12, 84], [0.25, 125, 30, 108], [0.50, 214, 62, 79], [0.75, 250, 148, 36], [1.00, 252, 246, 170]]
)
"""Intensity and colour of the heat: dark violet, red, orange, pale yellow; even steps of lightness."""


def overlay(rgb: ArrayLike, grid: ArrayLike, reference: float, size: int) -> Image.Image:
    """A picture [H, W, 3] uint8, dimmed and greyed, under a map [G, G] of cell probabilities.

    A cell of probability `reference` is as bright as it gets: give two maps the same one to compare them. The result is
    `size` pixels wide.
    """
    picture = enlarge(rgb, size)
    heat = np.clip(spread(grid, picture.size) / max(reference, 1e-12), 0, 1)[..., None] ** LIFT
    colour = np.stack([np.interp(heat[..., 0], _RAMP[:, 0], _RAMP[:, c]) for c in (1, 2, 3)], axis=-1)
    base = np.asarray(picture, dtype=np.float64)
    grey = base.mean(axis=-1, keepdims=True)
    # Under the heat the picture keeps its light, so that what is remembered can still be made out.
    ground = GROUND * (0.35 * base + 0.65 * grey)
    alpha = DENSITY * heat
    lit = colour * (0.72 + 0.28 * grey / 255)
    mixed = (1 - alpha) * ground + alpha * lit
    return Image.fromarray(mixed.clip(0, 255).astype(np.uint8))


def enlarge(rgb: ArrayLike, size: int) -> Image.Image:
    """The picture `size` pixels wide, smooth, its aspect kept."""
    image = Image.fromarray(np.asarray(rgb, dtype=np.uint8))
    return image.resize((size, round(size * image.height / image.width)), Image.Resampling.LANCZOS)


def spread(grid: ArrayLike, size: tuple[int, int]) -> NDArray[np.float64]:
    """[height, width] the map between its cells' centres by bicubic interpolation, never below 0."""
    image = Image.fromarray(np.asarray(grid, dtype=np.float32))
    return np.asarray(image.resize(size, Image.Resampling.BICUBIC), dtype=np.float64).clip(0)
