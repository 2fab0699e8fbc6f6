"""Two floors as one graph: a grid each, whose cells in the stair well are the same cells."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from tasks.collect.embedded.navigation import ABOVE, CELL, RADIUS, GridField, NavigationGrid, descent, pulled, straight
from tasks.collect.embedded.stairs import Stairs
from tasks.collect.simulator import DistanceField, Points

NEAR = 0.6
"""Metres above or below a floor within which a point is meant to be on it."""


class DuplexGrid:
    """The same questions as a `NavigationGrid` answers, over two floors; heights tell them apart."""

    def __init__(self, lower: NavigationGrid, upper: NavigationGrid, stairs: Stairs) -> None:
        """Both grids have one origin and shape, and the well is floor in either."""
        self.lower, self.upper, self.stairs = lower, upper, stairs
        rows, columns = np.indices(lower.shape)
        middles = lower.point_of(rows.ravel(), columns.ravel())
        self.well: NDArray[np.bool_] = self.in_well(middles).reshape(lower.shape)
        """[rows, columns] cells of the well."""
        # Either floor has the well's walls without the other's door; a body that fits on one of them fits.
        shared = (lower.free | upper.free) & self.well
        for grid in (lower, upper):
            grid.free = np.where(self.well, shared, grid.free)
        self.rise: NDArray[np.float64] = np.where(self.well, stairs.height(middles[:, 0]).reshape(lower.shape), 0.0)
        """[rows, columns] height in the well, metres; 0 elsewhere."""

    def in_well(self, points: Points) -> NDArray[np.bool_]:
        """[n] whether points lie between the walls of the well."""
        well = self.stairs.well
        x, z = points[:, 0], points[:, 2]
        return (x > well.x0) & (x < well.x1) & (z > well.z0) & (z < well.z1)

    def is_upper(self, points: Points) -> NDArray[np.bool_]:
        """[n] whether points ([n, 3]) are nearer to the upper floor."""
        return points[:, 1] > self.stairs.rise / 2

    def grounded(self, points: Points) -> Points:
        """The same places at the height of the floor or of the stairs there."""
        level = np.where(self.is_upper(points), self.stairs.rise, 0.0)
        height = np.where(self.in_well(points), self.stairs.height(points[:, 0]), level)
        return np.stack([points[:, 0], height, points[:, 2]], axis=1)

    def is_free(self, points: Points) -> NDArray[np.bool_]:
        """[n] whether an agent can stand at points ([n, 3])."""
        near = np.abs(points[:, 1] - self.grounded(points)[:, 1]) < NEAR
        return near & np.where(self.is_upper(points), self.upper.is_free(points), self.lower.is_free(points))

    def is_clear(self, start: Points, end: Points) -> bool:
        """Whether an agent can walk straight between two points ([3])."""
        return bool(self.is_free(straight(start, end)).all())

    @property
    def area(self) -> float:
        """Square metres on which an agent's centre may stand."""
        return self.lower.area + float((self.upper.free & ~self.well).sum()) * CELL**2

    def places(self, count: int, rng: np.random.Generator, clearance: float) -> Points:
        """[count, 3] random places on either floor, not on the stairs; see NavigationGrid.places."""
        room = np.stack([np.where(g.free & ~self.well, g.clearance, -1.0) for g in (self.lower, self.upper)])
        floors, rows, columns = np.nonzero(room >= min(clearance + RADIUS, float(room.max())))
        chosen = rng.integers(len(rows), size=count)
        points = self.lower.point_of(rows[chosen], columns[chosen])
        points[:, 1] = floors[chosen] * self.stairs.rise
        return points

    @cached_property
    def numbers(self) -> NDArray[np.int64]:
        """[2, rows, columns] the number of a free cell among all; -1 elsewhere. Cells of the well have one number."""
        numbers = np.full((2, *self.lower.shape), -1, dtype=np.int64)
        count = int(self.lower.free.sum())
        numbers[0][self.lower.free] = np.arange(count)
        own = self.upper.free & ~self.well
        numbers[1][own] = count + np.arange(own.sum())
        shared = self.upper.free & self.well
        numbers[1][shared] = numbers[0][shared]
        return numbers

    @cached_property
    def graph(self) -> csr_array:
        """Sparse matrix of move lengths in metres, along the slope on the stairs."""
        height = np.zeros(int(self.numbers.max()) + 1)
        height[self.numbers[0][self.well & self.lower.free]] = self.rise[self.well & self.lower.free]
        inside = np.zeros(len(height), dtype=bool)
        inside[self.numbers[0][self.well & self.lower.free]] = True
        parts = []
        for floor, grid in enumerate((self.lower, self.upper)):
            starts, ends, lengths = grid.edges(self.numbers[floor])
            # The well's own moves are in both grids and count once.
            kept = np.ones(len(starts), dtype=bool) if floor == 0 else ~(inside[starts] & inside[ends])
            slope = np.where(inside[starts] & inside[ends], height[ends] - height[starts], 0.0)
            parts.append((starts[kept], ends[kept], np.hypot(lengths, slope)[kept]))
        starts, ends, lengths = (np.concatenate([part[i] for part in parts]) for i in range(3))
        return csr_array((lengths, (starts, ends)), shape=(len(height), len(height)))

    def nearest_free(self, point: Points) -> tuple[int, int, int]:
        """Floor (0 or 1), row and column of the free cell that stands for a point ([3])."""
        floor = int(self.is_upper(point[None])[0])
        return floor, *(self.upper if floor else self.lower).nearest_free(point)

    def field(self, goal: Points, reach: float = np.inf) -> DuplexField:
        """Distances to `goal` ([3]; the nearest free cell of its floor stands for it), up to `reach` metres.

        inf everywhere for a goal that is on neither floor.
        """
        from scipy.sparse.csgraph import dijkstra

        start = self.nearest_free(goal)
        lengths = np.full(self.graph.shape[0], np.inf)
        if self.lower.stands_for(start[1:], goal) and abs(goal[1] - self.grounded(goal[None])[0, 1]) <= ABOVE:
            lengths = dijkstra(self.graph, directed=False, indices=int(self.numbers[start]), limit=reach)
        # The number -1 of cells that are not free reads the last entry: inf.
        return DuplexField(self, np.append(lengths, np.inf)[self.numbers])

    def path(self, start: Points, goal: Points) -> Points | None:
        """[n, 3] corners of a shortest path: descent of the field, then pulled straight."""
        if not self.is_free(start[None])[0] or not self.is_free(goal[None])[0]:
            return None
        field, at = self.field(goal), self.nearest_free(start)
        if not np.isfinite(field.metres[at]):
            return None
        floors, rows, columns = descent(field.metres, field.step, at).T
        points = self.lower.point_of(rows, columns)
        points[:, 1] = floors * self.stairs.rise
        return pulled(np.concatenate([start[None], self.grounded(points), goal[None]]), self.is_clear)


class DuplexField(DistanceField):
    """Distances to one goal over two floors."""

    def __init__(self, grid: DuplexGrid, metres: NDArray[np.float64]) -> None:
        self.grid = grid
        self.metres = metres
        """[2, rows, columns] metres; inf where unreachable."""
        self.floors = GridField(grid.lower, metres[0]), GridField(grid.upper, metres[1])

    def at(self, points: Points) -> Points:
        """See DistanceField."""
        lower, upper = (field.at(points) for field in self.floors)
        metres = np.where(self.grid.is_upper(points), upper, lower)
        return np.where(self.grid.is_free(points), metres, np.inf)

    def step(self, at: tuple[int, int, int]) -> tuple[int, int, int]:
        """The neighbouring cell through which the shortest way leads; in the well it may lie on either floor."""
        floors = (0, 1) if self.grid.well[at[1:]] else (at[0],)
        found = [(floor, *self.floors[floor].step(at[1:])) for floor in floors]
        return min(found, key=lambda cell: float(self.metres[cell]))
