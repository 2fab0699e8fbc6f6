"""The habitat implementation against the embedded one on one exported building; needs a real habitat-sim."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from tasks.collect.camera import Camera, camera_pose
from tasks.collect.embedded.building import build
from tasks.collect.embedded.export import export
from tasks.collect.embedded.simulator import EmbeddedSimulator
from tasks.collect.habitat import HabitatSimulator, gpu_device
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


@pytest.mark.skipif(not INSTALLED, reason="habitat-sim is not installed: nothing was compared with it")
def test_both_simulators_see_the_same(tmp_path: Path) -> None:
    config = str(export(build(5, (4, 6)), "b5", tmp_path))
    embedded, habitat = EmbeddedSimulator(), HabitatSimulator(None, (224, 224))
    embedded.load(config)
    habitat.load(config)
    rng, camera = np.random.default_rng(0), Camera(224, 224, 90.0)
    colour, depth, ids = [], [], []
    for place in embedded.navigable_points(POSES, rng, 0.05):
        pose = camera_pose(
            place + np.array([0, 1.4, 0]), float(rng.uniform(-np.pi, np.pi)), float(rng.uniform(-0.3, 0.1))
        )
        a, b = embedded.render(pose, camera), habitat.render(pose, camera)
        colour.append(np.abs(a.rgb.astype(float) - b.rgb).mean())
        depth.append(np.mean(np.abs(a.depth - b.depth) <= 1e-3))
        ids.append(np.mean(a.semantic == b.semantic))
    assert np.mean(colour) <= 0.5
    assert np.mean(depth) >= 0.999
    assert np.mean(ids) >= 0.999
    start, goal = embedded.navigable_points(2, rng, 0.2)
    lengths = [float(s.distances_to(goal).at(start[None])[0]) for s in (embedded, habitat)]
    assert lengths[0] == pytest.approx(lengths[1], rel=0.05, abs=0.2)
    embedded.close()
    habitat.close()
