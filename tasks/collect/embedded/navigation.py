"""Where one can stand and how far it is to walk: a 5 cm grid, and Dijkstra fields with moves of up to three cells."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from math import gcd
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from tasks.collect.simulator import DistanceField, Points

Cell = TypeVar("Cell", bound=tuple[int, ...])

CELL = 0.05
"""Side of a cell in metres."""
RADIUS = 0.18
"""The agent's radius in metres."""
ASIDE, ABOVE = 0.5, 1.3
"""Metres along the floor and in height by which a goal may miss the floor; what misses it by more has no way to it."""

MOVES = [
    (dz, dx)
    for dz in range(4)
    for dx in range(-3, 4)
    if (dz > 0 or dx > 0) and gcd(dz, abs(dx)) == 1
]  # fmt: skip
"""Half of the moves from a cell to those within three rows and columns (the other half are their opposites)."""


class NavigationGrid:
    """The floor of one building as cells that hold an agent's centre."""

    def __init__(self, floor: NDArray[np.uint8], x0: float, z0: float, height: float = 0.0) -> None:
        """`floor` [rows (z), columns (x)] is 1 where nothing stands; its first cell begins at (x0, height, z0)."""
        self.x0, self.z0, self.height, self.shape, self.floor = x0, z0, height, floor.shape, floor
        distance = cv2.distanceTransform(np.pad(floor, 1), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
        self.clearance: NDArray[np.float32] = (distance - 0.5) * CELL
        """[rows, columns] metres from a cell's centre to the nearest obstacle."""
        standable = (self.clearance >= RADIUS).astype(np.uint8)
        _, labels, stats, _ = cv2.connectedComponentsWithStats(standable, connectivity=4)
        largest = int(np.argmax(stats[1:, cv2.CC_STAT_AREA])) + 1 if len(stats) > 1 else -1
        self.free: NDArray[np.bool_] = labels == largest
        """[rows, columns] the largest connected set of cells that hold an agent."""

    def cell_of(self, points: Points) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Row and column of points ([n, 3])."""
        rows = np.floor((points[:, 2] - self.z0) / CELL).astype(np.int64)
        columns = np.floor((points[:, 0] - self.x0) / CELL).astype(np.int64)
        return rows, columns

    def point_of(self, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> Points:
        """[n, 3] centres of cells, on the floor."""
        x, z = self.x0 + (columns + 0.5) * CELL, self.z0 + (rows + 0.5) * CELL
        return np.stack([x, np.full(len(rows), self.height), z], axis=1)

    def is_free(self, points: Points) -> NDArray[np.bool_]:
        """[n] whether an agent can stand at points ([n, 3])."""
        rows, columns = self.cell_of(points)
        inside = (rows >= 0) & (rows < self.shape[0]) & (columns >= 0) & (columns < self.shape[1])
        free = np.zeros(len(points), dtype=bool)
        free[inside] = self.free[rows[inside], columns[inside]]
        return free

    def is_clear(self, start: Points, end: Points) -> bool:
        """Whether an agent can walk straight between two points ([3])."""
        return bool(self.is_free(straight(start, end)).all())

    @cached_property
    def numbers(self) -> NDArray[np.int64]:
        """[rows, columns] the number of a free cell among all free cells; -1 elsewhere."""
        numbers = np.full(self.shape, -1, dtype=np.int64)
        numbers[self.free] = np.arange(self.free.sum())
        return numbers

    @cached_property
    def graph(self) -> csr_array:
        """Sparse matrix of move lengths in metres between free cells; a long move needs all cells that it crosses."""
        starts, ends, lengths = self.edges(self.numbers)
        count = int(self.free.sum())
        return csr_array((lengths, (starts, ends)), shape=(count, count))

    def edges(self, numbers: NDArray[np.int64]) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float64]]:
        """The moves between free cells: from and to, by the cells' `numbers` ([rows, columns]), and metres."""
        starts, ends, lengths = [], [], []
        for dz, dx in MOVES:
            allowed = self.free & self.moved(dz, dx)
            for row, column in crossed(dz, dx):
                allowed &= self.moved(row, column)
            rows, columns = np.nonzero(allowed)
            starts.append(numbers[rows, columns])
            ends.append(numbers[rows + dz, columns + dx])
            lengths.append(np.full(len(rows), np.hypot(dz, dx) * CELL))
        return (
            np.concatenate(starts).astype(np.int32),
            np.concatenate(ends).astype(np.int32),
            np.concatenate(lengths),
        )

    def moved(self, dz: int, dx: int) -> NDArray[np.bool_]:
        """[rows, columns] whether the cell at this offset from each cell is free."""
        shifted = np.zeros(self.shape, dtype=bool)
        rows, columns = self.shape
        shifted[: rows - dz, max(-dx, 0) : columns - max(dx, 0)] = self.free[dz:, max(dx, 0) : columns - max(-dx, 0)]
        return shifted

    def field(self, goal: Points, reach: float = np.inf) -> GridField:
        """Distances to `goal` ([3]; the nearest free cell stands for it), up to `reach` metres.

        inf everywhere for a goal that is not on this floor.
        """
        from scipy.sparse.csgraph import dijkstra

        start, field = self.nearest_free(goal), np.full(self.shape, np.inf)
        if self.stands_for(start, goal) and abs(goal[1] - self.height) <= ABOVE:
            field[self.free] = dijkstra(self.graph, directed=False, indices=int(self.numbers[start]), limit=reach)
        return GridField(self, field)

    def stands_for(self, cell: tuple[int, int], point: Points) -> bool:
        """Whether a cell is near enough to a point ([3]) to stand for it."""
        place = self.point_of(*np.array(cell)[:, None])[0]
        return float(np.hypot(*(place - point)[[0, 2]])) <= ASIDE

    def nearest_free(self, point: Points) -> tuple[int, int]:
        """Row and column of the free cell nearest to a point ([3])."""
        rows, columns = self.cell_of(point[None])
        row, column = int(rows[0]), int(columns[0])
        if 0 <= row < self.shape[0] and 0 <= column < self.shape[1] and self.free[row, column]:
            return row, column
        free_rows, free_columns = np.nonzero(self.free)
        best = int(np.argmin((free_rows - row) ** 2 + (free_columns - column) ** 2))
        return int(free_rows[best]), int(free_columns[best])

    def path(self, start: Points, goal: Points) -> Points | None:
        """[n, 3] corners of a shortest path: descent of the field, then pulled straight."""
        if not self.is_free(start[None])[0] or not self.is_free(goal[None])[0]:
            return None
        field = self.field(goal)
        row, column = self.cell_of(start[None])
        at = (int(row[0]), int(column[0]))
        if not np.isfinite(field.metres[at]):
            return None
        rows, columns = descent(field.metres, field.step, at).T
        points = self.point_of(rows, columns)
        return pulled(np.concatenate([start[None], points, goal[None]]), self.is_clear)

    @property
    def area(self) -> float:
        """Square metres on which an agent's centre may stand."""
        return float(self.free.sum()) * CELL**2

    def grounded(self, points: Points) -> Points:
        """Points as they are: this floor is flat."""
        return points

    def places(self, count: int, rng: np.random.Generator, clearance: float) -> Points:
        """[count, 3] random free cells with `clearance` metres beyond the agent's radius, as far as there are any."""
        room = np.where(self.free, self.clearance, -1.0)
        rows, columns = np.nonzero(room >= min(clearance + RADIUS, float(room.max())))
        chosen = rng.integers(len(rows), size=count)
        return self.point_of(rows[chosen], columns[chosen])


def descent(metres: NDArray[np.float64], step: Callable[[Cell], Cell], at: Cell) -> NDArray[np.int64]:
    """[n, 2 or 3] cells from `at` down a field to its goal, where `metres` are 0; `step` leads on from each."""
    cells = [at]
    while metres[at] > 0:
        at = step(at)
        cells.append(at)
    return np.array(cells)


def pulled(points: Points, clear: Callable[[Points, Points], bool]) -> Points:
    """A path ([n, 3]) without the corners that a straight walk can skip."""
    kept, at = [0], 0
    while at < len(points) - 1:
        nearer, farther = at + 1, len(points) - 1
        while nearer < farther:
            middle = (nearer + farther + 1) // 2
            nearer, farther = (middle, farther) if clear(points[at], points[middle]) else (nearer, middle - 1)
        kept.append(nearer)
        at = nearer
    return points[kept]


def straight(start: Points, end: Points) -> Points:
    """[n, 3] places at most 2 cm apart on the straight line between two points ([3]), both ends included."""
    count = max(2, int(np.ceil(np.linalg.norm(end - start) / 0.02)) + 1)
    return start + np.linspace(0, 1, count)[:, None] * (end - start)


def crossed(dz: int, dx: int) -> list[tuple[int, int]]:
    """Cells between the ends of a move that the straight line touches, corners included."""
    t = np.linspace(0, 1, 49)[1:-1, None]
    nudge = np.array([[-1e-6, -1e-6], [-1e-6, 1e-6], [1e-6, -1e-6], [1e-6, 1e-6]])
    places = np.array([dz, dx]) * t
    touched = np.floor(places[:, None] + nudge + 0.5).astype(int).reshape(-1, 2)
    return sorted({(int(z), int(x)) for z, x in touched} - {(0, 0), (dz, dx)})


class GridField(DistanceField):
    """Distances to one goal over a grid."""

    def __init__(self, grid: NavigationGrid, metres: NDArray[np.float64]) -> None:
        self.grid = grid
        self.metres = metres
        """[rows, columns] metres; inf where unreachable."""

    def at(self, points: Points) -> Points:
        """See DistanceField: interpolated between the free cells around each point."""
        grid = self.grid
        v, u = (points[:, 2] - grid.z0) / CELL - 0.5, (points[:, 0] - grid.x0) / CELL - 0.5
        row, column = np.floor(v).astype(np.int64), np.floor(u).astype(np.int64)
        total, weight = np.zeros(len(points)), np.zeros(len(points))
        for i in (0, 1):
            for j in (0, 1):
                r, c = np.clip(row + i, 0, grid.shape[0] - 1), np.clip(column + j, 0, grid.shape[1] - 1)
                value = self.metres[r, c]
                share = np.abs(1 - i - (v - row)) * np.abs(1 - j - (u - column)) * np.isfinite(value)
                total += share * np.where(np.isfinite(value), value, 0)
                weight += share
        return np.where(grid.is_free(points) & (weight > 1e-9), total / np.maximum(weight, 1e-9), np.inf)

    def step(self, at: tuple[int, int]) -> tuple[int, int]:
        """The neighbouring cell through which the shortest way leads."""
        best, chosen = np.inf, at
        for dz, dx in (*MOVES, *((-a, -b) for a, b in MOVES)):
            row, column = at[0] + dz, at[1] + dx
            if not (0 <= row < self.grid.shape[0] and 0 <= column < self.grid.shape[1]):
                continue
            length = self.metres[row, column] + np.hypot(dz, dx) * CELL
            blocked = any(not self.grid.free[at[0] + a, at[1] + b] for a, b in crossed(dz, dx))
            if not blocked and length < best and self.metres[row, column] < self.metres[at]:
                best, chosen = length, (row, column)
        return chosen
