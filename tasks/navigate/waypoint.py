"""The agent that follows a map of the next waypoint: turns to where it lies, walks there, looks again.

There is no sign for the end in what a network is taught, and what lies near says little: of a body that stands nearer
than the camera is high the feet are below the picture, and its lowest point in view may be as high in the picture as
the feet of one at three times the distance. So the last stretch is walked without looking, by odometry, and who then
finds no farther waypoint, wherever it turns, is at the goal.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tasks.collect.walking import Stance
from tasks.navigate.agents import Move, Observations, moves
from tasks.navigate.guides import Guide, Sign
from tasks.navigate.obstacles import CELL, FARTHEST, Obstacles

NEAR = 1.25
"""Distance from which on a waypoint is walked to without looking again, in heights of the camera above the floor."""
STRETCHES = 4
"""Such walks one after another before the way counts as walked, each held for shorter than the one before: at a corner
the next waypoint is farther; at the goal they lead to and fro."""
ASIDE = 3
"""Turns before a step where no way round is known."""

SIDES: tuple[Move, Move, Move] = ("turn_left", "turn_right", "turn_left")
"""By the network's class of the first turn; around = to the left."""
BACK: dict[Move, Move] = {"turn_left": "turn_right", "turn_right": "turn_left"}


class WaypointAgent:
    """Knows its own pose, as a robot's odometry tells it, and no map."""

    def __init__(self, guide: Guide, turn: float, step: float, height: float) -> None:
        """`turn` of one action in radians, `step` of one in metres, `height` of the camera above the floor, metres."""
        self.guide, self.turn, self.step, self.height = guide, turn, step, height
        self.reset()

    def reset(self) -> None:
        """See Agent."""
        self.guide.reset()
        self.obstacles = Obstacles(self.height)
        self.ahead: list[Move] = []
        self.side: Move | None = None
        self.spun = 0.0
        self.stretches = 0
        self.last: Move = "stop"
        self.stood: NDArray[np.float64] | None = None
        self.goal: NDArray[np.float64] | None = None

    def act(self, observations: Observations) -> Move:
        """See Agent."""
        self.guide.see(observations)
        self.obstacles.see(observations)
        pose = np.asarray(observations["camera"]["pose"], dtype=float)
        place = pose[:3, 3]
        if self.last == "move_forward" and self.stood is not None and np.allclose(place, self.stood, rtol=0, atol=1e-6):
            self.ahead = self.round_about(Stance(place, float(np.arctan2(-pose[0, 2], -pose[2, 2]))))
        self.stood = place
        self.last = self.ahead.pop(0) if self.ahead else self.chosen(self.guide.read(), observations)
        return self.last

    def round_about(self, stance: Stance) -> list[Move]:
        """The moves round what it has walked against, by what it has seen on its way: a metre nearer to the waypoint.

        Where no way is known: a step aside.
        """
        onwards = np.array([-np.sin(stance.heading), 0.0, -np.cos(stance.heading)])
        self.obstacles.enter((stance.position + (self.step + CELL) * onwards)[None])
        way = None if self.goal is None else self.obstacles.way(stance, self.goal, self.step, self.turn)
        return [move for turns in way or [ASIDE] for move in moves(turns)]

    def chosen(self, sign: Sign, observations: Observations) -> Move:
        """The action that the waypoint asks for."""
        if sign.none > 0.5:
            return self.searching(sign)
        self.side, self.spun = None, 0.0
        bearing, metres = spot(sign.goal, observations, self.height)
        self.goal = ahead_of(observations, bearing, min(metres, FARTHEST))
        if abs(bearing) > self.turn / 2:
            side: Move = "turn_right" if bearing > 0 else "turn_left"
            # Between two headings a map of few cells may point to and fro.
            if self.last != BACK[side]:
                return side
        if metres <= NEAR * self.height:
            return self.closing(metres)
        self.stretches = 0
        return "move_forward"

    def closing(self, metres: float) -> Move:
        """Walk to what is near without looking."""
        self.stretches += 1
        if self.stretches > STRETCHES:
            return "stop"
        steps = max(1, round(metres / self.stretches / self.step))
        self.ahead = ["move_forward"] * (steps - 1)
        return "move_forward"

    def searching(self, sign: Sign) -> Move:
        """No waypoint is in view: turn on to the side that was named first; all the way round without one, stop."""
        self.side = self.side or SIDES[int(np.argmax(sign.turn))]
        self.spun += self.turn
        return "stop" if self.spun > 2 * np.pi + self.turn / 2 else self.side


def spot(goal: NDArray[np.float32], observations: Observations, height: float) -> tuple[float, float]:
    """Bearing (radians, right is positive) and metres on the ground of the likeliest cell of a map [G, G].

    A waypoint's target is the lowest point in view of a body that stands there: it lies no farther along its ray than
    the floor, nor than the surfaces around: the farthest of them, for what hides its feet is nearer.
    """
    rows, columns = goal.shape
    row, column = divmod(int(np.argmax(goal)), columns)
    depth = observations["depth"][..., 0]
    x, y = (column + 0.5) / columns * depth.shape[1], (row + 0.5) / rows * depth.shape[0]
    camera = observations["camera"]
    pose = np.asarray(camera["pose"], dtype=float)
    ray = pose[:3, :3] @ np.linalg.solve(np.asarray(camera["intrinsics"], dtype=float), np.array([x, y, 1.0]))
    tall, wide = depth.shape[0] / rows, depth.shape[1] / columns
    top, left = max(round((row - 1) * tall), 0), max(round((column - 1) * wide), 0)
    surface = float(depth[top : round((row + 2) * tall), left : round((column + 2) * wide)].max())
    reach = [surface] if surface > 0 else []
    if ray[1] < 0:
        reach.append(-height / ray[1])
    forward = pose[:3, 2] * [1.0, 0.0, 1.0]
    sideways, onwards = float(ray @ pose[:3, 0]), float(ray @ forward / np.linalg.norm(forward))
    metres = min(reach) * float(np.hypot(sideways, onwards)) if reach else np.inf
    return float(np.arctan2(sideways, onwards)), metres


def ahead_of(observations: Observations, bearing: float, metres: float) -> NDArray[np.float64]:
    """[3] the place that lies there from the camera, at its height."""
    pose = np.asarray(observations["camera"]["pose"], dtype=float)
    heading = np.arctan2(-pose[0, 2], -pose[2, 2]) - bearing
    return np.asarray(pose[:3, 3] + metres * np.array([-np.sin(heading), 0.0, -np.cos(heading)]))
