"""What HabitatSimulator asks of its engine: a stand-in of one empty room answers as the bindings do."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tasks.collect import habitat
from tasks.collect.camera import Camera, camera_pose
from tasks.collect.embedded.building import build
from tasks.collect.embedded.export import export
from tasks.collect.habitat import HabitatSimulator
from tasks.errors import DataError

HALF, FLOOR = 2.0, 0.05
"""Metres from the middle of the room to where a foot may stand; and the height of its navmesh."""


class Finder:
    """A PathFinder over the room."""

    def __init__(self) -> None:
        self.is_loaded, self.num_islands, self.rng = False, 0, np.random.default_rng(0)

    def island_area(self, island: int) -> float:
        return (2 * HALF) ** 2

    def seed(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def get_random_navigable_point(self, island_index: int) -> np.ndarray:
        x, z = self.rng.uniform(-HALF, HALF, 2)
        return np.array([x, FLOOR, z], dtype=np.float32)

    def distance_to_closest_obstacle(self, point: np.ndarray) -> float:
        return HALF - float(np.abs(single(point)[[0, 2]]).max())

    def is_navigable(self, point: np.ndarray) -> bool:
        return self.distance_to_closest_obstacle(point) >= 0

    def snap_point(self, point: np.ndarray) -> np.ndarray:
        return np.array([*np.clip(single(point), -HALF, HALF)], dtype=np.float32) * [1, 0, 1] + [0, FLOOR, 0]

    def try_step_no_sliding(self, start: np.ndarray, end: np.ndarray) -> np.ndarray:
        return single(end) if self.is_navigable(end) else single(start)

    def find_path(self, path: SimpleNamespace) -> bool:
        path.points = [single(path.requested_start), single(path.requested_end)]
        path.geodesic_distance = float(np.linalg.norm(path.points[1] - path.points[0]))
        return self.is_navigable(path.requested_end)


def single(point: np.ndarray) -> np.ndarray:
    """The bindings take three float32 and nothing else."""
    assert isinstance(point, np.ndarray) and point.dtype == np.float32 and point.shape == (3,)
    return point


class Engine:
    """The module habitat_sim, and its one Simulator."""

    SensorType = SimpleNamespace(COLOR="colour", DEPTH="depth", SEMANTIC="semantic")
    agent = SimpleNamespace(AgentConfiguration=SimpleNamespace)
    SimulatorConfiguration = CameraSensorSpec = AgentState = ShortestPath = SimpleNamespace
    PathFinder = Finder

    def __init__(self) -> None:
        self.navmeshes: list[str] = []
        self.configurations = 0
        self.state: Any = None
        self.semantic_scene = SimpleNamespace(regions=[], objects=[])

    def NavMeshSettings(self) -> SimpleNamespace:
        return SimpleNamespace(set_defaults=lambda: None)

    def Configuration(self, backend: SimpleNamespace, agents: list[SimpleNamespace]) -> SimpleNamespace:
        return SimpleNamespace(backend=backend, sensors=agents[0].sensor_specifications)

    def Simulator(self, configuration: SimpleNamespace) -> Engine:
        self.reconfigure(configuration)
        return self

    def reconfigure(self, configuration: SimpleNamespace) -> None:
        if "broken" in configuration.backend.scene_id:
            raise RuntimeError("the asset cannot be loaded")
        self.configuration = configuration
        self.configurations += 1

    def recompute_navmesh(self, finder: Finder, settings: SimpleNamespace) -> bool:
        self.navmeshes.append(self.configuration.backend.scene_id)
        finder.is_loaded = "flooded" not in self.navmeshes[-1]
        finder.num_islands = int(finder.is_loaded)
        return finder.is_loaded

    def get_agent(self, number: int) -> SimpleNamespace:
        return SimpleNamespace(set_state=lambda state: setattr(self, "state", state))

    def get_sensor_observations(self) -> dict[str, np.ndarray]:
        rgb, depth, semantic = self.configuration.sensors
        height, width = rgb.resolution
        return {
            "rgb": np.full((height, width, 4), 7, dtype=np.uint8),
            "depth": np.full(depth.resolution, depth.hfov, dtype=np.float32),
            "semantic": np.full(semantic.resolution, 3, dtype=np.uint32),
        }

    def close(self) -> None:
        self.state = None


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Engine:
    engine = Engine()
    monkeypatch.setattr(habitat, "engine", lambda: engine)
    monkeypatch.setitem(sys.modules, "quaternion", SimpleNamespace(from_rotation_matrix=np.array))
    return engine


def test_a_walk_with_its_own_camera_keeps_the_navmesh(engine: Engine) -> None:
    simulator = HabitatSimulator(None, (32, 24))
    simulator.load("room.glb")
    assert engine.navmeshes == ["room.glb"] and simulator.scene == "room.glb"
    eye = camera_pose(np.array([0.5, 1.4, 0.2]), 0.0, 0.0)
    for hfov in (80.0, 80.0, 95.0):
        seen = simulator.render(eye, Camera(32, 24, hfov))
        assert seen.rgb.shape == (24, 32, 3) and seen.semantic.dtype == np.uint16
        assert (seen.depth == hfov).all() and (seen.semantic == 3).all()
    assert engine.configurations == 3, "the engine is set up anew for another field of view, and for that alone"
    assert np.allclose(engine.state.position, [0.5, 1.4, 0.2]) and np.allclose(engine.state.rotation, np.eye(3))
    assert engine.navmeshes == ["room.glb"]
    simulator.load("room.glb")
    simulator.load("other.glb")
    assert engine.navmeshes == ["room.glb", "other.glb"], "hard walks come back to a scene, one visit each"
    simulator.close()


def test_places_steps_and_ways_are_the_engines(engine: Engine) -> None:
    simulator = HabitatSimulator(None, (16, 16))
    simulator.load("room.glb")
    places = simulator.navigable_points(20, np.random.default_rng(0), 0.5)
    assert places.shape == (20, 3) and np.abs(places[:, [0, 2]]).max() <= HALF - 0.5
    again = simulator.navigable_points(20, np.random.default_rng(0), 0.5)
    assert np.array_equal(places, again)
    inside, outside = np.array([1.0, 0.0, 1.0]), np.array([9.0, 0.0, 1.0])
    assert simulator.is_clear(places[0], inside) and not simulator.is_clear(places[0], outside)
    assert np.allclose(simulator.grounded(np.stack([inside, outside]))[:, 1], [FLOOR, 0.0])
    metres = simulator.distances_to(inside).at(np.stack([places[0], outside]))
    assert metres[0] == pytest.approx(np.linalg.norm(places[0] - inside), abs=1e-3) and metres[1] == np.inf
    assert simulator.shortest_path(places[0], outside) is None
    path = simulator.shortest_path(places[0], inside)
    assert path is not None and np.allclose(path, [places[0], inside], atol=1e-6)


def test_a_scene_that_fails_leaves_the_one_before_usable(engine: Engine) -> None:
    simulator = HabitatSimulator(None, (16, 16))
    simulator.load("room.glb")
    with pytest.raises(DataError, match=r"broken\.glb.*cannot be loaded"):
        simulator.load("broken.glb")
    with pytest.raises(DataError, match=r"flooded\.glb has no floor"):
        simulator.load("flooded.glb")
    simulator.load("room.glb")
    assert simulator.navigable_points(3, np.random.default_rng(0)).shape == (3, 3)


def test_of_our_own_buildings_rooms_and_doors_are_known(engine: Engine, tmp_path: Path) -> None:
    building = build(3, (4, 4))
    simulator = HabitatSimulator(None, (16, 16))
    simulator.load(str(export(building, "b3", tmp_path)))
    assert simulator.graph == building.graph and simulator.graph.doors
