"""Where to go next, seen from here: a network's map of the next waypoint, or the true one as its upper bound."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tasks.navigate.agents import Observations
from tasks.navigate.warping import SPACING, spaced

if TYPE_CHECKING:
    from model.predict import Predictor

TRUE_CELLS = 16
"""Cells a side of the true map."""


@dataclass(frozen=True)
class Sign:
    """One answer: as `Predictor.answer` gives it for an item."""

    goal: NDArray[np.float32]
    """[G, G] together with `none` a distribution of the next waypoint."""
    none: float
    turn: NDArray[np.float32]
    """[3] left, right, around, for a waypoint out of view."""


class Guide(Protocol):
    """What an agent asks for the way."""

    def reset(self) -> None:
        """A new episode begins."""

    def see(self, observations: Observations) -> None:
        """What was seen at this step; told at every one."""

    def read(self) -> Sign:
        """The waypoint in what was seen last."""


class NetworkGuide:
    """A trained network: its keyframes are spread evenly over the walk so far, as when it is evaluated."""

    def __init__(self, predictor: Predictor) -> None:
        self.predictor = predictor
        self.seen: list[Observations] = []

    def reset(self) -> None:
        """See Guide."""
        self.seen = []

    def see(self, observations: Observations) -> None:
        """See Guide."""
        self.seen.append(observations)

    def read(self) -> Sign:
        """See Guide. The first view, which nothing precedes, is its own keyframe."""
        from model.data.views import evenly

        past = len(self.seen) - 1
        rows = [*(evenly(past, self.predictor.config.keyframes).tolist() if past else [0]), past]
        views = [self.seen[row] for row in rows]
        said = self.predictor.answer(
            rgb=np.stack([view["rgb"] for view in views])[None],
            depth=np.stack([view["depth"][..., 0] for view in views])[None],
            pose=np.stack([view["camera"]["pose"] for view in views])[None],
            intrinsics=np.stack([view["camera"]["intrinsics"] for view in views])[None],
            instruction=[self.seen[-1]["instruction"]["text"]],
        )
        return Sign(said["goal"][0], float(said["goal_none"][0]), said["turn"][0])


class TrueGuide:
    """The target that a network is trained on, of the shortest way from here: it looks at the simulator's map."""

    def __init__(self, env: Any, height: float) -> None:
        """`height` of the camera above the floor, metres."""
        self.env, self.height = env, height
        self.reset()

    def reset(self) -> None:
        """See Guide."""
        self.seen: Observations = {}
        self.corners: list[NDArray[np.float64]] = []

    def see(self, observations: Observations) -> None:
        """See Guide."""
        self.seen = observations

    def read(self) -> Sign:
        """See Guide. At the end of the way, where the target says nothing, no waypoint is in view.

        A walk that is recorded goes on by whole steps, so what is nearer than one is the end.
        """
        import torch

        from model.labels.goals import FuturePath, path_goal

        way = self.way()
        left = np.linalg.norm(np.diff(way, axis=0), axis=1).sum()
        points = torch.from_numpy(way[1:])[None].float()
        ahead = FuturePath(points, torch.full(points.shape[:2], bool(left >= SPACING)), torch.tensor([self.height]))
        camera = self.seen["camera"]
        depth, pose, intrinsics = (
            torch.from_numpy(np.asarray(part, dtype=np.float32))[None]
            for part in (self.seen["depth"][..., 0], camera["pose"], camera["intrinsics"])
        )
        target = path_goal(ahead, depth, pose, intrinsics, TRUE_CELLS)
        cells = target.goal[0, :-1].reshape(TRUE_CELLS, TRUE_CELLS).numpy()
        turn = np.zeros(3, dtype=np.float32)
        turn[max(int(target.turn[0]), 0)] = 1.0
        return Sign(cells, float(target.goal[0, -1]), turn)

    def way(self) -> NDArray[np.float64]:
        """[n, 3] points on the floor from here to the nearest goal, a step apart."""
        simulator = self.env.sim
        here, clear = np.asarray(simulator.stance.position, dtype=float), simulator.own.is_clear
        # A search takes long; what is left of the last way is the shortest while its corners can be seen.
        while len(self.corners) > 1 and clear(here, self.corners[1]):
            self.corners.pop(0)
        if not self.corners or not clear(here, self.corners[0]):
            self.corners = self.searched(here)
        return spaced(np.stack([here, *self.corners]))

    def searched(self, here: NDArray[np.float64]) -> list[NDArray[np.float64]]:
        """Corners of the shortest way from here, the goal last."""
        simulator = self.env.sim
        goals = [np.asarray(goal.position, dtype=float) for goal in self.env.current_episode.goals]
        nearest = min(goals, key=lambda goal: float(simulator.geodesic_distance(here, goal)))
        corners = simulator.get_straight_shortest_path_points(here, nearest)
        return [*(np.asarray(corner, dtype=float) for corner in corners[1:-1]), nearest]
