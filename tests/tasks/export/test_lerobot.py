"""The LeRobot export: its layout, its numbers against the recording, and what it must not hold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from scipy.spatial.transform import Rotation

import flows.cli as cli
from tasks.collect.camera import camera_pose
from tasks.export import lerobot
from tasks.export.lerobot import DEPTH, RGB
from tasks.export.motion import moves
from tasks.export.statistics import PixelCounts, of_vectors
from tasks.view.episode import read_episode
from tasks.view.source import FolderSource
from tests.box_world import write_dataset

Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def boxes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    splits = {"train": 2, "val_unseen": 1, "sealed": 1}
    return write_dataset(tmp_path_factory.mktemp("boxes") / "dataset", splits, frames=7)


@pytest.fixture(scope="module")
def exported(boxes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("exported") / "walks"
    assert cli.invoke(["export", "lerobot", str(boxes), "--out", str(out), "--fps", "5"]) == 0
    return out


def rows(folder: Path) -> list[dict[str, Any]]:
    files = sorted(folder.glob("data/*/*.parquet"))
    return [row for file in files for row in pq.read_table(file).to_pylist()]


def read_json(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text())


def test_the_layout_is_version_three(exported: Path) -> None:
    assert sorted(str(p.relative_to(exported)) for p in exported.rglob("*") if p.is_file()) == [
        "data/chunk-000/file-000.parquet",
        "meta/episodes/chunk-000/file-000.parquet",
        "meta/info.json",
        "meta/stats.json",
        "meta/tasks.parquet",
    ]
    info = read_json(exported / "meta/info.json")
    assert (info["codebase_version"], info["fps"]) == ("v3.0", 5)
    assert (info["total_episodes"], info["total_frames"]) == (6, 42)
    assert info["splits"] == {"train": "0:4", "val_unseen": "4:6"}
    assert set(info["features"]) == set(pq.read_schema(exported / "data/chunk-000/file-000.parquet").names)
    assert info["features"][RGB]["shape"] == [32, 32, 3]
    tasks = pd.read_parquet(exported / "meta/tasks.parquet")
    assert tasks["task_index"].tolist() == list(range(info["total_tasks"])) and tasks.index[0].startswith("walk past")


def test_frames_are_the_recorded_bytes(exported: Path, boxes: Path) -> None:
    found = rows(exported)
    episodes = pq.read_table(exported / "meta/episodes/chunk-000/file-000.parquet").to_pylist()
    assert [row["index"] for row in found] == list(range(42))
    tasks = pd.read_parquet(exported / "meta/tasks.parquet").index.tolist()
    for entry in episodes:
        own = found[entry["dataset_from_index"] : entry["dataset_to_index"]]
        original = read_episode(FolderSource(boxes), entry["backsight/episode"])
        assert [row[RGB]["bytes"] for row in own] == list(original.encoded["rgb"])
        assert [row[DEPTH]["bytes"] for row in own] == list(original.encoded["depth"])
        assert [row["frame_index"] for row in own] == list(range(7)) and entry["length"] == 7
        assert np.allclose([row["timestamp"] for row in own], np.arange(7) / 5)
        assert {row["episode_index"] for row in own} == {entry["episode_index"]}
        assert entry["tasks"] == [original.instruction] == [tasks[own[0]["task_index"]]]
        assert [row["next.done"] for row in own] == [False] * 6 + [True]
        state = np.array([row["observation.state"] for row in own])
        assert np.allclose(state[:, :3], original.poses[:, :3, 3], atol=1e-6)
        assert np.allclose(Rotation.from_quat(state[:, 3:]).as_matrix(), original.poses[:, :3, :3], atol=1e-6)


def test_sealed_walks_stay_sealed(exported: Path, boxes: Path, tmp_path: Path, capsys: Capture) -> None:
    entries = pq.read_table(exported / "meta/episodes/chunk-000/file-000.parquet").to_pylist()
    assert {entry["backsight/split"] for entry in entries} == {"train", "val_unseen"}
    assert cli.invoke(["export", "lerobot", str(boxes), "--out", str(tmp_path / "x"), "--split", "sealed"]) == 2
    assert "sealed" in capsys.readouterr().err and not (tmp_path / "x").exists()


def test_actions_lead_from_pose_to_pose() -> None:
    """Walk the actions again from the first pose: they end where the walk ended."""
    headings = np.array([3.0, 3.3, 3.3, 2.9, 2.9, 2.9])
    steps = np.array([0, 0.25, 0, 0.4, 0.25, 0])
    place, poses = np.array([1.0, 1.5, 2.0]), []
    for heading, step in zip(headings, steps, strict=True):
        poses.append(camera_pose(place.copy(), heading, -0.2))
        place[[0, 2]] += step * np.array([-np.sin(heading), -np.cos(heading)])
    found = moves(np.stack(poses), ["left", "forward", "right", "forward", "forward", "stop"])
    assert np.allclose(found[:, 0], [0, 0.25, 0, 0.4, 0.25, 0])
    assert np.allclose(found[:, 1], [0.3, 0, -0.4, 0, 0, 0])
    assert found[:, 2].tolist() == [0, 0, 0, 0, 0, 1]


def test_statistics_are_those_of_the_numbers(exported: Path) -> None:
    stats, found = read_json(exported / "meta/stats.json"), rows(exported)
    for name in ("action", "observation.state"):
        values = np.array([row[name] for row in found])
        assert np.allclose(stats[name]["mean"], values.mean(axis=0), atol=1e-6)
        assert np.allclose(stats[name]["q90"], np.quantile(values, 0.9, axis=0), atol=1e-6)
        assert stats[name]["count"] == [42]
    images = np.stack([cv2.imdecode(np.frombuffer(row[RGB]["bytes"], np.uint8), 1)[::4, ::4, ::-1] for row in found])
    assert np.allclose(np.ravel(stats[RGB]["mean"]), images.mean(axis=(0, 1, 2)) / 255)
    assert np.allclose(np.ravel(stats[RGB]["std"]), images.std(axis=(0, 1, 2)) / 255)
    assert np.shape(stats[RGB]["min"]) == (3, 1, 1) and np.shape(stats[DEPTH]["max"]) == (1, 1, 1)


def test_pixel_counts_agree_with_numpy() -> None:
    pixels = np.random.default_rng(0).integers(0, 1000, (3, 5, 7, 2)).astype(np.uint16)
    counts = PixelCounts(2, 65536)
    counts.add(pixels[:1])
    counts.add(pixels[1:])
    found = counts.statistics(10.0)
    flat = pixels.reshape(-1, 2) / 10
    expected = of_vectors(flat)
    for name in ("min", "max", "mean", "std"):
        assert np.allclose(np.ravel(found[name]), expected[name])
    lower = np.quantile(flat, 0.5, axis=0, method="inverted_cdf")
    assert np.allclose(np.ravel(found["q50"]), lower) and found["count"] == [3]


def test_a_full_file_is_followed_by_another(
    boxes: Path, tmp_path: Path, exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lerobot, "MEGABYTES", 0)
    assert cli.invoke(["export", "lerobot", str(boxes), "--out", str(tmp_path / "many"), "--fps", "5"]) == 0
    assert len(list((tmp_path / "many/data/chunk-000").iterdir())) == 6
    assert rows(tmp_path / "many") == rows(exported)
    entries = pq.read_table(tmp_path / "many/meta/episodes/chunk-000/file-000.parquet").to_pylist()
    assert [entry["data/file_index"] for entry in entries] == list(range(6))


def test_nothing_is_overwritten(boxes: Path, exported: Path, capsys: Capture) -> None:
    assert cli.invoke(["export", "lerobot", str(boxes), "--out", str(exported)]) == 2
    assert "exists already" in capsys.readouterr().err
