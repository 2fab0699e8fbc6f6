"""The surfaces of buildings: small tileable textures, drawn once from numbers. Tints multiply them."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from tasks.collect.embedded.baked import SHEET

Image = NDArray[np.float64]

SIDE = 128
"""Pixels of a layer's side."""
PICTURES = SHEET
"""Layers from here on are pictures of the building at hand."""


def noise(rng: np.random.Generator, roughness: float, stretch: tuple[float, float] = (1.0, 1.0)) -> Image:
    """[SIDE, SIDE] periodic noise, mean 0, deviation 1: white noise under a power law; `stretch` (y, x) draws grain."""
    fy = np.fft.fftfreq(SIDE)[:, None] * SIDE * stretch[0]
    fx = np.fft.fftfreq(SIDE)[None] * SIDE * stretch[1]
    power = (1 + fy**2 + fx**2) ** (-roughness / 2)
    power[0, 0] = 0
    field = np.fft.ifft2(np.fft.fft2(rng.standard_normal((SIDE, SIDE))) * power).real
    return field / field.std()


def grid() -> tuple[Image, Image]:
    """(y, x) of pixel centres in 0..1."""
    at = (np.arange(SIDE) + 0.5) / SIDE
    return np.meshgrid(at, at, indexing="ij")


def joints(rows: int, columns: int, shift: float, width: float) -> tuple[Image, NDArray[np.int64]]:
    """Mask of the joints between bricks (1 = joint), and each pixel's brick number; every other row is shifted."""
    y, x = grid()
    row = np.floor(y * rows).astype(np.int64)
    across = (x * columns + (row % 2) * shift) % columns
    column = np.floor(across).astype(np.int64)
    dy, dx = (y * rows) % 1.0, across % 1.0
    edge = np.minimum(np.minimum(dy, 1 - dy) / rows, np.minimum(dx, 1 - dx) / columns)
    return (edge < width).astype(float), row * columns + column


def grey(value: Image) -> Image:
    """[SIDE, SIDE, 3] from one channel."""
    return np.repeat(value[..., None], 3, axis=2)


def plaster(rng: np.random.Generator) -> Image:
    """Slightly uneven."""
    return grey(0.95 + 0.012 * noise(rng, 0.6) + 0.012 * noise(rng, 2.0))


def planks(rng: np.random.Generator) -> Image:
    """Eight boards, each with its own tone and grain."""
    joint, board = joints(8, 1, 0.5, 0.004)
    tone = rng.uniform(0.78, 1.0, 64)[board]
    return grey(tone * (1 - 0.45 * joint) * (1 + 0.05 * noise(rng, 1.6, (6.0, 0.7))))


def parquet(rng: np.random.Generator) -> Image:
    """Squares of four strips, turned by turns."""
    y, x = grid()
    cell = (np.floor(y * 4) + np.floor(x * 4)).astype(np.int64) % 2
    strip = np.where(cell == 0, np.floor(y * 16), np.floor(x * 16) + 16).astype(np.int64)
    tone = rng.uniform(0.8, 1.0, (4, 32))[np.floor(np.where(cell == 0, x, y) * 4).astype(np.int64), strip]
    edge = np.where(cell == 0, (y * 16) % 1.0, (x * 16) % 1.0)
    return grey(tone * np.where(edge < 0.1, 0.72, 1.0) * (1 + 0.03 * noise(rng, 1.0)))


def tiles(rng: np.random.Generator) -> Image:
    """Two by two tiles with joints."""
    joint, tile = joints(2, 2, 0.0, 0.008)
    return grey(np.where(joint > 0, 0.72, rng.uniform(0.93, 1.0, 16)[tile]) + 0.01 * noise(rng, 2.0))


def checker(rng: np.random.Generator) -> Image:
    """Four by four tiles, dark and light."""
    joint, tile = joints(4, 4, 0.0, 0.004)
    dark = (tile // 4 + tile % 4) % 2
    return grey(np.where(joint > 0, 0.6, np.where(dark > 0, 0.55, 1.0)) + 0.01 * noise(rng, 2.0))


def mosaic(rng: np.random.Generator) -> Image:
    """Small tiles, each with its own tone."""
    joint, tile = joints(10, 10, 0.0, 0.009)
    return grey(np.where(joint > 0, 0.95, rng.uniform(0.7, 1.0, 128)[tile]))


def carpet(rng: np.random.Generator) -> Image:
    """Short pile."""
    return grey(0.9 + 0.06 * noise(rng, 0.0) + 0.03 * noise(rng, 1.5))


def concrete(rng: np.random.Generator) -> Image:
    """Cloudy and speckled."""
    return grey(0.88 + 0.05 * noise(rng, 1.8) + 0.015 * noise(rng, 0.0))


def brick(rng: np.random.Generator) -> Image:
    """Bricks between white joints."""
    joint, unit = joints(12, 4, 0.5, 0.007)
    body = rng.uniform(0.75, 1.0, 64)[unit] * (1 + 0.04 * noise(rng, 0.5))
    return np.where(joint[..., None] > 0, [1.0, 1.0, 1.0], grey(body))


def stripes(rng: np.random.Generator) -> Image:
    """Wallpaper with upright stripes."""
    _, x = grid()
    return grey(np.where((x * 8) % 1.0 < 0.5, 0.86, 1.0) + 0.008 * noise(rng, 1.0))


def diamonds(rng: np.random.Generator) -> Image:
    """Wallpaper with diamonds."""
    y, x = grid()
    shape = np.abs((x * 6) % 1.0 - 0.5) + np.abs((y * 6) % 1.0 - 0.5)
    return grey(np.where(shape < 0.22, 0.8, 1.0) + 0.008 * noise(rng, 1.0))


def dots(rng: np.random.Generator) -> Image:
    """Wallpaper with dots."""
    y, x = grid()
    shifted = (x * 6 + 0.5 * (np.floor(y * 6) % 2)) % 1.0
    return grey(np.where(np.hypot(shifted - 0.5, (y * 6) % 1.0 - 0.5) < 0.18, 0.8, 1.0) + 0.008 * noise(rng, 1.0))


def panelling(rng: np.random.Generator) -> Image:
    """Upright boards."""
    _, x = grid()
    return grey(np.where((x * 8) % 1.0 < 0.07, 0.7, 0.97) + 0.01 * noise(rng, 1.5, (1.0, 6.0)))


def wood(rng: np.random.Generator) -> Image:
    """Grain along the texture."""
    return grey(0.9 + 0.055 * noise(rng, 1.5, (0.6, 7.0)))


def fabric(rng: np.random.Generator) -> Image:
    """A fine weave."""
    y, x = grid()
    weave = np.sin(2 * np.pi * 32 * x) * np.sin(2 * np.pi * 32 * y)
    return grey(0.93 + 0.04 * weave + 0.025 * noise(rng, 1.2))


def marble(rng: np.random.Generator) -> Image:
    """Dark veins."""
    vein = np.abs(noise(rng, 1.9))
    return grey(0.98 - 0.16 * np.exp(-((vein / 0.12) ** 2)) - 0.015 * np.abs(noise(rng, 1.5)))


def foliage(rng: np.random.Generator) -> Image:
    """Leaves, in shades that tint to green."""
    leaf = noise(rng, 0.9)
    return np.clip(np.stack([0.75 + 0.12 * leaf, 0.85 + 0.15 * leaf, 0.7 + 0.1 * leaf], axis=2), 0, 1)


def books(rng: np.random.Generator) -> Image:
    """Spines of books on three shelves of a metre, the colours included."""
    image = np.full((SIDE, SIDE, 3), 0.16)
    for shelf in range(3):
        bottom, x = round((shelf + 1) * SIDE / 3), 0
        while x < SIDE:
            width, height = int(rng.integers(3, 8)), int(rng.integers(26, 39))
            colour = rng.choice(BOOK_COLOURS) * rng.uniform(0.75, 1.0)
            image[bottom - height : bottom, x : x + width] = colour
            image[bottom - height : bottom, x : x + 1] *= 0.6
            x += width if rng.random() < 0.93 else width + 5
    return image[::-1]


def rug(rng: np.random.Generator) -> Image:
    """Concentric frames: one repeat covers a whole rug."""
    y, x = grid()
    frame = np.floor(np.minimum(np.minimum(x, 1 - x), np.minimum(y, 1 - y)) * 18).astype(np.int64)
    tone = np.array([0.6, 1.0, 0.7, 0.95, 0.95, 0.75, 1.0, 1.0, 0.85])[np.minimum(frame, 8)]
    return grey(tone + 0.04 * noise(rng, 0.3))


BOOK_COLOURS = np.array(
    [
        [0.55, 0.16, 0.14],
        [0.14, 0.27, 0.45],
        [0.16, 0.37, 0.23],
        [0.75, 0.62, 0.3],
        [0.85, 0.82, 0.74],
        [0.35, 0.2, 0.38],
        [0.2, 0.2, 0.22],
        [0.78, 0.42, 0.2],
    ]
)

PAINTERS = {
    "plaster": plaster, "planks": planks, "parquet": parquet, "tiles": tiles, "checker": checker, "mosaic": mosaic,
    "carpet": carpet, "concrete": concrete, "brick": brick, "stripes": stripes, "diamonds": diamonds, "dots": dots,
    "panelling": panelling, "wood": wood, "fabric": fabric, "marble": marble, "foliage": foliage, "books": books,
    "rug": rug,
}  # fmt: skip
NAMES = tuple(PAINTERS)
LAYER = {name: i for i, name in enumerate(NAMES)}


@cache
def textures() -> NDArray[np.uint8]:
    """[layers, SIDE, SIDE, 3] all materials, first row = bottom of the texture (v = 0)."""
    drawn = [painter(np.random.default_rng(i)) for i, painter in enumerate(PAINTERS.values())]
    return np.stack([np.round(np.clip(image, 0, 1) * 255).astype(np.uint8) for image in drawn])
