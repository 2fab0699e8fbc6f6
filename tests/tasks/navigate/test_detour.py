"""A follower that is stuck finds the steps that lead round."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from tasks.collect.embedded.simulator import EmbeddedSimulator
from tasks.collect.simulator import DistanceField
from tasks.collect.walking import Stance, Walker
from tasks.navigate.detour import SPAN, detour


@pytest.fixture(scope="module")
def simulator() -> Iterator[EmbeddedSimulator]:
    simulator = EmbeddedSimulator((4, 8))
    simulator.load("b12")
    yield simulator
    simulator.close()


def stuck(simulator: EmbeddedSimulator) -> list[tuple[Walker, DistanceField]]:
    """Walkers of long steps at places where none of their steps brings them nearer."""
    rng, found = np.random.default_rng(0), []
    for _ in range(40):
        field = simulator.distances_to(simulator.navigable_points(1, rng)[0])
        for place in simulator.navigable_points(40, rng):
            walker = Walker(simulator, Stance(place, 0.0), 0.35, np.radians(30), 1000)
            if field.at(place[None])[0] > 3 and walker.best_turn(field) is None:
                found.append((walker, field))
    return found


def test_the_way_round_is_walkable_and_gains(simulator: EmbeddedSimulator) -> None:
    """Most who are stuck get out; some stand where steps of this length lead nowhere."""
    walkers = stuck(simulator)
    ways = [(walker, field, detour(walker, field)) for walker, field in walkers]
    assert len(walkers) >= 5 and sum(way is not None for *_, way in ways) >= 0.75 * len(ways)
    for walker, field, way in ways:
        before = float(field.at(walker.stance.position[None])[0])
        for turns in way or ():
            walker.spin(abs(turns), "left" if turns > 0 else "right")
            assert simulator.is_clear(walker.stance.position, walker.ahead(walker.stance.heading))
            walker.act("forward")
        if way:
            assert field.at(walker.stance.position[None])[0] <= before - SPAN * walker.step + 1e-9


def test_where_no_way_leads_there_is_none(simulator: EmbeddedSimulator) -> None:
    start = simulator.navigable_points(1, np.random.default_rng(1))[0]

    class Nowhere(DistanceField):
        def at(self, points: np.ndarray) -> np.ndarray:
            return np.where(np.arange(len(points)) < 0, 0.0, np.inf) if len(points) > 1 else np.array([9.0])

    assert detour(Walker(simulator, Stance(start, 0.0), 0.25, np.pi / 6, 1000), Nowhere()) is None
