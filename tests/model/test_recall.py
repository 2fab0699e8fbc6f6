"""From a video to maps: who may be seen, what is asked of whom, and what a person is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from model.answer_files import RECORD, VIDEO
from model.config import NetworkConfig
from model.errors import BacksightError, DataError, UsageError
from model.estimate import Surroundings, estimate
from model.memory import enough_memory
from model.predict import Predictor
from model.recall import Recall, pick
from model.sampling import SAMPLERS
from model.spatial_mllm import SpatialMLLM
from model.tokenizer import Tokenizer
from model.training.checkpoint import CheckpointConfig, write_checkpoint
from model.training.history import History
from tests.published import INSTRUCTIONS, NETWORK
from tests.videos import write_video

TOLD = INSTRUCTIONS[0]


def predictor(*encoders: str) -> Predictor:
    torch.manual_seed(0)
    tokenizer = Tokenizer.train(INSTRUCTIONS, 300)
    config = NetworkConfig.model_validate({**NETWORK.model_dump(), "encoders": encoders})
    return Predictor(SpatialMLLM(config, len(tokenizer)), tokenizer)


@pytest.fixture(scope="module")
def seeing() -> Predictor:
    return predictor("vggt")


@pytest.fixture(scope="module")
def sensing() -> Predictor:
    return predictor("sensors", "vggt")


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_video(tmp_path_factory.mktemp("film") / "v.mp4", 30, 96, 54)


@pytest.mark.parametrize("algorithm", SAMPLERS)
def test_every_sampler_picks_past_frames_and_gets_their_maps(seeing: Predictor, film: Path, algorithm: str) -> None:
    answer = seeing.video(film, TOLD, algorithm=algorithm)
    frames = [moment.frame for moment in answer.keyframes]
    assert frames == sorted(set(frames)) and len(frames) == 3 and frames[-1] < answer.current.frame == 29
    assert answer.maps.shape == (3, 8, 8) and answer.classes.shape == (3, 8, 8)
    np.testing.assert_allclose(answer.maps.sum((1, 2)) + answer.none, 1, atol=1e-6)
    assert answer.goal.sum() + answer.goal_none == pytest.approx(1) and answer.turn.sum() == pytest.approx(1)
    assert {"decode", "sample", "predict"} <= set(answer.seconds) and answer.memory["host"] > 0
    assert answer.geometry == "learnt" and not answer.notes


def test_a_planted_future_changes_nothing(seeing: Predictor, film: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.mp4"
    writer = cv2.VideoWriter(str(other), cv2.VideoWriter.fourcc(*"MJPG"), 10, (96, 54))
    same = tmp_path / "same.avi"
    plain = cv2.VideoWriter(str(same), cv2.VideoWriter.fourcc(*"MJPG"), 10, (96, 54))
    noise = np.random.default_rng(0)
    for number in range(16):
        picture = noise.integers(0, 256, (54, 96, 3), dtype=np.uint8)
        writer.write(picture)
        plain.write(picture if number <= 9 else 255 - picture)
    writer.release()
    plain.release()
    one, changed = (seeing.video(path, TOLD, frame=9) for path in (other, same))
    assert [m.frame for m in one.keyframes] == [m.frame for m in changed.keyframes]
    assert all(m.frame < 9 for m in one.keyframes)
    np.testing.assert_array_equal(one.maps, changed.maps)
    later = seeing.video(same, TOLD, frame=12)
    assert not np.array_equal(later.maps, changed.maps)


def test_another_instruction_gives_other_maps_and_other_words_the_same_keyframes(seeing: Predictor, film: Path) -> None:
    one, other = seeing.video(film, TOLD), seeing.video(film, INSTRUCTIONS[1])
    assert [m.frame for m in one.keyframes] == [m.frame for m in other.keyframes]
    assert np.abs(one.maps - other.maps).max() > 1e-6 and np.abs(one.goal - other.goal).max() > 1e-6


def test_a_network_with_sensors_lets_its_own_encoder_stand_in_and_says_so(sensing: Predictor, film: Path) -> None:
    answer = sensing.video(film, TOLD)
    assert answer.geometry == "estimated" and "its own vggt encoder estimates them" in answer.notes[0]
    # The stand-in says of the picked views what the sensors' encoder is then given.
    rgb = np.stack([m.seen for m in (*answer.keyframes, answer.current)])
    given = estimate(sensing.network, rgb)
    by_hand = sensing.answer(
        rgb[None], given.depth[None], given.pose[None], given.intrinsics[None], [TOLD]
    )  # fmt: skip
    np.testing.assert_allclose(answer.maps, by_hand["heatmap"][0], atol=1e-5)


def test_few_frames_are_all_keyframes(seeing: Predictor, tmp_path: Path) -> None:
    answer = seeing.video(write_video(tmp_path / "v.mp4", 3), TOLD, keyframes=3)
    assert [m.frame for m in answer.keyframes] == [0, 1] and answer.maps.shape == (2, 8, 8)
    assert answer.notes == (
        "Of the 3 keyframes asked for there are only 2: no more frames come before the current view.",
    )


@pytest.mark.parametrize(
    ("words", "note"),
    [
        (" ".join(["walk past the table"] * 530)[:10_000], "reads the first 16 of them"),
        ("走过沙发,然后停下", "byte by byte"),
    ],
)
def test_strange_instructions_are_answered_with_a_note(seeing: Predictor, film: Path, words: str, note: str) -> None:
    answer = seeing.video(film, words)
    assert np.isfinite(answer.maps).all() and any(note in said for said in answer.notes)


@pytest.mark.parametrize(
    ("ask", "sentence"),
    [
        (lambda p, v: p.video(v, "  "), "The instruction is empty"),
        (lambda p, v: p.video(v, TOLD, keyframes=4), "4 keyframes were asked for, but this model takes 1 to 3"),
        (lambda p, v: p.video(v, TOLD, algorithm="enhnced"), "did you mean 'enhanced'"),
        (lambda p, v: p.video(v, TOLD, candidates=2), "3 keyframes cannot be picked from 2 candidates"),
        (lambda p, v: predictor("sensors").video(v, TOLD), "a video has none: give a recorded episode"),
    ],
)
def test_wishes_that_cannot_be_met_are_told(
    seeing: Predictor, film: Path, ask: Callable[[Predictor, Path], Recall], sentence: str
) -> None:
    with pytest.raises(UsageError, match=sentence):
        ask(seeing, film)


def test_the_future_in_the_geometry_is_never_picked() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 3), dtype=np.uint8)
    pose = np.tile(np.eye(4), (7, 1, 1))
    pose[:, 0, 3] = range(7)
    around = Surroundings(pose, np.ones((7, 8, 8), np.float32), np.tile(np.diag([8.0, 8.0, 1.0]), (7, 1, 1)))
    for algorithm in SAMPLERS:
        assert max(pick(rgb, around, algorithm, 4)) < 6


def saved(folder: Path, made: Predictor) -> Path:
    about = CheckpointConfig(network=made.config, tokens=len(made.tokenizer), phase="joint", step=3)
    write_checkpoint(folder, about, made.tokenizer, History(), made.network.state_dict())
    return folder


def test_three_lines_from_a_checkpoint_to_files(seeing: Predictor, film: Path, tmp_path: Path) -> None:
    opened = Predictor.open(saved(tmp_path / "checkpoint", seeing), device="cpu")
    answer = opened.video(film, TOLD)
    files = answer.save(tmp_path / "out")
    overlays = sorted(path.name for path in files if path.name.startswith("keyframe-"))
    assert len(overlays) == 3 and {RECORD, VIDEO, "sheet.png"} <= {path.name for path in files}
    said = json.loads((tmp_path / "out" / RECORD).read_text())
    np.testing.assert_allclose([k["map"] for k in said["keyframes"]], answer.maps, atol=1e-6)
    assert said["square"] == {"left": 21, "top": 0, "side": 54} and said["current"]["frame"] == 29
    assert [k["frame"] for k in said["keyframes"]] == [m.frame for m in answer.keyframes]
    assert all(21 <= k["peak"][0] <= 75 and 0 <= k["peak"][1] <= 54 for k in said["keyframes"])
    played = cv2.VideoCapture(str(tmp_path / "out" / VIDEO))
    count = 0
    while played.read()[0]:
        count += 1
    assert count == len(answer.footage.past) + 8 * 3


def test_an_answer_takes_an_older_ones_place_but_nothing_elses(seeing: Predictor, film: Path, tmp_path: Path) -> None:
    answer, out = seeing.video(film, TOLD, keyframes=1, frame=2), tmp_path / "out"
    answer.save(out)
    first = sorted(path.name for path in out.iterdir())
    replace(answer, keyframes=answer.keyframes).save(out)
    assert sorted(path.name for path in out.iterdir()) == first and sorted(tmp_path.iterdir()) == [out]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(UsageError, match="holds other things"):
        answer.save(tmp_path / "mine")


def test_what_breaks_off_leaves_nothing(
    seeing: Predictor, film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = seeing.video(film, TOLD, frame=3)
    monkeypatch.setattr("model.answer_files.CODEC", "nope")
    with pytest.raises(BacksightError, match="OpenCV cannot write nope"):
        answer.save(tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_foreign_folders_and_devices_are_told(seeing: Predictor, tmp_path: Path) -> None:
    folder = saved(tmp_path / "checkpoint", seeing)
    with pytest.raises(UsageError, match="There is no folder"):
        Predictor.open(tmp_path / "absent")
    with pytest.raises(DataError, match=r"holds no config\.json"):
        Predictor.open(tmp_path)
    with pytest.raises(UsageError, match="--device is 'cuda:63', but this machine has"):
        Predictor.open(folder, device="cuda:63")
    with pytest.raises(UsageError, match="--device is 'gpu', which is no device"):
        Predictor.open(folder, device="gpu")
    with pytest.raises(UsageError, match="--device is 'meta', on which this network has never run"):
        Predictor.open(folder, device="meta")
    config = json.loads((folder / "config.json").read_text())
    config["network"]["language"]["width"] = 64
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(DataError, match="The checkpoint does not fit the network"):
        Predictor.open(folder)
    for damage in (b"{", b"\xff\xfe{"):
        (folder / "config.json").write_bytes(damage)
        with pytest.raises(DataError, match=r"config\.json is no checkpoint's config"):
            Predictor.open(folder)


def test_the_language_model_comes_and_goes(
    seeing: Predictor, film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = Predictor.open(saved(tmp_path / "checkpoint", seeing), device="cpu", unload_language=True)
    language, moves = opened.network.language, []
    monkeypatch.setattr(language, "load", lambda device: moves.append(("load", device)))
    monkeypatch.setattr(language, "unload", lambda: moves.append("unload"))
    answer = opened.video(film, TOLD)
    assert moves == [("load", torch.device("cpu")), "unload"]
    np.testing.assert_allclose(answer.maps, seeing.video(film, TOLD).maps, atol=1e-6)


@pytest.mark.parametrize(
    "refusal",
    [MemoryError(), torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")],
)
def test_too_little_memory_is_a_sentence(
    seeing: Predictor, film: Path, refusal: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise refusal

    monkeypatch.setattr(seeing, "predict", refuse)
    with pytest.raises(BacksightError, match="The memory of cpu is too small for this: use fewer --candidates"):
        seeing.video(film, TOLD)


def test_the_allocator_of_this_machine_is_understood() -> None:
    with pytest.raises(BacksightError, match="is too small"), enough_memory("cpu", "take less"):
        torch.empty(1 << 60, dtype=torch.uint8)
    with pytest.raises(RuntimeError, match="something else"), enough_memory("cpu", "take less"):
        raise RuntimeError("something else")
