"""Homes on two floors: stairs that can be walked, seen, told, drawn, and exported with the right ids."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from model.draw.plan import scene_plan
from tasks.collect.camera import Camera, camera_pose
from tasks.collect.draw import draw_plan
from tasks.collect.embedded.building import build
from tasks.collect.embedded.duplex_grid import DuplexGrid
from tasks.collect.embedded.export import export
from tasks.collect.embedded.kinds import KINDS
from tasks.collect.embedded.simulator import EmbeddedSimulator
from tasks.collect.instructions import chinese, english
from tasks.collect.route import landmarks, sightings, tell
from tasks.collect.simulator import Points
from tasks.collect.spec import Stratum
from tasks.collect.storeys import floors_of
from tasks.collect.walking import Stance, Walker
from tasks.view.sheet import poses_on

ROOMS = (8, 10)


@pytest.fixture(scope="module")
def home() -> Iterator[EmbeddedSimulator]:
    simulator = EmbeddedSimulator(ROOMS)
    simulator.load("d1")
    yield simulator
    simulator.close()


def grid_of(home: EmbeddedSimulator) -> DuplexGrid:
    assert isinstance(home.grid, DuplexGrid)
    return home.grid


def both_floors(home: EmbeddedSimulator, count: int = 40) -> tuple[Points, Points]:
    """Places on the lower and on the upper floor."""
    places = home.navigable_points(count, np.random.default_rng(0), 0.1)
    upper = grid_of(home).is_upper(places)
    return places[~upper], places[upper]


def walk_between(home: EmbeddedSimulator, start: Points, goal: Points) -> Walker:
    walker = Walker(home, Stance(start, 0.3), 0.25, np.radians(15), 400)
    assert walker.follow(home.distances_to(goal)), "the walk did not arrive"
    return walker


def test_the_same_seed_builds_the_same_two_floors() -> None:
    first, second = (build(1, ROOMS, KINDS["duplexes"]) for _ in range(2))
    assert first.mesh.interleaved() == second.mesh.interleaved() and first.graph == second.graph
    graph = first.graph
    assert [thing.id for thing in graph.objects] == list(range(1, len(graph.objects) + 1))
    assert [room.id for room in graph.rooms] == list(range(len(graph.rooms)))
    heights = sorted({room.floor for room in graph.rooms})
    assert len(heights) == 2 and heights[0] == 0 and 2.7 < heights[1] < 3.4
    assert [room.category for room in graph.rooms].count("staircase") == 2
    for thing in graph.objects:
        floor = graph.rooms[thing.room].floor
        if graph.rooms[thing.room].category != "staircase":
            assert floor - 0.01 <= thing.centre[1] <= floor + 3.0
    assert graph.upper_walls and "upper_walls" in graph.as_json()
    assert "upper_walls" not in build(1, ROOMS).graph.as_json(), "homes on one floor are written as ever"


@pytest.mark.parametrize("seed", [0, 2, 3])
def test_every_room_of_either_floor_is_reached_by_the_stairs(seed: int) -> None:
    building = build(seed, ROOMS, KINDS["duplexes"])
    from tasks.collect.embedded.floors import grid_of as grid

    whole = grid(building)
    assert isinstance(whole, DuplexGrid)
    goal = whole.places(1, np.random.default_rng(seed), 0.1)[0]
    field = whole.field(goal)
    for room in building.graph.rooms:
        xs, zs = np.array(room.polygon).T
        x, z = np.meshgrid(np.arange(xs.min(), xs.max(), 0.1), np.arange(zs.min(), zs.max(), 0.1))
        places = np.stack([x.ravel(), np.full(x.size, room.floor), z.ravel()], axis=1)
        assert np.isfinite(field.at(whole.grounded(places))).any(), f"{room.category} on {room.floor} is cut off"


def test_distances_go_through_the_stairs(home: EmbeddedSimulator) -> None:
    lower, upper = both_floors(home)
    stairs = grid_of(home).stairs
    foot = np.array([stairs.foot, 0.0, stairs.well.centre[1]])
    head = np.array([stairs.head, stairs.rise, stairs.well.centre[1]])
    flight = float(np.linalg.norm(head - foot))
    to_goal, to_foot = home.distances_to(upper[0]), home.distances_to(foot)
    there = to_foot.at(lower) + flight + to_goal.at(head[None])[0]
    assert np.allclose(to_goal.at(lower), there, rtol=0.06, atol=0.15)
    assert np.allclose(to_goal.at(foot[None])[0] - to_goal.at(head[None])[0], flight, rtol=0.03)
    for start in lower[:4]:
        path = home.shortest_path(start, upper[0])
        assert path is not None
        length = np.linalg.norm(np.diff(path, axis=0), axis=1).sum()
        assert length == pytest.approx(to_goal.at(start[None])[0], rel=0.06)
    # Straight above each other, but not to be walked straight.
    over = np.array([lower[0][0], stairs.rise, lower[0][2]])
    assert not home.is_clear(lower[0], over)


def test_a_walk_climbs_step_by_step_and_feet_meet_the_mesh(home: EmbeddedSimulator) -> None:
    lower, upper = both_floors(home)
    walker = walk_between(home, lower[0], upper[0])
    places = np.stack([stance.position for stance, _ in walker.finish()])
    rises = np.diff(places[:, 1])
    assert places[0, 1] == 0 and places[-1, 1] == grid_of(home).stairs.rise
    assert rises.min() >= 0 and 0.05 < rises.max() < 0.25
    flat = np.linalg.norm(np.diff(places[:, [0, 2]], axis=0), axis=1)
    assert set(np.round(flat, 6)) <= {0.0, 0.25}
    camera = Camera(32, 32, 40.0)
    for place in places[::3]:
        seen = home.render(camera_pose(place + np.array([0, 1.2, 0]), 0.0, -np.pi / 2), camera)
        assert abs(float(seen.depth[16, 16]) - 1.2) < 0.19, "a foot hangs more than a riser above its step, or in it"


def test_stairs_are_told_in_both_languages(home: EmbeddedSimulator) -> None:
    lower, upper = both_floors(home)
    camera, rng = Camera(48, 48, 90.0), np.random.default_rng(0)
    for start, goal, side, words in ((lower[1], upper[1], "up", "上"), (upper[2], lower[2], "down", "下")):
        track = walk_between(home, start, goal).finish()
        poses = [camera_pose(stance.position + np.array([0, 1.4, 0]), stance.heading, -0.1) for stance, _ in track]
        frames = [home.render(pose, camera) for pose in poses]
        steps = tell(home.graph, track, frames, Stratum.FORWARD)
        assert [step.side for step in steps if step.kind == "climb"] == [side]
        assert landmarks(steps) <= set().union(*sightings(frames))
        told, said = english(steps, "plain", rng), chinese(steps, "plain", rng)
        assert f"{side}stairs" in told or f"{side} the stairs" in told.lower() or f"the stairs {side}" in told.lower()
        assert f"{words}楼" in said or f"楼梯{words}去" in said
        assert "stairwell" in told


def test_an_exported_home_is_the_same_again(home: EmbeddedSimulator, tmp_path: Path) -> None:
    config = export(build(1, ROOMS, KINDS["duplexes"]), "d1", tmp_path)
    again = EmbeddedSimulator()
    again.load(str(config))
    assert again.graph == home.graph
    lower, upper = both_floors(home, 12)
    assert np.allclose(again.distances_to(upper[0]).at(lower), home.distances_to(upper[0]).at(lower))
    camera = Camera(64, 64, 90.0)
    for place in (*lower[:3], *upper[:3]):
        pose = camera_pose(place + np.array([0, 1.3, 0]), 1.0, -0.2)
        a, b = home.render(pose, camera), again.render(pose, camera)
        assert (a.semantic == b.semantic).mean() > 0.999 and np.abs(a.depth - b.depth).max() < 1e-3
    again.close()


def test_the_plan_shows_both_floors(home: EmbeddedSimulator) -> None:
    scene = {"id": "d1", "split": "train", **home.graph.as_json()}
    lower, upper = both_floors(home)
    climb = np.stack([stance.position for stance, _ in walk_between(home, lower[0], upper[0]).finish()])
    bare, drawn = draw_plan(scene, []), draw_plan(scene, [climb])
    left = bare.shape[1] // 2
    changed = (bare != drawn).any(axis=(0, 2))
    assert changed[:left].any() and changed[left:].any(), "the walk is drawn on either floor"


def test_a_floors_plan_leaves_out_the_cameras_of_the_other(home: EmbeddedSimulator) -> None:
    lower, upper = both_floors(home)
    poses = np.stack([camera_pose(place + np.array([0, 1.3, 0]), 1.0, -0.2) for place in (lower[0], upper[0])])
    floor = floors_of({"id": "d1", "split": "train", **home.graph.as_json()})[0]
    here = poses_on(floor, poses)
    assert (here[0] == poses[0]).all() and np.isnan(here[1]).all()
    whole, alone = (np.asarray(scene_plan(floor, some, (0,), 1)) for some in (poses, here))
    without = np.asarray(scene_plan(floor, here[:1]))
    assert (whole != alone).any() and (alone != without).any()
