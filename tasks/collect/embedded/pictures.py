"""Text-free pictures for the walls, and views out of the windows: each building has its own."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from tasks.collect.embedded.materials import SIDE

Image = NDArray[np.uint8]


def colours(rng: np.random.Generator, count: int) -> NDArray[np.float64]:
    """[count, 3] colours 0..255 around one hue and its opposite."""
    hue = (rng.uniform(0, 180) + rng.choice([0, 12, 90, 100, 20], count)) % 180
    hsv = np.stack([hue, rng.uniform(60, 220, count), rng.uniform(90, 250, count)], axis=1).astype(np.uint8)
    return cv2.cvtColor(hsv[None], cv2.COLOR_HSV2RGB)[0].astype(float)


def canvas(top: NDArray[np.float64], bottom: NDArray[np.float64]) -> Image:
    """A vertical gradient."""
    t = np.linspace(0, 1, SIDE)[:, None, None]
    return np.broadcast_to(top * (1 - t) + bottom * t, (SIDE, SIDE, 3)).astype(np.uint8).copy()


def hills(rng: np.random.Generator, image: Image, horizon: float, shades: NDArray[np.float64]) -> Image:
    """Ridges one before the other, each a sum of sines."""
    x = np.arange(SIDE)
    for i, shade in enumerate(shades):
        base = (horizon + i * (1 - horizon) / len(shades)) * SIDE
        waves = sum(
            rng.uniform(2, 9)
            / (n + 1)
            * np.sin(2 * np.pi * (n + 1) * x / SIDE * rng.uniform(0.6, 1.4) + rng.uniform(0, 6))
            for n in range(3)
        )
        outline = np.stack([x, base + waves], axis=1).round().astype(np.int32)
        corners = np.array([[SIDE, SIDE], [0, SIDE]], dtype=np.int32)
        cv2.fillPoly(image, [np.concatenate([outline, corners])], [float(c) for c in shade])
    return image


def landscape(rng: np.random.Generator) -> Image:
    """Hills under a coloured sky, with a sun."""
    c = colours(rng, 6)
    image = canvas(c[0], 0.5 * c[1] + 120)
    at = (int(rng.integers(20, SIDE - 20)), int(rng.integers(15, 55)))
    cv2.circle(image, at, int(rng.integers(6, 14)), (250, 240, 200), -1, cv2.LINE_AA)
    return hills(rng, image, rng.uniform(0.4, 0.6), c[2:] * np.linspace(0.95, 0.5, 4)[:, None])


def blocks(rng: np.random.Generator) -> Image:
    """Coloured rectangles divided by dark bars."""
    image = np.full((SIDE, SIDE, 3), 238, dtype=np.uint8)
    xs, ys = (np.sort(rng.choice(np.arange(12, SIDE - 12, 8), 3, replace=False)) for _ in range(2))
    palette = colours(rng, 5)
    edges_x, edges_y = [0, *xs, SIDE], [0, *ys, SIDE]
    for i in range(4):
        for j in range(4):
            if rng.random() < 0.5:
                image[edges_y[j] : edges_y[j + 1], edges_x[i] : edges_x[i + 1]] = palette[rng.integers(5)]
    for x, y in zip(xs, ys, strict=True):
        image[:, x - 2 : x + 2] = 20
        image[y - 2 : y + 2] = 20
    return image


def discs(rng: np.random.Generator) -> Image:
    """Overlapping discs and rings."""
    palette = colours(rng, 6)
    image = canvas(palette[0] * 0.4 + 140, palette[0] * 0.3 + 150)
    for _ in range(int(rng.integers(3, 7))):
        at = (int(rng.integers(15, SIDE - 15)), int(rng.integers(15, SIDE - 15)))
        thickness = -1 if rng.random() < 0.7 else 6
        cv2.circle(
            image, at, int(rng.integers(10, 38)), [float(c) for c in palette[rng.integers(6)]], thickness, cv2.LINE_AA
        )
    return image


def flower(rng: np.random.Generator) -> Image:
    """Petals around a middle, on a plain ground."""
    c = colours(rng, 3)
    image = canvas(c[0] * 0.25 + 180, c[0] * 0.25 + 150)
    middle = (SIDE // 2, int(SIDE * 0.42))
    cv2.line(image, middle, (SIDE // 2, SIDE), (60, 120, 60), 5, cv2.LINE_AA)
    count = int(rng.integers(5, 10))
    for i in range(count):
        angle = 360 * i / count
        at = (int(middle[0] + 24 * np.cos(np.radians(angle))), int(middle[1] + 24 * np.sin(np.radians(angle))))
        cv2.ellipse(image, at, (20, 10), angle, 0, 360, [float(v) for v in c[1]], -1, cv2.LINE_AA)
    cv2.circle(image, middle, 11, [float(v) for v in c[2]], -1, cv2.LINE_AA)
    return image


def bands(rng: np.random.Generator) -> Image:
    """A field of soft bands of colour."""
    palette = colours(rng, 5)
    rows = np.interp(np.linspace(0, 4, SIDE), np.arange(5), np.arange(5))
    image = palette[np.round(rows).astype(int)][:, None].repeat(SIDE, axis=1)
    image = image if rng.random() < 0.5 else image.transpose(1, 0, 2)
    return cv2.GaussianBlur(image.astype(np.uint8), (0, 0), float(rng.uniform(0.5, 5)))


def skyline(rng: np.random.Generator) -> Image:
    """Towers with lit windows before an evening sky."""
    c = colours(rng, 2)
    image = canvas(c[0] * 0.5, c[1] * 0.5 + 110)
    x = 0
    while x < SIDE:
        width, top = int(rng.integers(10, 26)), int(rng.integers(30, 90))
        image[top:, x : x + width] = rng.uniform(25, 70)
        lit = image[top + 4 :: 8, x + 3 : x + width - 2 : 6]
        lit[rng.random(lit.shape[:2]) < 0.5] = (235, 210, 130)
        x += width
    return image


PAINTINGS = (landscape, blocks, discs, flower, bands, skyline)


def painting(rng: np.random.Generator) -> Image:
    """[SIDE, SIDE, 3] a picture to hang; first row = bottom (v = 0)."""
    return np.ascontiguousarray(PAINTINGS[rng.integers(len(PAINTINGS))](rng)[::-1])


def outdoors(rng: np.random.Generator) -> Image:
    """[SIDE, SIDE, 3] a pale view of sky, hills and trees; first row = bottom."""
    sky = canvas(np.array([165.0, 200, 235]) * rng.uniform(0.92, 1.05), np.array([232.0, 238, 242]))
    far, near = np.array([176.0, 196, 190]), np.array([120.0, 158, 104]) * rng.uniform(0.85, 1.1)
    image = hills(rng, sky, rng.uniform(0.5, 0.62), np.stack([far, 0.5 * (far + near), near]))
    for _ in range(int(rng.integers(2, 7))):
        at = (int(rng.integers(0, SIDE)), int(rng.integers(70, 92)))
        cv2.ellipse(
            image, at, (int(rng.integers(7, 16)), int(rng.integers(9, 22))), 0, 0, 360, (92, 132, 84), -1, cv2.LINE_AA
        )
    return np.ascontiguousarray(cv2.GaussianBlur(image, (0, 0), 1.2)[::-1])
