"""`backsight predict` as a person types it: videos, a batch, a recorded episode, settings in a file, and mistakes."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import numpy as np
import pytest
import torch

import flows.cli as cli
from model import answer_files
from model.config import NetworkConfig
from model.recall import Recall
from model.spatial_mllm import SpatialMLLM
from model.tokenizer import Tokenizer
from model.training.checkpoint import CheckpointConfig, write_checkpoint
from model.training.history import History
from tasks.predict.predict import folders
from tasks.store import ArtefactStore
from tests.box_world import write_dataset
from tests.published import INSTRUCTIONS, NETWORK, checkpoint
from tests.videos import write_video

Capture = pytest.CaptureFixture[str]
TOLD = ["--instruction", INSTRUCTIONS[0]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint that needs no sensors, another that does, two videos and a recorded dataset."""
    folder = tmp_path_factory.mktemp("predict")
    torch.manual_seed(0)
    tokenizer = Tokenizer.train(INSTRUCTIONS, 300)
    for name, encoders in {"seeing": ("vggt",), "sensing": ("sensors",)}.items():
        config = NetworkConfig.model_validate({**NETWORK.model_dump(), "encoders": encoders})
        about = CheckpointConfig(network=config, tokens=len(tokenizer), phase="joint", step=3)
        weights = SpatialMLLM(config, len(tokenizer)).state_dict()
        write_checkpoint(folder / name, about, tokenizer, History(), weights)
    write_video(folder / "a.mp4", 12)
    write_video(folder / "b.mp4", 8, 64, 96)
    write_dataset(folder / "boxes", {"val_unseen": 1}, frames=10)
    return folder


@pytest.fixture(autouse=True)
def at_home(home: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)


def record(out: Path) -> dict:
    return json.loads((out / "prediction.json").read_text())


def test_one_video(tmp_path: Path, capsys: Capture) -> None:
    out = tmp_path / "out"
    asked = ["predict", "--video", "a.mp4", *TOLD, "--model", "seeing", "--algorithm", "fast", "--keyframes", "2"]
    assert cli.invoke([*asked, "--out", str(out)]) == 0
    said = record(out)
    assert said["algorithm"] == "fast" and len(said["keyframes"]) == 2 and said["current"]["frame"] == 11
    assert said["model"] == {"name": "seeing", "phase": "joint", "step": 3, "encoders": ["vggt"]}
    told = capsys.readouterr().out
    assert "model seeing (joint, step 3)" in told and f"written to {out}" in told
    for keyframe in said["keyframes"]:
        assert (out / f"keyframe-{said['keyframes'].index(keyframe) + 1}-frame-{keyframe['frame']:06d}.png").is_file()


def test_a_batch_goes_on_past_a_broken_video(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "broken.mp4").write_bytes(b"nothing")
    videos = ["a.mp4", str(tmp_path / "broken.mp4"), "b.mp4", "a.mp4"]
    assert cli.invoke(["predict", "--batch", *videos, *TOLD, "--model", "seeing", "--out", str(tmp_path / "out")]) == 1
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a", "a-2", "b"]
    assert "broken.mp4 is no video that can be read" in capsys.readouterr().err
    assert record(tmp_path / "out" / "b")["size"] == [64, 96]


def test_no_two_videos_of_a_batch_share_a_folder(tmp_path: Path) -> None:
    videos = [Path(name) for name in ("a.mp4", "b/a.mp4", "a-2.mp4", "c/a.mkv", "a-2-2.mp4")]
    assert [folder.name for folder in folders(videos, tmp_path)] == ["a", "a-2", "a-2-2", "a-3", "a-2-2-2"]


def test_what_no_video_could_meet_ends_a_batch_at_once(tmp_path: Path, capsys: Capture) -> None:
    asked = ["predict", "--batch", "a.mp4", "b.mp4", "--instruction", " ", "--model", "seeing"]
    assert cli.invoke([*asked, "--out", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err.count("The instruction is empty") == 1 and not list(tmp_path.iterdir())


@pytest.mark.parametrize("inside", ["", "sub", "sub/sub"])
@pytest.mark.parametrize("batch", [[], ["--batch"]])
def test_a_file_in_the_folders_place_is_told_before_a_model_is_read(
    batch: list[str], inside: str, tmp_path: Path, capsys: Capture
) -> None:
    (tmp_path / "file").write_text("mine")
    out = str(tmp_path / "file" / inside)
    assert cli.invoke(["predict", *batch, "a.mp4", *TOLD, "--model", "nowhere", "--out", out]) == 2
    assert f"{tmp_path / 'file'} is a file: name a folder with --out." in capsys.readouterr().err
    assert (tmp_path / "file").read_text() == "mine"


def test_a_link_to_a_folder_stays_one(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    link = tmp_path / "out"
    link.symlink_to(tmp_path / "disk")
    assert cli.invoke(["predict", "--video", "b.mp4", *TOLD, "--model", "seeing", "--out", str(link)]) == 0
    assert link.is_symlink() and record(tmp_path / "disk")["source"] == "b.mp4"


def test_a_disk_that_takes_nothing_costs_a_video_its_answer_alone(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, full = answer_files.write_video, OSError(errno.ENOSPC, "No space left on device")

    def refuse(answer: Recall, path: Path) -> None:
        if answer.current.frame == 11:
            raise full
        write(answer, path)

    monkeypatch.setattr(answer_files, "write_video", refuse)
    asked = ["predict", "--batch", "a.mp4", "b.mp4", *TOLD, "--model", "seeing", "--out", str(tmp_path / "out")]
    assert cli.invoke(asked) == 1
    assert f"cannot be written to {tmp_path / 'out' / 'a'}: No space left on device." in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["b"]


def test_a_recorded_episode_brings_its_sensors_and_the_truth(tmp_path: Path, capsys: Capture) -> None:
    from model.data.walks import DatasetFiles, open_dataset

    walk = open_dataset(DatasetFiles.inside(Path("boxes"))).walks[0]
    out = tmp_path / "out"
    asked = ["predict", "--episode", walk.episode, "--dataset", "boxes", "--model", "sensing", "--out", str(out)]
    assert cli.invoke([*asked, "--frame", "7"]) == 0
    said = record(out)
    assert said["geometry"] == "measured" and said["instruction"] == walk.instruction
    assert said["current"]["frame"] == 7 and all(k["frame"] < 7 and k["kld"] >= 0 for k in said["keyframes"])
    assert cli.invoke([*asked, "--frame", "10"]) == 2
    assert "the current view is one of 1 to 9, not 10" in capsys.readouterr().err


def test_settings_come_from_a_file_and_the_command_line_goes_before(tmp_path: Path, capsys: Capture) -> None:
    settings = tmp_path / "s.yaml"
    settings.write_text(
        f"model: seeing\ninstruction: {INSTRUCTIONS[1]}\nalgorithm: uniform\nkeyframes: 1\nfit: letterbox\n"
    )
    out = tmp_path / "out"
    assert (
        cli.invoke(["predict", "--video", "b.mp4", "--config", str(settings), "--keyframes", "2", "--out", str(out)])
        == 0
    )
    said = record(out)
    assert (said["algorithm"], len(said["keyframes"]), said["instruction"]) == ("uniform", 2, INSTRUCTIONS[1])
    assert said["square"] == {"left": -16, "top": 0, "side": 96}
    settings.write_text("algoritm: fast\n")
    assert cli.invoke(["predict", "--video", "b.mp4", "--config", str(settings)]) == 2
    assert "algoritm: there is no such key; did you mean algorithm" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("asked", "code", "sentence"),
    [
        ([], 2, "Name one video (--video v.mp4), several (--batch a.mp4 b.mp4), or an --episode."),
        (["a.mp4", "b.mp4", *TOLD], 2, "Name one video"),
        (["--video", "a.mp4", "--model", "seeing"], 2, "No instruction is given"),
        (
            ["--video", "a.mp4", "--instruction", "go \udcff", "--model", "seeing"],
            2,
            "instruction: is no text in UTF-8",
        ),
        (["--video", "a.mp4", *TOLD, "--model", "seing"], 2, "There is no model 'seing'"),
        (["--video", "a.mp4", *TOLD, "--model", "boxes"], 1, "boxes holds no config.json"),
        (["--video", "a.mp4", *TOLD, "--model", "seeing", "--dataset", "boxes"], 2, "--dataset says where"),
        (["--video", "a.mp4", *TOLD, "--model", "seeing", "--keyframes", "9"], 2, "this model takes 1 to 3"),
        (["--video", "a.mp4", *TOLD, "--model", "sensing"], 2, "give a recorded episode with --episode"),
        (["--video", "a.mp4", *TOLD, "--model", "seeing", "--device", "cuda:63"], 2, "this machine has"),
        (["--video", "a.mp4", *TOLD], 2, "No artefact store is configured"),
        (["--episode", "nobody", "--dataset", "boxes", "--model", "sensing"], 2, "There is no episode 'nobody'"),
    ],
)
def test_what_is_wrong_is_one_sentence_and_leaves_nothing(
    asked: list[str], code: int, sentence: str, tmp_path: Path, capsys: Capture
) -> None:
    assert cli.invoke(["predict", *asked, "--out", str(tmp_path / "out")]) == code
    errors = capsys.readouterr().err.strip().splitlines()
    assert errors[-1].startswith("error: ") and sentence in errors[-1]
    assert not list(tmp_path.glob("out*")) and not list(tmp_path.glob(".out*"))


def test_a_published_checkpoint_by_its_id(store: ArtefactStore, tmp_path: Path, capsys: Capture) -> None:
    config = NetworkConfig.model_validate({**NETWORK.model_dump(), "encoders": ("vggt",)})
    id = checkpoint(store, tmp_path, config)
    assert cli.invoke(["predict", "--video", "a.mp4", *TOLD, "--model", id, "--out", str(tmp_path / "out")]) == 0
    maps = np.array([k["map"] for k in record(tmp_path / "out")["keyframes"]])
    assert maps.shape == (3, 8, 8) and record(tmp_path / "out")["model"]["name"] == id
    assert cli.invoke(["predict", "--video", "a.mp4", *TOLD, "--out", str(tmp_path / "other")]) == 2
    assert "There is no champion yet" in capsys.readouterr().err
