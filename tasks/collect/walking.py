"""An agent that walks like habitat's: one step forward or one turn on the spot at a time, down a distance field."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from tasks.collect.camera import forward_of
from tasks.collect.simulator import DistanceField, Points, Simulator

Action = Literal["forward", "left", "right", "stop"]

TURN_PRICE = 0.03
"""Metres that one turn is worth: below it the walker rather goes a little askew than turn."""
LEAST_GAIN = 0.05
"""Metres that a step must bring the walker nearer; else it has arrived as near as its steps allow."""


@dataclass(frozen=True)
class Stance:
    """Where an agent stands and looks."""

    position: Points
    """[3] metres, on the floor."""
    heading: float
    """Radians; 0 looks along -z, positive is to the left."""


@dataclass
class Walker:
    """Takes at most `most` - 1 actions; `track` holds each stance with the action taken from it."""

    simulator: Simulator
    stance: Stance
    step: float
    """Metres forward."""
    turn: float
    """Radians a turn."""
    most: int
    """Frames of the walk, the last one included."""
    track: list[tuple[Stance, Action]] = field(default_factory=list)

    @property
    def left(self) -> int:
        """Actions that may still be taken before the final `stop`."""
        return self.most - 1 - len(self.track)

    def act(self, action: Action) -> None:
        """Take one action; the caller made sure that forward is clear."""
        self.track.append((self.stance, action))
        position, heading = self.stance.position, self.stance.heading
        if action == "forward":
            self.stance = Stance(self.ahead(heading), heading)
        else:
            self.stance = Stance(position, heading + (self.turn if action == "left" else -self.turn))

    def ahead(self, heading: float) -> Points:
        """[3] where a step with this heading leads."""
        x, z = self.step * forward_of(heading)
        return self.simulator.grounded((self.stance.position + np.array([x, 0.0, z]))[None])[0]

    def spin(self, turns: int, action: Literal["left", "right"]) -> None:
        """Turn on the spot a number of times, as far as actions are left."""
        for _ in range(min(turns, self.left)):
            self.act(action)

    def follow(self, field: DistanceField, most: int | None = None, until: float = 0.0) -> bool:
        """Walk down a field with at most `most` actions, or until less than `until` metres are left.

        Returns whether the goal was reached within one step's length.
        """
        budget = self.left if most is None else min(most, self.left)
        end = len(self.track) + budget
        while len(self.track) < end:
            if until and field.at(self.stance.position[None])[0] < until:
                break
            turns = self.best_turn(field)
            if turns is None:
                break
            for _ in range(min(abs(turns), end - len(self.track))):
                self.act("left" if turns > 0 else "right")
            if len(self.track) < end:
                self.act("forward")
        return bool(field.at(self.stance.position[None])[0] <= self.step + 0.05)

    def best_turn(self, field: DistanceField, turn_price: float = TURN_PRICE) -> int | None:
        """Turns (positive: left) before the step that gains most; None when no step gains enough."""
        around = round(np.pi / self.turn)
        turns = np.array(sorted(range(-around + 1, around + 1), key=abs))
        places = np.stack([self.ahead(self.stance.heading + t * self.turn) for t in turns])
        lengths = field.at(places)
        now = field.at(self.stance.position[None])[0]
        price = np.where(lengths <= now - LEAST_GAIN, lengths + turn_price * np.abs(turns), np.inf)
        for i in np.argsort(price, kind="stable"):
            if not np.isfinite(price[i]):
                return None
            if self.simulator.is_clear(self.stance.position, places[i]):
                return int(turns[i])
        return None

    def turn_away(self, field: DistanceField, angle: float) -> None:
        """Before the first action: look `angle` radians away from where the way to the goal leads."""
        ahead = (self.best_turn(field) or 0) * self.turn
        self.stance = Stance(self.stance.position, self.stance.heading + ahead + angle)

    def face(self, heading: float) -> None:
        """Turn towards a heading as near as turns and the actions left allow."""
        error = (heading - self.stance.heading + np.pi) % (2 * np.pi) - np.pi
        self.spin(round(abs(error) / self.turn), "left" if error > 0 else "right")

    def finish(self) -> list[tuple[Stance, Action]]:
        """The whole track, ended by `stop`."""
        return [*self.track, (self.stance, "stop")]
