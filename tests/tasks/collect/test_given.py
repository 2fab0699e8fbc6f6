"""Public episode files: R2R-CE, RxR-CE and our own are walked as they say; anything else is refused by field."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from tasks.collect.camera import yaw_quaternion
from tasks.collect.dataset import collect_into
from tasks.collect.embedded.simulator import EmbeddedSimulator
from tasks.collect.following import UNREACHABLE, follow
from tasks.collect.given import GivenEpisode, chosen_episodes, read_episodes
from tasks.collect.schedule import scenes_of, shards_of
from tasks.collect.spec import CollectPlan, EpisodeFile, Split, SplitPlan
from tasks.collect.strata import Manner, Walk
from tasks.errors import DataError, UsageError
from tests.tasks.collect.conftest import SMALL, Collected

MP3D = "mp3d/7y3sRwLe3Va/7y3sRwLe3Va.glb"


def public(path: np.ndarray, heading: float, number: int = 1, scene: str = MP3D) -> dict[str, Any]:
    """An entry as R2R_VLNCE has it."""
    return {
        "episode_id": number,
        "trajectory_id": 4332,
        "scene_id": scene,
        "start_position": path[0].tolist(),
        "start_rotation": yaw_quaternion(heading),
        "info": {"geodesic_distance": 6.42},
        "goals": [{"position": path[-1].tolist(), "radius": 3.0}],
        "instruction": {"instruction_text": "Walk out. Stop by the door. ", "instruction_tokens": [5, 9, 2, 0]},
        "reference_path": path.tolist(),
    }


def spoken(entry: dict[str, Any], number: str, language: str, role: str) -> dict[str, Any]:
    """The same as RxR_VLNCE has it: numbers as texts, words with times that may be NaN."""
    told = {
        "instruction_id": number,
        "instruction_text": "आगे बढ़ें और रुकें" if language == "hi-IN" else "You begin facing a wall.",
        "language": language,
        "annotator_id": "36",
        "edit_distance": 0.12,
        "timed_instruction": [{"word": "You", "start_time": float("nan"), "end_time": 0.4}],
    }
    return entry | {"episode_id": number, "trajectory_id": "77", "info": {"role": role}, "instruction": told}


def write(path: Path, episodes: list[Any], **more: Any) -> Path:
    path.write_bytes(gzip.compress(json.dumps({"episodes": episodes, **more}).encode()))
    return path


def bent_path(simulator: EmbeddedSimulator, seed: int = 3) -> np.ndarray:
    """[n, 3] a way of some metres through a building, as a public reference path has it."""
    rng = np.random.default_rng(seed)
    while True:
        start, goal = simulator.navigable_points(2, rng, 0.2)
        path = simulator.shortest_path(start, goal)
        if path is not None and len(path) >= 3 and np.linalg.norm(np.diff(path, axis=0), axis=1).sum() > 5:
            return path


def test_r2r_and_rxr_files_load(simulator: EmbeddedSimulator, tmp_path: Path) -> None:
    path = bent_path(simulator)
    entry = public(path, 0.7)
    r2r = write(tmp_path / "train.json.gz", [entry], instruction_vocab={"word_list": ["<pad>", "walk"]})
    (episode,) = read_episodes(r2r)
    assert (episode.id, episode.kind, episode.language, episode.radius) == ("1", "R2R", "en", 3.0)
    assert episode.heading == pytest.approx(0.7) and np.allclose(episode.path, path)
    assert episode.text == "Walk out. Stop by the door."
    voices = [("10", "en-US", "guide"), ("11", "hi-IN", "guide"), ("12", "hi-IN", "follower")]
    rxr = write(tmp_path / "train_guide.json.gz", [spoken(entry, *voice) for voice in voices])
    assert [(e.id, e.language, e.role) for e in read_episodes(rxr)] == voices
    picked = chosen_episodes(EpisodeFile(path=str(rxr), languages=("hi-IN",), roles=("guide",)))
    assert [e.id for e in picked] == ["11"] and "रुकें" in picked[0].text
    with pytest.raises(DataError, match="no episode"):
        chosen_episodes(EpisodeFile(path=str(rxr), languages=("te-IN",)))


def test_walks_follow_the_reference_path(simulator: EmbeddedSimulator, tmp_path: Path) -> None:
    path = bent_path(simulator)
    (given,) = read_episodes(write(tmp_path / "e.json.gz", [public(path, -1.2)]))
    walk = follow(simulator, Manner(300, 0.25, np.radians(15)), given)
    assert isinstance(walk, Walk)
    first = walk.track[0][0]
    assert np.allclose(first.position, path[0]) and first.heading == pytest.approx(-1.2)
    places = np.stack([stance.position for stance, _ in walk.track])
    assert np.linalg.norm(places[-1] - path[-1]) < 0.36
    for corner in path:
        assert np.linalg.norm(places - corner, axis=1).min() < 0.5
    assert follow(simulator, Manner(10, 0.25, np.radians(15)), given) == "longer than collect.steps"
    away = GivenEpisode(**{**vars(given), "start": (99.0, 0.0, 99.0)})
    assert follow(simulator, Manner(300, 0.25, np.radians(15)), away) == "unreachable goal"


def test_a_goal_off_the_floor_is_unreachable(simulator: EmbeddedSimulator, tmp_path: Path) -> None:
    entry = public(bent_path(simulator), 0.7)
    entry["goals"][0]["position"][0] += 40
    (episode,) = read_episodes(write(tmp_path / "train.json.gz", [entry]))
    assert follow(simulator, Manner(200, 0.25, np.radians(15)), episode) == UNREACHABLE
    entry["scene_id"] = simulator.scene
    file = write(tmp_path / "lost.json.gz", [entry])
    plan = CollectPlan(
        train=SplitPlan(scenes=1), episode_files={Split.TRAIN: EpisodeFile(path=str(file))}, rooms=simulator.rooms
    )
    with pytest.raises(DataError, match=r"1 episodes of .*lost\.json\.gz were given up.*unreachable goal 1"):
        collect_into(tmp_path / "out", plan, 0, 1, lambda _: None)


def test_a_public_file_becomes_a_dataset(simulator: EmbeddedSimulator, tmp_path: Path) -> None:
    """Instructions, starts and paths are the file's; a walk whose goal cannot be reached is counted, not made up."""
    entries = [public(bent_path(simulator, seed), 0.3, seed) for seed in (1, 2)]
    entries[1]["start_position"] = [99.0, 0.0, 99.0]
    file = write(tmp_path / "val_unseen.json.gz", entries)
    plan = CollectPlan(
        episode_files={Split.VAL_UNSEEN: EpisodeFile(path=str(file), scenes={MP3D: "b12"})},
        val_unseen=SplitPlan(scenes=5, episodes=9),
        rooms=(4, 8),
        steps=120,
        most_bad_scenes=0.0,
    )
    assert plan.episodes == 45 and [shard.episodes for shard in shards_of(plan, 0)] == [2]
    summary = collect_into(tmp_path / "set", plan, 0, 1, lambda _: None)
    assert (summary.episodes, summary.missing, summary.scenes) == (1, 1, {"val_unseen": 1})
    assert summary.rejected["unreachable goal"] == 1
    (written,) = read_episodes(tmp_path / "set" / "episodes.json.gz")
    assert written.text == "Walk out. Stop by the door." and written.scene == "b12"
    assert np.allclose(written.path, entries[0]["reference_path"], atol=1e-4)
    index = pq.read_table(tmp_path / "set" / "index.parquet").to_pylist()
    assert {row["instruction"] for row in index} == {written.text} and {row["scene"] for row in index} == {"b12"}
    assert index[-1]["action"] == "stop"


def test_our_own_file_is_walked_again(collected: Collected, tmp_path: Path) -> None:
    file = collected.folder / "episodes.json.gz"
    scene = scenes_of(SMALL, 3, Split.VAL_UNSEEN)[0]
    source = EpisodeFile(path=str(file), scenes={scene: scene})
    before = {episode.text: episode for episode in chosen_episodes(source)}
    plan = CollectPlan(
        episode_files={Split.TRAIN: source}, train=SplitPlan(scenes=1, episodes=9), rooms=SMALL.rooms, steps=80
    )
    summary = collect_into(tmp_path, plan, 1, 1, lambda _: None)
    assert summary.episodes >= 1 and summary.episodes + summary.missing == len(before)
    for again in read_episodes(tmp_path / "episodes.json.gz"):
        first = before[again.text]
        assert again.start == first.start and again.path == first.path and again.chinese == first.chinese != ""
        assert np.cos(again.heading - first.heading) == pytest.approx(1, abs=1e-6)


BREAKS: list[tuple[str, Any, str]] = [
    ("episode_id", None, r"episodes\[0\]\.episode_id"),
    ("start_rotation", [0.0, 1.0, 0.0], "start_rotation"),
    ("start_rotation", [0.7071, 0.0, 0.0, 0.7071], "start_rotation tilts"),
    ("start_position", [0.0, float("nan"), 0.0], "start_position"),
    ("goals", None, "goals"),
    ("goals", [{"radius": 3.0}], r"goals\[0\]\.position"),
    ("reference_path", [[0, 0, 0]], "reference_path"),
    ("instruction", "go", "instruction"),
    ("instruction", {"instruction_text": " "}, "instruction_text"),
    ("instruction", {"instruction_text": "go", "subtitles": []}, "subtitles"),
    ("object_category", "chair", "object_category"),
]


@pytest.mark.parametrize(("field", "value", "named"), BREAKS)
def test_a_wrong_field_is_named_with_its_file(tmp_path: Path, field: str, value: Any, named: str) -> None:
    entry = public(np.array([[0.0, 0, 0], [1, 0, 0], [2, 0, 1]]), 0.0) | {field: value}
    file = write(tmp_path / "broken.json.gz", [entry])
    with pytest.raises(DataError, match=named) as caught:
        read_episodes(file)
    assert "broken.json.gz" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("data", "named"),
    [
        (b"\x1f\x8bnot gzip at all", "JSON"),
        (b"[1, 2", "JSON"),
        (b"[]", "episodes"),
        (b'{"episodes": {}}', "episodes"),
        (b'{"episodes": []}', "no episodes"),
        (b'{"version": "v9", "episodes": [{}]}', "v9"),
    ],
)
def test_a_file_that_is_none_is_one_sentence(tmp_path: Path, data: bytes, named: str) -> None:
    (tmp_path / "odd.json").write_bytes(data)
    with pytest.raises(DataError, match=named) as caught:
        read_episodes(tmp_path / "odd.json")
    assert "odd.json" in str(caught.value) and "\n" not in str(caught.value)


def test_a_file_that_changed_or_went_is_refused(tmp_path: Path) -> None:
    path = np.array([[0.0, 0, 0], [1, 0, 0]])
    source = EpisodeFile(path=str(write(tmp_path / "e.json.gz", [public(path, 0.0)])))
    assert source.sha256 is not None and EpisodeFile.model_validate_json(source.model_dump_json()) == source
    write(tmp_path / "e.json.gz", [public(path, 0.1)])
    with pytest.raises(DataError, match="sha256"):
        chosen_episodes(source)
    with pytest.raises(DataError, match=r"gone\.json"):
        chosen_episodes(EpisodeFile(path=str(tmp_path / "gone.json")))


def test_held_out_scenes_are_not_trained_on(tmp_path: Path) -> None:
    path = np.array([[0.0, 0, 0], [1, 0, 0]])
    source = EpisodeFile(path=str(write(tmp_path / "e.json", [public(path, 0.0)])), scenes_dir="/data")
    plan = CollectPlan(episode_files={Split.TRAIN: source, Split.VAL_UNSEEN: source})
    with pytest.raises(UsageError, match=f"/data/{MP3D}"):
        shards_of(plan, 0)
    alone = CollectPlan(episode_files={Split.TRAIN: source, Split.VAL_SEEN: source})
    assert {visit.scene for shard in shards_of(alone, 0) for visit in shard.visits} == {f"/data/{MP3D}"}
    with pytest.raises(ValidationError, match="episode_files"):
        CollectPlan.model_validate({"episode_files": {"dreams": {"path": "x"}}})
