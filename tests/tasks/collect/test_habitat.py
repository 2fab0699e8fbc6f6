"""The habitat implementation against the embedded one on one exported building; needs a real habitat-sim."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tasks.collect import egl, habitat
from tasks.collect.camera import Camera, camera_pose
from tasks.collect.embedded.building import build
from tasks.collect.embedded.export import export
from tasks.collect.embedded.simulator import EmbeddedSimulator
from tasks.collect.habitat import HabitatSimulator, gpu_device, graph_of, inner_island
from tasks.errors import UsageError

INSTALLED = importlib.util.find_spec("habitat_sim") is not None
POSES = 200


@pytest.mark.skipif(INSTALLED, reason="habitat-sim is installed")
def test_without_habitat_the_sentence_says_how_to_get_it() -> None:
    with pytest.raises(UsageError, match="conda") as caught:
        HabitatSimulator(None, (64, 64))
    assert "\n" not in str(caught.value)


def test_a_missing_scene_dataset_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nowhere\.json"):
        HabitatSimulator(str(tmp_path / "nowhere.json"), (64, 64))


def test_a_device_that_is_no_number_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BACKSIGHT_HABITAT_GPU", "cuda")
    with pytest.raises(UsageError, match="cuda"):
        gpu_device()


@pytest.mark.parametrize(("there", "said"), [([], "EGL knows no GPU"), ([0, 1], "those that are there: 0, 1")])
def test_a_gpu_that_is_not_there_is_refused_before_the_engine_aborts(
    monkeypatch: pytest.MonkeyPatch, there: list[int], said: str
) -> None:
    monkeypatch.setattr(habitat, "cuda_devices", lambda: there)
    monkeypatch.setenv("BACKSIGHT_HABITAT_GPU", "7")
    with pytest.raises(UsageError, match=said) as caught:
        gpu_device()
    assert "7" in str(caught.value) and "\n" not in str(caught.value)
    monkeypatch.setenv("BACKSIGHT_HABITAT_GPU", "-1")
    assert gpu_device() == -1
    monkeypatch.setattr(habitat, "cuda_devices", lambda: [7])
    monkeypatch.setenv("BACKSIGHT_HABITAT_GPU", "7")
    assert gpu_device() == 7


def test_gpus_are_counted_where_there_is_egl_and_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    assert all(number >= 0 for number in egl.cuda_devices())

    def missing(name: str) -> None:
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr(egl.ctypes, "CDLL", missing)
    assert egl.cuda_devices() == []


def test_walks_take_place_on_a_floor_and_not_on_the_roof() -> None:
    things = np.array([0.4, 0.5, 1.2, 1.5, 3.5, 3.6])
    assert inner_island([40.0, 90.0, 1.0], [0.0, 6.0, np.inf], things) == 0, "the roof is larger, but bare"
    assert inner_island([40.0, 45.0], [0.0, 3.0], things) == 1, "of two furnished floors the larger"
    assert inner_island([40.0, 90.0], [0.0, 6.0], np.empty(0)) == 0, "without things the lower"
    assert inner_island([0.5, 0.7], [np.inf, np.inf], things) == 1


@dataclass(frozen=True)
class Range:
    """Magnum's Range3D, as far as it is read."""

    min: tuple[float, float, float]
    max: tuple[float, float, float]

    def center(self) -> tuple[float, ...]:
        return tuple((a + b) / 2 for a, b in zip(self.min, self.max, strict=True))


def region(name: str, box: object) -> SimpleNamespace:
    return SimpleNamespace(id=name, category=SimpleNamespace(name=lambda: name), aabb=box)


@pytest.mark.parametrize("ranges", [True, False])
def test_semantic_scenes_of_old_and_new_engines_are_read(ranges: bool) -> None:
    """Since 0.3 boxes are Range3D, whose `center` is a method; before they had `center` and `sizes` as values."""
    room_box = Range((-1, 0, -2), (3, 2.5, 2)) if ranges else SimpleNamespace(center=(1, 1.25, 0), sizes=(4, 2.5, 4))
    bed_box = Range((0, 0, 0), (1, 0.5, 2)) if ranges else SimpleNamespace(center=(0.5, 0.25, 1), sizes=(1, -0.5, 2))
    bed = SimpleNamespace(semantic_id=4, category=SimpleNamespace(name=lambda: "bed"), aabb=bed_box)
    # Each access makes another object of the same region, as bindings do.
    bed.region = region("bedroom_0", room_box)
    stray = SimpleNamespace(semantic_id=2, category=None, aabb=bed_box, region=None)
    nothing = SimpleNamespace(semantic_id=0, category=None, aabb=bed_box, region=None)
    scene = SimpleNamespace(regions=[region("hall_1", room_box), region("bedroom_0", room_box)])
    scene.objects = [bed, None, nothing, stray]
    graph = graph_of(scene)
    assert [room.floor for room in graph.rooms] == [0, 0] and graph.rooms[1].contains(2.9, -1.9)
    assert [(thing.id, thing.category, thing.room) for thing in graph.objects] == [(2, "object", -1), (4, "bed", 1)]
    assert graph.objects[1].centre == (0.5, 0.25, 1.0) and graph.objects[1].size == (1.0, 0.5, 2.0)


@pytest.mark.skipif(not INSTALLED, reason="habitat-sim is not installed: nothing was compared with it")
def test_both_simulators_see_the_same(tmp_path: Path) -> None:
    config = str(export(build(5, (4, 6)), "b5", tmp_path))
    embedded, rng, camera = EmbeddedSimulator(), np.random.default_rng(0), Camera(224, 224, 90.0)
    embedded.load(config)
    places = embedded.navigable_points(POSES, rng, 0.05)
    turns, tilts = rng.uniform(-np.pi, np.pi, POSES), rng.uniform(-0.3, 0.1, POSES)
    eyes = places + np.array([0, 1.4, 0])
    poses = [camera_pose(eye, float(turn), float(tilt)) for eye, turn, tilt in zip(eyes, turns, tilts, strict=True)]
    ours = [embedded.render(pose, camera) for pose in poses]
    start, goal = embedded.navigable_points(2, rng, 0.2)
    metres = float(embedded.distances_to(goal).at(start[None])[0])
    graph = embedded.graph
    # First the one, then the other: leaving the one's GL context would take away the other's.
    embedded.close()
    simulator = HabitatSimulator(None, (224, 224))
    simulator.load(config)
    theirs = [simulator.render(pose, camera) for pose in poses]
    pairs = list(zip(ours, theirs, strict=True))
    colour = float(np.mean([np.abs(a.rgb.astype(float) - b.rgb).mean() for a, b in pairs]))
    depth = float(np.mean([np.abs(a.depth - b.depth) <= 1e-3 for a, b in pairs]))
    ids = float(np.mean([a.semantic == b.semantic for a, b in pairs]))
    print(f"{POSES} poses: colours differ by {colour:.4f} of 255, depth within 1 mm {depth:.5%}, ids equal {ids:.5%}")
    assert colour <= 0.5
    assert depth >= 0.999
    assert ids >= 0.999
    assert simulator.graph == graph
    assert float(simulator.distances_to(goal).at(start[None])[0]) == pytest.approx(metres, rel=0.05, abs=0.2)
    simulator.close()
