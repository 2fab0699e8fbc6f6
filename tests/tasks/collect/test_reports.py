"""Reports say what is in a dataset and in buildings."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest

import flows.cli as cli
from tasks.collect.draw import draw_dataset, draw_plan
from tasks.collect.embedded.building import build
from tasks.collect.label_report import label_report
from tasks.collect.variety import entropy, variety
from tasks.view.source import FolderSource
from tests.tasks.collect.conftest import Collected


def test_label_shares_are_shares(collected: Collected) -> None:
    report = label_report(FolderSource(collected.folder), 30, 4)
    assert report["all"]["views"] == 30 == sum(f["views"] for name, f in report.items() if name != "all")
    for figures in report.values():
        assert figures["out_of_view"] + figures["occluded"] + figures["covisible"] == pytest.approx(1, abs=1e-3)
        assert 0 <= figures["covisible_share"] <= figures["visible"] <= 1


def test_the_command_prints_the_labels_of_a_folder(collected: Collected, capsys: pytest.CaptureFixture[str]) -> None:
    call = ["report", "labels", str(collected.folder), "--views", "6", "--keyframes", "3"]
    assert cli.invoke(call) == 0
    header, *lines = capsys.readouterr().out.splitlines()
    assert header.split()[:2] == ["stratum", "visible"] and lines[0].split()[0] == "all"
    assert cli.invoke([*call, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["all"]["views"] == 6
    assert cli.invoke(["report", "labels", str(collected.folder), "--keyframes", "500"]) == 2
    assert "longer than 500 frames" in capsys.readouterr().err


def test_entropy_of_equal_kinds_is_their_logarithm() -> None:
    assert entropy(Counter(dict.fromkeys("abcdefgh", 5))) == 3.0
    assert entropy(Counter({"only": 9})) == 0.0


def test_variety_counts_what_buildings_hold(capsys: pytest.CaptureFixture[str]) -> None:
    report = variety(6, (4, 6)).report()
    buildings = [build(seed, (4, 6)) for seed in range(6)]
    assert report["rooms"][0] >= 4 and report["rooms"][-1] <= 6
    assert sum(report["objects"].values()) == sum(len(b.graph.objects) for b in buildings)
    assert report["distinct_looks_share"] > 0.9
    assert cli.invoke(["report", "variety", "--buildings", "2", "--rooms", "4", "5", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["buildings"] == 2
    assert cli.invoke(["report", "variety", "--buildings", "2"]) == 0
    assert "square_metres" in capsys.readouterr().out
    assert cli.invoke(["report", "variety", "--rooms", "9", "4"]) == 2
    assert "Rooms 9 to 4 must be ordered" in capsys.readouterr().err


def test_pictures_show_plan_and_walks(collected: Collected, tmp_path: Path) -> None:
    plan, sheet = draw_dataset(collected.folder, tmp_path)
    assert np.asarray(cv2.imread(str(plan))).std() > 10 and np.asarray(cv2.imread(str(sheet))).std() > 10


def test_a_walk_is_drawn_where_it_went() -> None:
    scene = build(5, (4, 5)).graph.as_json()
    x, z = np.mean(scene["rooms"][0]["polygon"], axis=0)
    walk = np.array([[x, 0, z], [x + 0.5, 0, z]])
    bare, drawn = draw_plan(scene, []), draw_plan(scene, [walk])
    rows, columns = np.nonzero((bare != drawn).any(axis=2))
    low = np.min([point for room in scene["rooms"] for point in room["polygon"]], axis=0)
    assert abs(columns.min() / 60 - (x - low[0] + 0.5)) < 0.2 and abs(rows.mean() / 60 - (z - low[1] + 0.5)) < 0.1
