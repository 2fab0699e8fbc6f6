"""What an agent has seen that it cannot walk through: a plan of the floor made of its depth pictures and odometry."""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray

from tasks.collect.simulator import DistanceField, Points, Simulator
from tasks.collect.walking import Stance, Walker
from tasks.navigate.agents import Observations
from tasks.navigate.detour import detour

CELL = 0.1
"""Metres."""
SIDE = 1000
"""Cells a side of the plan; the walk begins in its middle."""
RADIUS = 2
"""Cells around an obstacle in which the agent's middle cannot be."""
LOWEST, FARTHEST = 0.1, 5.0
"""Metres: what is lower is floor; what is farther waits until it is nearer."""


class Straight(DistanceField):
    """Metres to a place as the crow flies."""

    def __init__(self, place: Points) -> None:
        self.place = place

    def at(self, points: Points) -> Points:
        """See DistanceField."""
        return np.asarray(np.linalg.norm((points - self.place)[:, [0, 2]], axis=1))


class Obstacles:
    """Cells of the floor that are not free, as far as they were seen; the rest counts as free."""

    def __init__(self, height: float) -> None:
        """`height` of the camera above the floor, metres."""
        self.height = height
        self.taken = np.zeros((SIDE, SIDE), dtype=bool)
        self.closed = self.taken
        self.origin: NDArray[np.float64] | None = None

    def see(self, observations: Observations) -> None:
        """Enter what a view shows between the floor and the top of the camera."""
        pose = np.asarray(observations["camera"]["pose"], dtype=float)
        intrinsics = np.asarray(observations["camera"]["intrinsics"], dtype=float)
        depth = observations["depth"][..., 0]
        if self.origin is None:
            self.origin = pose[:3, 3] - CELL * SIDE / 2
        y, x = np.indices(depth.shape) + 0.5
        rays = np.linalg.solve(intrinsics, np.stack([x.ravel(), y.ravel(), np.ones(depth.size)]))
        points = (pose[:3, :3] @ (rays * depth.ravel())).T + pose[:3, 3]
        above = points[:, 1] - (pose[1, 3] - self.height)
        solid = (depth.ravel() > 0) & (depth.ravel() < FARTHEST) & (above > LOWEST) & (above < self.height)
        self.enter(points[solid])

    def enter(self, points: Points) -> None:
        """Something stands at these places ([n, 3], world)."""
        rows, columns = self.cells(points)
        self.taken[rows, columns] = True

    def cells(self, points: Points) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows and columns of places; those beyond the plan count as its edge."""
        assert self.origin is not None
        at = np.clip(((points - self.origin)[:, [0, 2]] / CELL).astype(int), 0, SIDE - 1)
        return at[:, 0], at[:, 1]

    def way(self, stance: Stance, place: Points, step: float, turn: float) -> list[int] | None:
        """Turns (positive: left) before each of the steps that lead nearer to a place; None where none are found."""
        from scipy.ndimage import binary_dilation, generate_binary_structure, iterate_structure

        disc = iterate_structure(generate_binary_structure(2, 1), RADIUS)
        self.closed = binary_dilation(self.taken, disc)
        # The search asks no more of a simulator than whether a step is clear.
        walker = Walker(cast(Simulator, self), stance, step, turn, 10**6)
        return detour(walker, Straight(place))

    def is_clear(self, start: Points, end: Points) -> bool:
        """Whether a step goes through; from a place that is itself too near to something, whether it leads out."""
        shut = self.closed[self.cells(np.stack([start, (start + end) / 2, end]))]
        return not bool(shut[2] or (shut[1] and not shut[0]))

    def grounded(self, points: Points) -> Points:
        """Points as they are: one floor."""
        return points
