"""Distances and paths on the grid against geometry that can be worked out by hand."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.collect.embedded.floors import grid_of_plan
from tasks.collect.embedded.navigation import MOVES, RADIUS, NavigationGrid
from tasks.collect.embedded.rooms import FloorPlan, Opening, Rect, RoomPlan


def hall(*obstacles: Rect) -> NavigationGrid:
    """One room of 8 x 6 m around the origin."""
    plan = FloorPlan((RoomPlan("living room", Rect(-4, -3, 4, 3)),), (), (), None, 2.6)
    return grid_of_plan(plan, obstacles)


def two_rooms(leaf: bool) -> NavigationGrid:
    """Two rooms of 4 x 4 m side by side, with or without a door of a metre between them at z = 0."""
    rooms = (RoomPlan("bedroom", Rect(-4, -2, 0, 2)), RoomPlan("kitchen", Rect(0, -2, 4, 2)))
    doors = (Opening("z", 0.0, -0.5, 0.5, 0.0, 2.0, (0, 1)),) if leaf else ()
    return grid_of_plan(FloorPlan(rooms, doors, (), None, 2.6), ())


def point(x: float, z: float) -> np.ndarray:
    return np.array([x, 0.0, z])


inside = st.tuples(st.floats(-3.6, 3.6), st.floats(-2.6, 2.6))
EMPTY = hall()


@settings(max_examples=15, deadline=None)
@given(inside, inside)
def test_in_the_open_the_way_is_the_straight_line(a: tuple[float, float], b: tuple[float, float]) -> None:
    start, goal = point(*a), point(*b)
    straight = float(np.linalg.norm(goal - start))
    walked = float(EMPTY.field(goal).at(start[None])[0])
    # Moves up to three cells are at most 1.4 % longer than a straight line; the goal is rounded to its cell.
    assert straight - 0.08 <= walked <= 1.014 * straight + 0.12
    path = EMPTY.path(start, goal)
    assert path is not None and np.allclose(path[0], start) and np.allclose(path[-1], goal)
    assert np.linalg.norm(np.diff(path, axis=0), axis=1).sum() <= straight + 0.05


def test_around_a_wall_the_way_touches_its_corner() -> None:
    wall = Rect(-0.1, -3.0, 0.1, 1.0)
    grid = hall(wall)
    start, goal = point(-1.5, -1.0), point(1.5, -1.0)
    corners = [start, point(-0.1, 1.0 + RADIUS), point(0.1, 1.0 + RADIUS), goal]
    around = sum(float(np.linalg.norm(b - a)) for a, b in pairwise(corners))
    walked = float(grid.field(goal).at(start[None])[0])
    assert around - 0.15 <= walked <= 1.03 * around + 0.15
    path = grid.path(start, goal)
    assert path is not None and len(path) >= 3
    assert all(grid.is_clear(a, b) for a, b in pairwise(path))
    assert float(np.linalg.norm(np.diff(path, axis=0), axis=1).sum()) <= 1.03 * around + 0.1


def test_a_straight_walk_through_a_wall_is_not_clear() -> None:
    grid = hall(Rect(-0.02, -3.0, 0.02, 1.0))
    assert not grid.is_clear(point(-1, 0), point(1, 0))
    assert not grid.is_clear(point(-0.5, 1.1), point(0.5, 1.1))
    assert grid.is_clear(point(-1, 1.5), point(1, 1.5))


def test_doors_connect_and_walls_do_not() -> None:
    open_, closed = two_rooms(True), two_rooms(False)
    start, goal = point(-2, 1), point(2, 1)
    assert open_.path(start, goal) is not None
    assert float(open_.field(goal).at(start[None])[0]) > 4.0
    assert closed.path(start, goal) is None
    assert closed.free.sum() * 0.05**2 == pytest.approx((4 - 0.12 - 2 * RADIUS) ** 2, rel=0.05)


@settings(max_examples=20, deadline=None)
@given(inside)
def test_nobody_stands_nearer_than_the_radius(a: tuple[float, float]) -> None:
    table = Rect(-0.5, -0.4, 0.6, 0.5)
    grid, p = hall(table), np.array(a)
    gap = np.hypot(*np.maximum(np.maximum(np.array([table.x0, table.z0]) - p, p - np.array([table.x1, table.z1])), 0))
    standing = bool(grid.is_free(point(*a)[None])[0])
    if gap < RADIUS - 0.06:
        assert not standing
    if gap > RADIUS + 0.06:
        assert standing


def test_beyond_reach_nothing_is_known() -> None:
    metres = EMPTY.field(point(-3, 0), reach=2.0).at(np.stack([point(-2, 0), point(2, 0), point(9, 9)]))
    assert metres[0] == pytest.approx(1.0, abs=0.06) and np.isinf(metres[1:]).all()


def test_moves_cover_half_of_the_directions_once() -> None:
    directions = {np.arctan2(dz, dx) for dz, dx in MOVES}
    assert len(MOVES) == 16 == len(directions)
    assert not {(-dz, -dx) for dz, dx in MOVES} & set(MOVES)


def test_a_goal_beside_the_floor_is_walked_to_and_one_far_from_it_is_not() -> None:
    starts = np.stack([point(0, 0), point(3, 2)])
    rim = EMPTY.field(point(3.8, 0)).at(starts)
    assert np.isfinite(rim).all() and np.allclose(EMPTY.field(point(4.2, 0)).at(starts), rim, atol=0.02)
    for lost in (point(6, 0), point(40, -40), np.array([0.0, 2.9, 0.0])):
        assert np.isinf(EMPTY.field(lost).at(starts)).all()
