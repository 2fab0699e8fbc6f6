"""Plans of buildings by seed, with and without views into them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import flows.cli as cli
from tasks.collect.embedded.building import build
from tasks.view.building import building_sheet, facts, floors_of, spread_out

Capture = pytest.CaptureFixture[str]


@pytest.mark.parametrize("building", ["7", "h7", "d7"])
def test_a_plan_needs_no_renderer(building: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import moderngl

    def missing(**_: object) -> None:
        raise AssertionError("a plan opened a renderer")

    monkeypatch.setattr(moderngl, "create_standalone_context", missing)
    assert cli.invoke(["scene", building, "--rooms", "4", "5", "--out", str(tmp_path / "plan.png")]) == 0
    assert np.asarray(Image.open(tmp_path / "plan.png")).std() > 20


def test_views_are_added_below(tmp_path: Path) -> None:
    plan, views = tmp_path / "plan.png", tmp_path / "views.png"
    for path, count in ((plan, "0"), (views, "3")):
        assert cli.invoke(["scene", "b7", "--rooms", "4", "5", "--views", count, "--out", str(path)]) == 0
    a, b = Image.open(plan), Image.open(views)
    assert b.height > a.height + 100 and a.width == b.width
    below = np.asarray(b)[a.height :]
    assert len(np.unique(below.reshape(-1, 3), axis=0)) > 1000


@pytest.mark.parametrize("building", ["nowhere", "-3", "b", "7.5"])
def test_what_is_no_building_is_told(building: str, capsys: Capture) -> None:
    assert cli.invoke(["scene", "--", building]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_facts_and_floors() -> None:
    scene = build(5, (4, 5)).graph.as_json()
    assert facts(scene).startswith(f"{len(scene['rooms'])} rooms")
    assert floors_of(scene) == [scene]
    above = {"id": 99, "category": "attic", "name": "attic", "polygon": ((0, 0), (4, 0), (4, 3), (0, 3)), "floor": 2.8}
    thing = scene["objects"][0] | {"id": 1000, "room": 99}
    tall = scene | {"rooms": (*scene["rooms"], above), "objects": (*scene["objects"], thing)}
    low, high = floors_of(tall)
    assert len(low["rooms"]) == len(scene["rooms"]) and [r["id"] for r in high["rooms"]] == [99]
    assert [o["id"] for o in high["objects"]] == [1000]
    assert building_sheet(tall, "two floors").height > building_sheet(scene, "one floor").height + 200


def test_places_are_spread_out() -> None:
    points = np.array([[0, 0, 0], [0.1, 0, 0], [5, 0, 0], [5, 0, 0.1], [0, 0, 4]], dtype=float)
    chosen = spread_out(points, 3)
    assert {tuple(p) for p in chosen} >= {(0, 0, 0), (0, 0, 4)} and len(np.unique(chosen, axis=0)) == 3
