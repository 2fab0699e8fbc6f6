"""Where an agent can walk in a mesh that says nothing of floors: one level, found by area, less what stands on it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from tasks.collect.embedded.navigation import CELL, NavigationGrid
from tasks.errors import DataError

Floats = NDArray[np.float64]

LEVEL = 0.05
"""Metres between the heights that are told apart."""
SLOPE = np.cos(np.radians(30))
"""Least upward part of the normal of a surface that can be walked on."""
CLIMB = 0.12
"""Metres that a step may be high."""
HEAD = 1.5
"""Height of the agent, metres: what hangs higher is not in its way."""
TRIED = 4
"""Levels that are tried, those with the largest areas."""
SHARE = 0.5
"""The floor is the lowest level with at least this share of the most room to stand: roofs lie higher."""
LARGEST = 400.0
"""Metres a side that a scene may have."""
BATCH = 1 << 21
"""Sampled points held at a time."""


def ground(positions: NDArray[np.float32], faces: NDArray[np.int64], name: str) -> NavigationGrid:
    """The grid of the main floor of a mesh in world coordinates (metres, y up).

    Raises DataError where nothing level is there, or the scene is larger than any building.
    """
    corners = positions[faces].astype(np.float64)
    low, high = corners.min(axis=(0, 1)), corners.max(axis=(0, 1))
    if (high - low)[[0, 2]].max() > LARGEST:
        raise DataError(f"{name} is {(high - low)[[0, 2]].max():.0f} m wide: is its unit the metre?")
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    area = np.linalg.norm(normal, axis=1) / 2
    level = (area > 0) & (normal[:, 1] > SLOPE * 2 * area)
    if not level.any():
        raise DataError(f"{name} has no level surface on which an agent could stand.")
    heights = floor_heights(corners[level].mean(axis=1)[:, 1], area[level])
    grids = [grid_at(height, corners, level) for height in heights]
    free = np.array([grid.free.sum() for grid in grids])
    return grids[int(np.argmax(free >= SHARE * free.max()))]


def floor_heights(heights: Floats, areas: Floats) -> list[float]:
    """Mean heights of the levels with the largest areas, lowest first."""
    levels = np.floor(heights / LEVEL).astype(np.int64)
    first = levels.min()
    total = np.bincount(levels - first, weights=areas)
    largest = np.sort(np.argsort(-total, kind="stable")[: min(TRIED, int((total > 0).sum()))])
    own = [levels - first == number for number in largest]
    return [float(np.average(heights[mine], weights=areas[mine])) for mine in own]


def grid_at(height: float, corners: Floats, level: NDArray[np.bool_]) -> NavigationGrid:
    """The floor at a height, out of triangles ([F, 3, 3]) of which some are `level`, less what stands on it."""
    low, high = corners.min(axis=(0, 1)), corners.max(axis=(0, 1))
    x0, z0 = low[[0, 2]] - CELL
    shape = tuple((np.ceil((high - low)[[2, 0]] / CELL) + 3).astype(int))
    floor, blocked = np.zeros(shape, dtype=np.uint8), np.zeros(shape, dtype=bool)
    near = (corners[..., 1].min(axis=1) < height + HEAD) & (corners[..., 1].max(axis=1) > height - CLIMB)
    for points, walkable in samples(corners[near], level[near]):
        row, column = ((points[:, [2, 0]] - [z0, x0]) / CELL).astype(np.int64).T
        above = points[:, 1] - height
        here = walkable & (np.abs(above) <= CLIMB)
        floor[row[here], column[here]] = 1
        wall = (above > CLIMB) & (above < HEAD)
        blocked[row[wall], column[wall]] = True
    floor[blocked] = 0
    return NavigationGrid(floor, float(x0), float(z0), height)


def samples(corners: Floats, marks: NDArray[np.bool_]) -> Iterator[tuple[Floats, NDArray[np.bool_]]]:
    """Points on triangles ([n, 3, 3]), neighbours at most half a cell apart, with their triangles' marks."""
    sides = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2).max(axis=1)
    steps = 2 ** np.ceil(np.log2(np.maximum(sides / (CELL / 2), 1))).astype(np.int64)
    for count in np.unique(steps):
        chosen = np.flatnonzero(steps == count)
        i, j = np.meshgrid(np.arange(count + 1), np.arange(count + 1), indexing="ij")
        inside = i + j <= count
        a, b = i[inside] / count, j[inside] / count
        weights = np.stack([1 - a - b, a, b], axis=1)
        size = max(1, BATCH // len(weights))
        for start in range(0, len(chosen), size):
            part = chosen[start : start + size]
            points = np.einsum("pk,nkc->npc", weights, corners[part])
            yield points.reshape(-1, 3), np.repeat(marks[part], len(weights))
