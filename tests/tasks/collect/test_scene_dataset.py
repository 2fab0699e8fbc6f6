"""Scene dataset configs whose files are there, and those whose are not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tasks.collect.embedded.export import main as export
from tasks.collect.habitat import HabitatSimulator
from tasks.collect.scene_dataset import check_scene_dataset
from tasks.errors import BacksightError, DataError, UsageError


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scenes")
    assert export([str(folder), "3", "--rooms", "4", "4"]) == 0
    return folder


@pytest.fixture
def config(written: Path, tmp_path: Path) -> Path:
    for path in written.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path / "buildings.scene_dataset_config.json"


def test_what_export_writes_is_whole(config: Path) -> None:
    check_scene_dataset(config)


def test_a_public_layout_is_accepted(tmp_path: Path) -> None:
    (tmp_path / "hm3d-train.glb").write_bytes(b"")
    layout = {
        "stages": {"paths": {".glb": ["*-train.glb", "*-minival.glb"]}, "default_attributes": {"shader_type": "flat"}},
        "objects": {"paths": {".json": ["configs/objects/*"]}},
        "scene_instances": {"paths": {".json": ["*.scene_instance.json"]}},
    }
    path = tmp_path / "hm3d.scene_dataset_config.json"
    path.write_text(json.dumps(layout))
    check_scene_dataset(path)


@pytest.mark.parametrize(
    ("asset", "named"), [("b3.glb", "render_asset b3.glb"), ("b3.semantic.txt", "b3.semantic.txt")]
)
def test_a_missing_asset_is_named_with_its_stage(config: Path, asset: str, named: str) -> None:
    (config.parent / asset).unlink()
    with pytest.raises(DataError, match=r"b3\.stage_config\.json") as caught:
        check_scene_dataset(config)
    assert named in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"stages": {"paths": {".json": ["gone/b3.stage_config.json"]}}}, "gone/b3.stage_config.json"),
        ({"stages": {"paths": {".json": ["nothing-*.json"]}}}, "no stage"),
        ({}, "no stage"),
        ([], "no JSON object"),
        ("{", "no JSON"),
    ],
)
def test_a_broken_config_is_one_sentence_before_any_engine_starts(tmp_path: Path, content: Any, words: str) -> None:
    path = tmp_path / "x.scene_dataset_config.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(BacksightError, match=r"x\.scene_dataset_config\.json") as caught:
        HabitatSimulator(str(path), (64, 64))
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_no_config_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        check_scene_dataset(tmp_path / "gone.json")
