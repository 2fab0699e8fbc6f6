"""Scenes that others made, in the embedded simulator: axes, floor, things, walks, and what cannot be used."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import trimesh

from tasks.collect.camera import Camera, camera_pose
from tasks.collect.embedded.foreign import upright
from tasks.collect.embedded.simulator import EmbeddedSimulator
from tasks.collect.strata import Manner, forward
from tasks.errors import DataError

FLOOR, WALL = 0.3, 2.4
"""Heights in metres: of the floor's top, and of the walls above it."""
CAMERA = Camera(96, 96, 90.0)


def house(up: str = "z") -> trimesh.Scene:
    """A room of 6 x 5 m with a roof, a table and a pillar, its floor not at 0; `up` names its upward axis."""
    scene = trimesh.Scene()
    boxes = {
        "Floor.001": ((6, 0.1, 5), (0, FLOOR - 0.05, 0)),
        "Roof": ((6, 0.2, 5), (0, FLOOR + WALL + 0.1, 0)),
        "wall_1": ((0.1, WALL, 5), (-3, FLOOR + WALL / 2, 0)),
        "wall_2": ((0.1, WALL, 5), (3, FLOOR + WALL / 2, 0)),
        "wall_3": ((6, WALL, 0.1), (0, FLOOR + WALL / 2, -2.5)),
        "wall_4": ((6, WALL, 0.1), (0, FLOOR + WALL / 2, 2.5)),
        "table": ((1.2, 0.05, 0.8), (1.5, FLOOR + 0.7, -1)),
        "pillar": ((0.4, WALL, 0.4), (-0.5, FLOOR + WALL / 2, 0.5)),
    }
    # glTF is y-up; a z-up scan is written as it is, (x, y, z) -> (x, -z, y).
    turn = np.eye(4) if up == "y" else np.array([[1, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, 0], [0, 0, 0, 1.0]])
    for name, (size, centre) in boxes.items():
        box = trimesh.creation.box(size, trimesh.transformations.translation_matrix(centre))
        box.apply_transform(turn)
        scene.add_geometry(box, node_name=name, geom_name=name)
    return scene


@pytest.fixture(scope="module")
def simulator() -> Iterator[EmbeddedSimulator]:
    simulator = EmbeddedSimulator()
    yield simulator
    simulator.close()


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("scan") / "house.glb"
    house("z").export(path)
    return path


def test_a_glb_alone_is_a_scan_and_a_stage_config_says_otherwise(
    simulator: EmbeddedSimulator, scan: Path, tmp_path: Path
) -> None:
    simulator.load(str(scan))
    first = simulator.graph
    house("y").export(tmp_path / "upright.glb")
    config = tmp_path / "upright.stage_config.json"
    config.write_text(json.dumps({"render_asset": "upright.glb", "up": [0, 1, 0], "front": [0, 0, -1]}))
    simulator.load(str(config))
    assert simulator.scene == str(config) and len(simulator.graph.objects) == 8
    for a, b in zip(first.objects, simulator.graph.objects, strict=True):
        assert np.allclose(a.centre, b.centre, atol=1e-3) and np.allclose(a.size, b.size, atol=1e-3)


def test_the_floor_is_where_one_can_stand(simulator: EmbeddedSimulator, scan: Path) -> None:
    simulator.load(str(scan))
    points = simulator.navigable_points(300, np.random.default_rng(0))
    assert np.allclose(points[:, 1], FLOOR, atol=1e-3)
    assert (np.abs(points[:, 0]) < 2.95 - 0.1).all() and (np.abs(points[:, 2]) < 2.45 - 0.1).all()
    for centre, size in (((1.5, -1), (1.2, 0.8)), ((-0.5, 0.5), (0.4, 0.4))):
        away = np.abs(points[:, [0, 2]] - centre) - np.array(size) / 2
        assert (away.max(axis=1) > 0.05).all(), "nobody stands in or under a thing"
    area = simulator.grid.free.sum() * 0.05**2
    assert 17 < area < 5.9 * 4.9 - 0.96 - 0.16
    (room,) = simulator.graph.rooms
    assert room.floor == pytest.approx(FLOOR, abs=1e-3) and room.contains(2.0, 1.5) and not room.contains(4.0, 0.0)


def test_things_are_nodes_and_are_seen_where_they_are(simulator: EmbeddedSimulator, scan: Path) -> None:
    simulator.load(str(scan))
    things = {thing.name: thing for thing in simulator.graph.objects}
    assert things["Floor.001"].category == "floor" and things["wall_1"].category == "wall"
    eye = np.array([-0.5, FLOOR + 1.4, 2.0])
    seen = simulator.render(camera_pose(eye, 0.0, 0.0), CAMERA)
    assert seen.semantic[48, 48] == things["pillar"].id
    assert seen.depth[48, 48] == pytest.approx(2.0 - 0.7, abs=1e-3)
    left, right = seen.semantic[48, 2], seen.semantic[48, 93]
    assert (left, right) == (things["wall_1"].id, things["wall_2"].id)
    assert (seen.depth > 0).all() and len({tuple(c) for c in seen.rgb.reshape(-1, 3).tolist()}) >= 4


def test_an_agent_walks_in_it(simulator: EmbeddedSimulator, scan: Path) -> None:
    simulator.load(str(scan))
    rng = np.random.default_rng(1)
    walk = forward(simulator, Manner(32, 0.25, np.radians(30)), rng)
    assert walk is not None and len(walk.track) > 5
    assert all(simulator.is_clear(s.position, s.position) for s, _ in walk.track)
    start, goal = np.array([-2.0, FLOOR, 1.8]), np.array([2.0, FLOOR, 1.8])
    path = simulator.shortest_path(start, goal)
    assert path is not None and np.linalg.norm(np.diff(path, axis=0), axis=1).sum() == pytest.approx(4, rel=0.03)


def test_axes_are_turned_without_mirroring() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        q, _ = np.linalg.qr(rng.normal(size=(3, 3)))
        turn = upright(q[0] * 2, q[1] * 0.3, Path("x.glb"))
        assert np.allclose(turn @ turn.T, np.eye(3)) and np.linalg.det(turn) == pytest.approx(1)
        assert np.allclose(turn @ q[0], [0, 1, 0]) and np.allclose(turn @ q[1], [0, 0, -1])


@pytest.mark.parametrize("case", ["no asset", "axes", "too large", "no floor", "not a glb", "config"])
def test_what_cannot_be_used_is_one_sentence(simulator: EmbeddedSimulator, tmp_path: Path, case: str) -> None:
    config, settings = tmp_path / "s.stage_config.json", {"render_asset": "s.glb", "up": [0, 1, 0], "front": [0, 0, -1]}
    house("y").export(tmp_path / "s.glb")
    match case:
        case "no asset":
            (tmp_path / "s.glb").unlink()
        case "axes":
            settings["front"] = [0, 2, 0]
        case "too large":
            settings["units_to_meters"] = 1000
        case "no floor":
            wall = trimesh.Trimesh([[0, 0, 0], [1, 0, 0], [0, 2, 0]], [[0, 1, 2]])
            trimesh.Scene(wall).export(tmp_path / "s.glb")
        case "not a glb":
            (tmp_path / "s.glb").write_bytes(b"<html>not found</html>")
    config.write_text(json.dumps(settings) if case != "config" else "{")
    with pytest.raises(DataError, match=r"s\.glb|s\.stage_config\.json") as caught:
        simulator.load(str(config))
    assert "\n" not in str(caught.value)
