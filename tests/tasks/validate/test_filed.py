"""Entries of episode file and scenes.json that lack a part or hold something else there: their walks alone are lost."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tasks.validate.filed import agrees
from tasks.validate.measure import measure
from tasks.validate.reading import Dataset
from tasks.validate.spec import Thresholds
from tests.tasks.validate.conftest import PLAN, dataset_in

Damage = Callable[[dict[str, Any]], Any]

DAMAGES: dict[str, Damage] = {
    "no goal": lambda entry: entry["goals"].clear(),
    "goal without radius": lambda entry: entry["goals"][0].pop("radius"),
    "no path": lambda entry: entry.pop("reference_path"),
    "ragged path": lambda entry: entry["reference_path"].__setitem__(0, [1.0]),
    "start of nothing": lambda entry: entry.update(start_position=None),
    "rotation of three": lambda entry: entry.update(start_rotation=[0.0, 0.0, 0.0]),
    "height in words": lambda entry: entry["info"]["camera"].update(height="tall"),
    "tokens in words": lambda entry: entry["instruction"].update(instruction_tokens=["go"]),
    "facts in words": lambda entry: entry.update(info="none"),
}


@pytest.fixture
def dataset(collected: Path) -> Dataset:
    return dataset_in(collected, PLAN.model_dump(mode="json"))


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_malformed_entry_tells_of_another_walk(dataset: Dataset, damage: Damage) -> None:
    rows = dataset.walks()[0]
    entry = copy.deepcopy(dataset.entries[rows["episode"][0]])
    assert agrees(entry, rows, dataset) == 1
    damage(entry)
    assert agrees(entry, rows, dataset) == 0


@pytest.mark.parametrize(
    "damage",
    [
        lambda scene: scene.pop("id"),
        lambda scene: scene["objects"][0].pop("centre"),
        lambda scene: scene["objects"][0].update(size=None),
        lambda scene: scene["objects"][0].update(id=10**9),
        lambda scene: scene["rooms"][0].pop("polygon"),
        lambda scene: scene["rooms"][0].update(category=None),
        lambda scene: scene["rooms"][0].update(polygon=[[0.0, 0.0, 0.0]] * 4),
    ],
)
def test_a_malformed_scene_is_none(collected: Path, tmp_path: Path, damage: Damage) -> None:
    folder = Path(shutil.copytree(collected, tmp_path / "dataset"))
    told = json.loads((folder / "scenes.json").read_text())
    whole = {scene["id"] for scene in told["scenes"]}
    hurt = told["scenes"][0]["id"]
    damage(told["scenes"][0])
    (folder / "scenes.json").write_text(json.dumps(told))
    assert set(dataset_in(folder, PLAN.model_dump(mode="json")).scenes) == whole - {hurt}


def test_further_facts_that_are_none_are_empty(dataset: Dataset) -> None:
    name = dataset.walks()[0]["episode"][0]
    for wrong in (7, "source", ["source"], None):
        dataset.entries[name]["info"] = wrong
        assert dataset.info(name) == {} and not dataset.is_given(name)
    dataset.entries[name]["info"] = {"source": "elsewhere"}
    assert dataset.is_given(name)


def test_landmarks_that_are_no_objects_were_not_seen(dataset: Dataset) -> None:
    wrong: list[Any] = [["sofa"], [99_999], [-1], [None], None, 7]
    names = [rows["episode"][0] for rows in dataset.walks()][: len(wrong)]
    for name, landmarks in zip(names, wrong, strict=True):
        dataset.entries[name]["info"]["landmarks"] = landmarks
    listed = {row["episode"]: row["listed"] for row in measure(dataset, Thresholds(), 1, lambda done: None).episodes}
    assert [listed[name] for name in names[:4]] == [0, 0, 0, 0]
    assert all(np.isnan(listed[name]) for name in names[4:])
