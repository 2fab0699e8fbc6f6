"""Bakes a building's surfaces into one texture: material, tint and light of every quad in a patch of its own.

Viewers that know neither texture arrays nor vertex light (habitat-sim among them) then show what our renderer shows.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from tasks.collect.embedded.baked import BakedMesh
from tasks.collect.embedded.materials import PICTURES, SIDE, textures

Floats = NDArray[np.float64]

PAD = 2
"""Pixels around a patch that repeat its rim, so that filtering does not take colours from the neighbour."""
DENSEST = 64.0
"""Pixels a metre at most."""
FILL = 0.7
"""Share of the texture that patches may take; the rest is lost between shelves."""
LEVELS = 4


@dataclass(frozen=True)
class Atlas:
    """One texture for all quads of a mesh."""

    image: NDArray[np.uint8]
    """[S, S, 3], first row = top (as glTF counts v)."""
    uv: Floats
    """[V, 2] of the mesh's vertices, glTF's v downwards."""


def bake_atlas(mesh: BakedMesh, side: int = 2048) -> Atlas:
    """The atlas of a mesh whose vertices come four to a quad. Patches are as fine as `side` pixels a side allow."""
    corners = mesh.positions.reshape(-1, 4, 3).astype(float)
    width = np.linalg.norm(corners[:, 1] - corners[:, 0], axis=1)
    height = np.linalg.norm(corners[:, 3] - corners[:, 0], axis=1)
    density = min(DENSEST, float(np.sqrt(FILL * side**2 / (width * height).sum())))
    while True:
        sizes = np.stack([patch_pixels(width, density), patch_pixels(height, density)], axis=1)
        places = shelves(sizes + 2 * PAD, side)
        if places is not None:
            break
        density *= 0.93
    image = np.zeros((side, side, 3), dtype=np.uint8)
    for w, h in np.unique(sizes, axis=0):
        chosen = np.flatnonzero((sizes == (w, h)).all(axis=1))
        for quad, patch in zip(chosen, patches(mesh, chosen, int(w), int(h)), strict=True):
            x, y = places[quad]
            image[y : y + h + 2 * PAD, x : x + w + 2 * PAD] = patch
    x, y = (places + PAD).T.astype(float)
    w, h = sizes.T.astype(float)
    u = np.stack([x, x + w, x + w, x], axis=1) / side
    v = np.stack([y + h, y + h, y, y], axis=1) / side
    return Atlas(image, np.stack([u, v], axis=-1).reshape(-1, 2))


def patch_pixels(length: Floats, density: float) -> NDArray[np.int64]:
    """Pixels for lengths in metres: even numbers, so that few sizes occur."""
    return np.maximum(2 * np.ceil(length * density / 2), 2).astype(np.int64)


def shelves(sizes: NDArray[np.int64], side: int) -> NDArray[np.int64] | None:
    """[n, 2] places (x, y) of rectangles put side by side on shelves, the tallest first; None where they do not fit."""
    places = np.zeros_like(sizes)
    x = y = shelf = 0
    for i in np.lexsort((sizes[:, 0], -sizes[:, 1])):
        w, h = sizes[i]
        if x + w > side:
            x, y, shelf = 0, y + shelf, 0
        if y + h > side or w > side:
            return None
        places[i] = x, y
        x, shelf = x + w, max(shelf, h)
    return places


def patches(mesh: BakedMesh, quads: NDArray[np.int64], w: int, h: int) -> NDArray[np.uint8]:
    """[n, h + 2 PAD, w + 2 PAD, 3] the patches of some quads of one size, first row = top."""
    s = np.clip((np.arange(-PAD, w + PAD) + 0.5) / w, 0, 1)
    t = np.clip(1 - (np.arange(-PAD, h + PAD) + 0.5) / h, 0, 1)
    weight = np.stack([np.outer(1 - t, 1 - s), np.outer(1 - t, s), np.outer(t, s), np.outer(t, 1 - s)])
    rows = quads[:, None] * 4 + np.arange(4)
    uv = np.einsum("nkc,kij->nijc", mesh.uv[rows].astype(float), weight)
    light = np.einsum("nkc,kij->nijc", mesh.colour[rows].astype(float), weight)
    surface = np.empty_like(light)
    for n, quad in enumerate(quads):
        surface[n] = sampled(mesh, int(mesh.layer[quad * 4]), uv[n])
    return np.round(surface * light / 255).astype(np.uint8)


def sampled(mesh: BakedMesh, layer: int, uv: Floats) -> Floats:
    """[h, w, 3] a repeating texture at `uv`, from the mip level whose pixels are about as large as the patch's."""
    step = np.abs(np.diff(uv, axis=1)).max() if uv.shape[1] > 1 else 0.0
    level = int(np.clip(np.round(np.log2(max(step * SIDE, 1.0))), 0, LEVELS))
    picture = layer >= PICTURES
    image = mip(mesh.pictures[layer - PICTURES] if picture else textures()[layer], level)
    n = len(image)
    # OpenCV's remap has no repeating border for coordinates far outside: wrap them first.
    column = ((uv[..., 0] * n - 0.5) % n).astype(np.float32)
    row = ((uv[..., 1] * n - 0.5) % n).astype(np.float32)
    rim = np.pad(image, ((0, 1), (0, 1), (0, 0)), mode="wrap")
    return cv2.remap(rim, column, row, cv2.INTER_LINEAR).astype(float)


def mip(image: NDArray[np.uint8], level: int) -> NDArray[np.uint8]:
    """A texture averaged over blocks of 2^level pixels."""
    for _ in range(level):
        image = np.asarray(cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA))
    return image
