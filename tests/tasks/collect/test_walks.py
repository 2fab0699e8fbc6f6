"""Walks of every stratum: legal actions, no walls crossed, and each walked in its own manner."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from tasks.collect.embedded.simulator import EmbeddedSimulator
from tasks.collect.simulator import SceneGraph
from tasks.collect.spec import Stratum
from tasks.collect.strata import PLANNERS, Manner, Walk
from tasks.collect.walking import Stance, Walker

STEPS = 32


def walks(simulator: EmbeddedSimulator, stratum: Stratum, count: int, turn: float = 30.0) -> list[Walk]:
    """Some walks of a stratum, as chance plans them."""
    found: list[Walk] = []
    for seed in range(40 * count):
        rng = np.random.default_rng(seed)
        goal = simulator.navigable_points(1, rng)[0] if stratum is Stratum.HARD else None
        walk = PLANNERS[stratum](simulator, Manner(STEPS, 0.25, np.radians(turn), goal), rng)
        if walk is not None:
            found.append(walk)
        if len(found) == count:
            return found
    raise AssertionError(f"only {len(found)} walks of {stratum} in {40 * count} seeds")


def crosses(a: np.ndarray, b: np.ndarray, wall: tuple[float, float, float, float]) -> bool:
    """Whether the straight step a-b ([3] each) cuts a wall's middle line."""

    def side(p: np.ndarray, q: np.ndarray, r: np.ndarray) -> float:
        return float((q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0]))

    p, q, r, s = a[[0, 2]], b[[0, 2]], np.array(wall[:2]), np.array(wall[2:])
    return side(p, q, r) * side(p, q, s) < 0 and side(r, s, p) * side(r, s, q) < 0


@pytest.mark.parametrize("stratum", list(Stratum))
@pytest.mark.parametrize("turn", [22.5, 30.0])
def test_walks_are_legal_and_pass_no_wall(simulator: EmbeddedSimulator, stratum: Stratum, turn: float) -> None:
    graph: SceneGraph = simulator.graph
    for walk in walks(simulator, stratum, 4, turn):
        assert 2 <= len(walk.track) <= STEPS
        assert [action for _, action in walk.track].index("stop") == len(walk.track) - 1
        for (a, action), (b, _) in pairwise(walk.track):
            change = b.position - a.position
            if action == "forward":
                assert b.heading == a.heading and np.isclose(np.linalg.norm(change), 0.25)
                assert np.allclose(change, 0.25 * np.array([-np.sin(a.heading), 0, -np.cos(a.heading)]))
                assert not any(crosses(a.position, b.position, wall) for wall in graph.walls)
            else:
                assert not change.any()
                assert np.isclose(b.heading - a.heading, np.radians(turn) * (1 if action == "left" else -1))
        assert simulator.grid.is_free(np.stack([stance.position for stance, _ in walk.track])).all()


def test_forward_walks_arrive_by_about_the_shortest_way(simulator: EmbeddedSimulator) -> None:
    for walk in walks(simulator, Stratum.FORWARD, 6):
        places = np.stack([stance.position for stance, _ in walk.track])
        field = simulator.distances_to(walk.goal)
        assert field.at(places[-1:])[0] <= 0.31
        length = np.linalg.norm(np.diff(places, axis=0), axis=1).sum()
        assert length <= 1.2 * field.at(places[:1])[0] + 0.25


def test_look_around_looks_everywhere(simulator: EmbeddedSimulator) -> None:
    """On one spot the walker turns by most of a round (as much as its steps allow)."""
    for walk in walks(simulator, Stratum.LOOK_AROUND, 4):
        here: dict[tuple[float, ...], int] = {}
        for stance, _ in walk.track:
            place = tuple(stance.position.round(6).tolist())
            here[place] = here.get(place, 0) + 1
        assert max(here.values()) >= 12


def test_revisits_and_loops_come_home(simulator: EmbeddedSimulator) -> None:
    for stratum in (Stratum.REVISIT, Stratum.LOOP):
        for walk in walks(simulator, stratum, 4):
            places = np.stack([stance.position for stance, _ in walk.track])
            away = np.linalg.norm(places - places[0], axis=1)
            assert away[-1] <= 0.45 and away.max() >= 0.7


def test_loops_enclose_floor(simulator: EmbeddedSimulator) -> None:
    for walk in walks(simulator, Stratum.LOOP, 4):
        x, _, z = np.stack([stance.position for stance, _ in walk.track]).T
        area = abs(np.dot(x, np.roll(z, 1)) - np.dot(z, np.roll(x, 1))) / 2
        assert area > 0.15


def test_hard_walks_lead_to_the_place(simulator: EmbeddedSimulator) -> None:
    goal = simulator.navigable_points(1, np.random.default_rng(0), 0.2)[0]
    manner = Manner(STEPS, 0.25, np.radians(30), goal)
    found = [PLANNERS[Stratum.HARD](simulator, manner, np.random.default_rng(seed)) for seed in range(10)]
    arrived = [walk for walk in found if walk is not None]
    assert arrived
    assert all(np.linalg.norm(walk.track[-1][0].position - goal) < 0.35 for walk in arrived)


def test_the_same_seed_walks_the_same_way(simulator: EmbeddedSimulator) -> None:
    first, second = (walks(simulator, Stratum.FORWARD, 2) for _ in range(2))
    for a, b in zip(first, second, strict=True):
        assert [action for _, action in a.track] == [action for _, action in b.track]


def test_a_walker_stops_when_its_actions_are_spent(simulator: EmbeddedSimulator) -> None:
    rng = np.random.default_rng(1)
    goal, start = simulator.navigable_points(2, rng, 0.2)
    walker = Walker(simulator, Stance(start, 0.0), 0.25, np.radians(15), 5)
    walker.follow(simulator.distances_to(goal))
    walker.spin(50, "left")
    assert len(walker.finish()) == 5
