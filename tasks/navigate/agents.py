"""Agents: observations in, actions out. The oracle knows the way; chance is the floor of every comparison."""

from __future__ import annotations

from typing import Any, Literal, Protocol

import numpy as np

from tasks.navigate.detour import detour

Move = Literal["stop", "move_forward", "turn_left", "turn_right"]
Observations = dict[str, Any]
"""Of one step: `rgb` [H, W, 3] uint8, `depth` [H, W, 1] metres, `instruction` {"text": ...}, `camera` {"pose": [4, 4]
camera-to-world (OpenCV), "intrinsics": [3, 3]}."""

TURN_PRICE = 0.002
"""Metres that a turn is worth to the oracle: SPL counts metres alone, so it keeps close to the shortest way."""


class Agent(Protocol):
    """What can be put into an environment; habitat-lab's own `Agent`s fit, too."""

    def reset(self) -> None:
        """A new episode begins."""

    def act(self, observations: Observations) -> Move:
        """The next action."""


class OracleAgent:
    """Follows the shortest way to within a step of the goal: it looks at the map, not at pictures."""

    def __init__(self, env: Any) -> None:
        self.env = env
        self.plan: list[Move] = []

    def reset(self) -> None:
        """See Agent."""
        self.plan = []

    def act(self, observations: Observations) -> Move:
        """See Agent. Turns towards the step that gains most, takes it, and looks again."""
        if not self.plan:
            self.plan = self.next_moves()
        return self.plan.pop(0)

    def next_moves(self) -> list[Move]:
        """The turns before the next step, and the step; `stop` where none brings it nearer."""
        simulator = self.env.sim
        goals = [simulator.distances_to(goal.position) for goal in self.env.current_episode.goals]
        here = simulator.stance.position[None]
        field = min(goals, key=lambda field: float(field.at(here)[0]))
        walker = simulator.walker()
        if float(field.at(here)[0]) <= walker.step:
            return ["stop"]
        turns = walker.best_turn(field, TURN_PRICE)
        way = detour(walker, field) if turns is None else [turns]
        return ["stop"] if way is None else [move for turn in way for move in moves(turn)]


def moves(turns: int) -> list[Move]:
    """Turns on the spot (positive: left), then a step."""
    side: Move = "turn_left" if turns > 0 else "turn_right"
    return [*[side] * abs(turns), "move_forward"]


class RandomAgent:
    """Walks by chance: one action in sixty is `stop`."""

    def __init__(self, seed: int = 0) -> None:
        self.random = np.random.default_rng(seed)

    def reset(self) -> None:
        """See Agent."""

    def act(self, observations: Observations) -> Move:
        """See Agent."""
        moves: list[Move] = ["move_forward", "turn_left", "turn_right", "stop"]
        return moves[int(self.random.choice(4, p=[0.6, 0.19, 0.19, 0.02]))]


class StillAgent:
    """Stops where it starts: what an episode's shortness alone is worth."""

    def reset(self) -> None:
        """See Agent."""

    def act(self, observations: Observations) -> Move:
        """See Agent."""
        return "stop"
