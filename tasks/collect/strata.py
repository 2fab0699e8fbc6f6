"""How the strata are walked. Each function plans one walk, or None where chance found none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tasks.collect.simulator import DistanceField, Points, Simulator
from tasks.collect.spec import Stratum
from tasks.collect.walking import Action, Stance, Walker

OPEN_FLOOR = 0.15
"""Walks begin and end with this much free floor around the agent, metres."""
DRAWS = 60
"""Standing points that are drawn to find some at a wanted distance."""
FIRST_TURN = (np.radians(60), np.radians(180))
"""A forward walk begins this far away from its way: what lies behind the walker is seen, too."""
CANDIDATES = 3
"""Starts that a forward walk tries."""


@dataclass(frozen=True)
class Manner:
    """What a walk is allowed."""

    steps: int
    """Most frames."""
    step: float
    """Metres forward."""
    turn: float
    """Radians a turn."""
    goal: Points | None = None
    """`hard`: [3] where the walk shall lead."""

    @property
    def reach(self) -> float:
        """Metres that `steps` steps forward cover."""
        return self.steps * self.step


@dataclass(frozen=True)
class Walk:
    """A planned walk."""

    track: tuple[tuple[Stance, Action], ...]
    goal: Points
    """[3] where it should end."""


Planner = Callable[[Simulator, Manner, np.random.Generator], Walk | None]


def walker_at(simulator: Simulator, manner: Manner, start: Points, rng: np.random.Generator) -> Walker:
    """A walker that looks anywhere, as episodes in the field begin."""
    stance = Stance(start, float(rng.uniform(-np.pi, np.pi)))
    return Walker(simulator, stance, manner.step, manner.turn, manner.steps)


def forward(simulator: Simulator, manner: Manner, rng: np.random.Generator) -> Walk | None:
    """From somewhere to somewhere else by the shortest way; of some starts the one whose way winds most."""
    goal = simulator.navigable_points(1, rng, OPEN_FLOOR)[0] if manner.goal is None else manner.goal
    field = simulator.distances_to(goal, manner.reach)
    for nearest in (0.4, 0.25):
        starts = places_between(simulator, field, nearest * manner.reach, 0.66 * manner.reach, rng)
        if len(starts):
            break
    else:
        return None
    detour = field.at(starts) / np.maximum(np.linalg.norm(starts - goal, axis=1), 0.1)
    best: tuple[float, Walk | None] = (-1.0, None)
    for i in np.argsort(-detour)[:CANDIDATES]:
        walker = walker_at(simulator, manner, starts[i], rng)
        walker.turn_away(field, float(rng.choice([-1, 1]) * rng.uniform(*FIRST_TURN)))
        if walker.follow(field) and (score := winding(walker)) > best[0]:
            best = (score, Walk(tuple(walker.finish()), goal))
    return best[1]


def winding(walker: Walker) -> float:
    """Share of pairs of frames that look in quite different directions (more than 75 degrees apart)."""
    headings = np.array([stance.heading for stance, _ in walker.track])
    apart = headings[:, None] - headings[None]
    return float((np.cos(apart) < np.cos(np.radians(75))).mean())


def places_between(
    simulator: Simulator, field: DistanceField, nearest: float, farthest: float, rng: np.random.Generator
) -> Points:
    """[n, 3] some standing points whose way to the field's goal is between two lengths in metres; n may be 0."""
    points = simulator.navigable_points(DRAWS, rng, OPEN_FLOOR)
    metres = field.at(points)
    return points[(metres >= nearest) & (metres <= farthest)]


def look_around(simulator: Simulator, manner: Manner, rng: np.random.Generator) -> Walk | None:
    """A short walk that stops on the way to turn once around on the spot."""
    goal = simulator.navigable_points(1, rng, OPEN_FLOOR)[0]
    field = simulator.distances_to(goal, manner.reach)
    starts = places_between(simulator, field, 0.15 * manner.reach, 0.4 * manner.reach, rng)
    if not len(starts):
        return None
    walker = walker_at(simulator, manner, starts[0], rng)
    around = min(round(2 * np.pi / manner.turn), int(0.6 * manner.steps))
    before = int(rng.integers(2, max(3, (manner.steps - around) * 2 // 3)))
    walker.follow(field, before)
    walker.spin(around, "left" if rng.random() < 0.5 else "right")
    walker.follow(field)
    return Walk(tuple(walker.finish()), walker.stance.position)


def revisit(simulator: Simulator, manner: Manner, rng: np.random.Generator) -> Walk | None:
    """Out to a place and back again to where the walk began."""
    start = simulator.navigable_points(1, rng, OPEN_FLOOR)[0]
    home = simulator.distances_to(start, manner.reach)
    away = places_between(simulator, home, 0.16 * manner.reach, 0.3 * manner.reach, rng)
    if not len(away):
        return None
    walker = walker_at(simulator, manner, start, rng)
    first = walker.stance.heading
    if not walker.follow(simulator.distances_to(away[0], manner.reach)) or not walker.follow(home):
        return None
    walker.face(first)
    return Walk(tuple(walker.finish()), start)


def loop(simulator: Simulator, manner: Manner, rng: np.random.Generator) -> Walk | None:
    """Round a triangle of shortest ways and back to the start without turning around."""
    start = simulator.navigable_points(1, rng, OPEN_FLOOR)[0]
    home = simulator.distances_to(start, manner.reach)
    corners = places_between(simulator, home, 0.11 * manner.reach, 0.22 * manner.reach, rng)
    if len(corners) < 2:
        return None
    first, others = corners[0], corners[1:]
    field = simulator.distances_to(first, manner.reach)
    a, b = first - start, others - start
    area = np.abs(a[0] * b[:, 2] - a[2] * b[:, 0]) / 2
    length = home.at(first[None])[0] + field.at(others) + home.at(others)
    area = np.where(length <= 0.72 * manner.reach, area, 0.0)
    second = others[int(np.argmax(area))]
    if area.max() < 0.25:
        return None
    walker = walker_at(simulator, manner, start, rng)
    # A round takes many turns already: it begins in its direction.
    walker.turn_away(field, 0.0)
    if (
        not walker.follow(field)
        or not walker.follow(simulator.distances_to(second, manner.reach))
        or not walker.follow(home)
    ):
        return None
    walker.face(walker.track[0][0].heading)
    return Walk(tuple(walker.finish()), start)


def hard(simulator: Simulator, manner: Manner, rng: np.random.Generator) -> Walk | None:
    """A forward walk that ends where the champion failed."""
    assert manner.goal is not None, "a hard walk leads to a given place"
    return forward(simulator, manner, rng)


PLANNERS: dict[Stratum, Planner] = {
    Stratum.FORWARD: forward,
    Stratum.LOOK_AROUND: look_around,
    Stratum.REVISIT: revisit,
    Stratum.LOOP: loop,
    Stratum.HARD: hard,
}
