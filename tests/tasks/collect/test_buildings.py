"""Procedural buildings: plans that hold together, furniture that stands where it may, ids that mean what they say."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.collect.camera import Camera, camera_pose
from tasks.collect.embedded.building import Building, build
from tasks.collect.embedded.floors import grid_of_plan
from tasks.collect.embedded.plans import LEAST_SIDE, floor_plan
from tasks.collect.embedded.renderer import Renderer
from tasks.collect.embedded.rooms import FloorPlan, shared_edge

SEEDS = range(40, 48)


@pytest.fixture(scope="module")
def buildings() -> list[Building]:
    return [build(seed) for seed in SEEDS]


def plan_of(seed: int, rooms: int) -> FloorPlan:
    return floor_plan(np.random.default_rng(seed), rooms, rooms)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(4, 20))
def test_rooms_tile_without_overlap_and_are_all_reached(seed: int, rooms: int) -> None:
    plan = plan_of(seed, rooms)
    assert len(plan.rooms) == rooms
    cells = [room.cell for room in plan.rooms]
    assert all(min(cell.width, cell.depth) > LEAST_SIDE - 1e-6 for cell in cells)
    assert not any(a.grown(-1e-6).overlaps(b.grown(-1e-6)) for a, b in combinations(cells, 2))
    reached = {0}
    for _ in plan.rooms:
        reached |= {room for door in plan.doors if reached & set(door.rooms) for room in door.rooms}
    assert reached == set(range(rooms))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(4, 12))
def test_doors_lie_between_their_rooms_and_windows_look_outside(seed: int, rooms: int) -> None:
    plan = plan_of(seed, rooms)
    for door in plan.doors:
        edge = shared_edge(plan.rooms[door.rooms[0]].cell, plan.rooms[door.rooms[1]].cell)
        assert edge is not None and edge.axis == door.axis and abs(edge.at - door.at) < 1e-6
        assert edge.low + 0.1 < door.low < door.high < edge.high - 0.1 and door.length >= 0.8
    for window in plan.windows:
        cell = plan.rooms[window.rooms[0]].cell
        inside = sum(cell.centre) - (cell.centre[1] if window.axis == "z" else cell.centre[0])
        x, z = window.middle
        # Two wings may stand 5 cm apart (one plan in some thousands): what lies there is outside, if narrow.
        step = 0.03 * (1 if window.at > inside else -1)
        outside = (x, z + step) if window.axis == "x" else (x + step, z)
        assert not any(r.cell.x0 < outside[0] < r.cell.x1 and r.cell.z0 < outside[1] < r.cell.z1 for r in plan.rooms)


def test_the_same_seed_gives_the_same_building_and_another_another() -> None:
    a, b, c = build(5), build(5), build(6)
    assert a.mesh.interleaved() == b.mesh.interleaved() and (a.mesh.faces == b.mesh.faces).all()
    assert (a.mesh.sheets[0].images == b.mesh.sheets[0].images).all() and a.graph == b.graph
    assert a.mesh.interleaved() != c.mesh.interleaved()


def test_ids_count_from_one_and_every_quad_has_one(buildings: list[Building]) -> None:
    for building in buildings:
        ids = [thing.id for thing in building.graph.objects]
        assert ids == list(range(1, len(ids) + 1))
        assert set(np.unique(building.mesh.ids)) == set(ids)
        assert all(thing.room in {room.id for room in building.graph.rooms} for thing in building.graph.objects)


def test_furniture_stands_in_its_room_and_rooms_have_what_makes_them(buildings: list[Building]) -> None:
    wanted = {"bathroom": "toilet", "living room": "sofa", "kitchen": "stove"}
    for building in buildings:
        rooms = {room.id: room for room in building.graph.rooms}
        for thing in building.graph.objects:
            if thing.category not in ("door", "doorway", "front door", "window"):
                x, _, z = thing.centre
                assert rooms[thing.room].contains(x, z), thing
        for room in building.graph.rooms:
            inside = {thing.category for thing in building.graph.objects if thing.room == room.id}
            assert wanted.get(room.category, "floor") in inside, (room, inside)


def test_furniture_of_different_suites_does_not_overlap(buildings: list[Building]) -> None:
    pushed_together = {"chair", "dining table", "desk", "office chair", "stool", "piano", "rug"}
    for building in buildings:
        standing = [
            thing
            for thing in building.graph.objects
            if thing.centre[1] - thing.size[1] / 2 < 0.05 and thing.category not in pushed_together
            and thing.category not in ("floor", "wall", "ceiling", "door", "doorway", "front door", "window")
        ]  # fmt: skip
        for a, b in combinations(standing, 2):
            close = np.abs(np.array(a.centre) - np.array(b.centre))[[0, 2]]
            reach = [(extent(a)[i] + extent(b)[i]) / 2 for i in (0, 1)]
            assert not (close[0] < reach[0] - 0.02 and close[1] < reach[1] - 0.02), (a, b)


def extent(thing: object) -> tuple[float, float]:
    """Width along x and z of an object whose turn is a multiple of a quarter."""
    w, _, d = thing.size  # type: ignore[attr-defined]
    return (w, d) if abs(np.cos(thing.yaw)) > 0.5 else (d, w)  # type: ignore[attr-defined]


def test_every_room_can_be_walked_into(buildings: list[Building]) -> None:
    for building in buildings:
        grid = grid_of_plan(building.plan, building.obstacles)
        rows, columns = np.nonzero(grid.free)
        points = grid.point_of(rows, columns)
        for room in building.graph.rooms:
            assert any(room.contains(x, z) for x, _, z in points), room


def test_inside_there_are_no_holes_and_pictures_are_where_the_graph_says(buildings: list[Building]) -> None:
    renderer, camera = Renderer(), Camera(96, 96, 90.0)
    hits, looked = 0, 0
    for building in buildings[:4]:
        renderer.show(building.mesh)
        for thing in building.graph.objects:
            if thing.category != "picture":
                continue
            normal = np.array([np.sin(thing.yaw), 0.0, np.cos(thing.yaw)])
            eye = np.array(thing.centre) + 0.3 * normal
            heading = thing.yaw
            seen = renderer.draw(camera_pose(eye, heading, 0.0), camera)
            assert (seen.depth > 0).all() and (seen.semantic > 0).all()
            looked += 1
            hits += bool(seen.semantic[48, 48] == thing.id and abs(seen.depth[48, 48] - 0.3) < 0.03)
    renderer.close()
    assert looked >= 15 and hits == looked


def test_buildings_vary(buildings: list[Building]) -> None:
    many = [build(seed) for seed in range(200, 230)]
    assert len({len(b.graph.rooms) for b in many}) >= 5
    assert len({b.plan.height for b in many}) >= 5
    assert len({thing.category for b in many for thing in b.graph.objects}) >= 45
    for building in many:
        paints = [style.paint for style in building.styles]
        assert len(set(paints)) == len(paints)
