"""habitat-lab's own Env over the embedded simulator: its VLN task, its measures, ours, and who acts in it."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tasks.collect.embedded.simulator import EmbeddedSimulator
from tasks.collect.spec import EpisodeFile
from tasks.errors import UsageError
from tasks.navigate import lab
from tasks.navigate.agents import Move, Observations, OracleAgent, RandomAgent
from tasks.navigate.environment import Setting, environment
from tasks.navigate.scores import summary, walk_episode, walk_episodes
from tests.tasks.collect.test_given import MP3D, bent_path, public, spoken, write

INSTALLED = importlib.util.find_spec("habitat") is not None
needs_lab = pytest.mark.skipif(not INSTALLED, reason="habitat-lab is not installed: run `make habitat`")
ROOMS = (4, 8)


@pytest.fixture(scope="module")
def paths() -> list[np.ndarray]:
    """Ways of five metres and more through one building."""
    simulator = EmbeddedSimulator(ROOMS)
    simulator.load("b12")
    found = [bent_path(simulator, seed) for seed in range(1, 6)]
    simulator.close()
    return found


@pytest.fixture(scope="module")
def file(paths: list[np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Path:
    entries = [public(path, 0.4 * i, i, "b12") for i, path in enumerate(paths)]
    vocabulary = {"word_list": ["<pad>", "<unk>", "walk"]}
    return write(tmp_path_factory.mktemp("r2r") / "val_unseen.json.gz", entries, instruction_vocab=vocabulary)


@pytest.fixture(scope="module")
def env(file: Path) -> Iterator[Any]:
    with environment(Setting(EpisodeFile(path=str(file)), rooms=ROOMS, success_distance=0.36, steps=200)) as env:
        yield env


@needs_lab
def test_it_is_habitat_labs_own_env_loader_and_task(env: Any) -> None:
    from habitat.core.env import Env
    from habitat.datasets.vln.r2r_vln_dataset import VLNDatasetV1
    from habitat.tasks.vln.vln import VLNTask

    assert type(env) is Env and isinstance(env._dataset, VLNDatasetV1) and isinstance(env.task, VLNTask)
    assert len(env.episodes) == 5


@needs_lab
def test_the_oracle_succeeds_by_the_shortest_way(env: Any) -> None:
    scores = walk_episodes(env, OracleAgent(env), 4)
    assert len({score.episode for score in scores}) == 4
    found = summary(scores)
    assert found["success"] == 1.0 and found["spl"] >= 0.95 and found["distance_to_goal"] <= 0.25
    assert found["ndtw"] >= 0.8


@needs_lab
def test_observations_are_what_the_simulator_sees(env: Any) -> None:
    seen = env.reset()
    assert seen["rgb"].shape == (64, 64, 3) and seen["rgb"].dtype == np.uint8
    assert seen["depth"].shape == (64, 64, 1) and 0.5 < np.median(seen["depth"]) < 20
    assert seen["instruction"]["text"].strip() == "Walk out. Stop by the door."
    start = env.current_episode.start_position
    pose = seen["camera"]["pose"]
    assert np.allclose(pose[:3, 3], np.add(start, [0, 1.25, 0]))
    direct = env.sim.own.render(pose, env.sim.camera)
    assert (direct.rgb == seen["rgb"]).all() and np.allclose(direct.depth, seen["depth"][..., 0])
    turned = env.step("turn_left")["camera"]["pose"]
    angle = np.degrees(np.arccos((np.trace(pose[:3, :3].T @ turned[:3, :3]) - 1) / 2))
    assert angle == pytest.approx(15) and np.allclose(turned[:3, 3], pose[:3, 3])


@needs_lab
def test_measures_tell_bad_walks_from_good_ones(file: Path) -> None:
    """Stopping at once, walking by chance, and against a wall: no success, no SPL, an nDTW below the oracle's."""

    class Stops:
        def reset(self) -> None: ...

        def act(self, observations: Observations) -> Move:
            return "stop"

    with environment(Setting(EpisodeFile(path=str(file)), rooms=ROOMS, steps=60)) as env:
        stopped = walk_episode(env, Stops())
        assert (stopped.steps, stopped.success, stopped.spl) == (1, 0.0, 0.0)
        assert stopped.distance_to_goal == stopped.shortest > 3
        lost = walk_episode(env, RandomAgent(1))
        assert lost.ndtw < 0.8 and lost.steps <= 60
        env.reset()
        walls = 0
        for _ in range(60):
            before = env.sim.get_agent_state().position
            env.step("move_forward")
            walls += env.sim.previous_step_collided
            moved = np.linalg.norm(env.sim.get_agent_state().position - before)
            assert moved == pytest.approx(0.0 if env.sim.previous_step_collided else 0.25)
        assert walls > 0 and env.episode_over


@needs_lab
def test_rxr_files_and_chosen_scenes_walk_too(paths: list[np.ndarray], tmp_path: Path) -> None:
    entry = spoken(public(paths[1], 0.0), "7", "hi-IN", "guide")
    source = EpisodeFile(path=str(write(tmp_path / "guide.json.gz", [entry])), scenes={MP3D: "b12"})
    with environment(Setting(source, rooms=ROOMS)) as env:
        score = walk_episode(env, OracleAgent(env))
        assert "रुकें" in env.current_episode.instruction.instruction_text
    assert (score.episode, score.scene, score.success) == ("7", "b12", 1.0)


def test_without_habitat_lab_the_sentence_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    for name in list(sys.modules):
        if name == "habitat":
            monkeypatch.delitem(sys.modules, name)
    with pytest.raises(UsageError, match="make habitat"):
        lab.prepare()
