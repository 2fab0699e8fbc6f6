"""Pictures show what they are given: heat where the map is, nothing where there is nothing, all sizes and gaps."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from model.draw import ViewPicture, memory_sheet, overlay, scene_plan, training_curve
from model.draw.curve import smoothed
from model.draw.palette import INK, keyframe_colour
from tests.model.rooms import camera_pose

GRID, SIDE = 8, 32


def grey(value: int = 128) -> np.ndarray:
    return np.full((SIDE, SIDE, 3), value, np.uint8)


def one_cell(row: int, column: int) -> np.ndarray:
    grid = np.zeros((GRID, GRID))
    grid[row, column] = 1
    return grid


def pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image).astype(float)


def test_heat_lies_on_its_cell_and_nowhere_else() -> None:
    dark = pixels(overlay(grey(), np.zeros((GRID, GRID)), 1.0, 160))
    lit = pixels(overlay(grey(), one_cell(2, 5), 1.0, 160))
    assert dark.shape == (160, 160, 3) and dark.max() < 128, "without heat the picture is only dimmed"
    change = np.abs(lit - dark).sum(-1)
    row, column = np.unravel_index(change.argmax(), change.shape)
    assert (row // 20, column // 20) == (2, 5)
    assert change[80:].max() <= 3 and change[:, :60].max() <= 3


def test_a_map_with_less_of_the_reference_is_dimmer() -> None:
    bright, dim = (pixels(overlay(grey(), share * one_cell(3, 3), 1.0, 80)).max() for share in (1.0, 0.1))
    assert bright > dim + 20


def test_pictures_keep_their_aspect() -> None:
    wide = np.zeros((SIDE, 2 * SIDE, 3), np.uint8)
    assert overlay(wide, one_cell(0, 0), 1.0, 100).size == (100, 50)


def view(keyframes: int = 3) -> ViewPicture:
    spots = np.stack([np.append(0.9 * one_cell(k % GRID, k % GRID).ravel(), 0.1) for k in range(keyframes)])
    return ViewPicture(
        current=grey(),
        keyframes=np.stack([grey(40 + 10 * k) for k in range(keyframes)]),
        frames=tuple(range(0, 4 * keyframes, 4)),
        now=4 * keyframes,
        predicted=spots,
        truth=spots[::-1].copy(),
        valid=np.ones(keyframes, bool),
        instruction="Walk to the kitchen. " * 30,
        caption="scene · episode",
    )


def holds(image: Image.Image, colour: tuple[int, int, int]) -> bool:
    return bool((np.asarray(image) == colour).all(-1).any())


def test_a_sheet_has_a_column_for_each_keyframe_that_there_is() -> None:
    three = memory_sheet(view(3), tile=96)
    assert all(holds(three, keyframe_colour(slot)) for slot in range(3))
    assert memory_sheet(view(5), tile=96).width - three.width == 2 * (
        memory_sheet(view(4), tile=96).width - three.width
    )
    padded = memory_sheet(replace(view(3), valid=np.array([True, False, True])), tile=96)
    assert padded.width == memory_sheet(view(2), tile=96).width
    assert not holds(padded, keyframe_colour(1)) and holds(padded, keyframe_colour(2))


def test_a_sheet_without_the_truth_is_a_row_shorter() -> None:
    assert memory_sheet(replace(view(), truth=None), tile=96).height < memory_sheet(view(), tile=96).height - 96


def test_what_is_not_in_view_is_said() -> None:
    none = np.zeros((3, GRID * GRID + 1))
    none[:, -1] = 1
    said, unsaid = memory_sheet(replace(view(), predicted=none), tile=96), memory_sheet(view(), tile=96)
    assert (np.asarray(said) != np.asarray(unsaid)).any()
    colour = np.asarray(keyframe_colour(0))
    bar = [(np.asarray(image) == colour).all(-1).sum() for image in (said, unsaid)]
    assert bar[0] > bar[1] + 300, "the none bar of keyframe 1 grows from 10 % to 100 %"


def test_a_curve_takes_gaps_zeros_and_nothing() -> None:
    rows = [{"step": float(s), "total": 2.0 / (s + 1), "heatmap": 1.0 / (s + 1)} for s in range(50)]
    gaps = [row | ({"goal": float("nan")} if row["step"] % 2 else {"goal": 0.0, "turn": 0.3}) for row in rows]
    for history in (rows, gaps, rows[:1], []):
        image = training_curve(history, "Training")
        assert image.width > 800 and image.height > 400
    assert holds(training_curve(rows), keyframe_colour(0))


@pytest.mark.parametrize("length", [1, 2, 3, 60])
def test_smoothing_keeps_a_constant_and_the_length(length: int) -> None:
    assert smoothed(np.full(length, 0.25)) == pytest.approx(np.full(length, 0.25))


def scene(depth: float) -> dict[str, Any]:
    corners = [[0.0, 0.0], [6.0, 0.0], [6.0, depth], [0.0, depth]]
    sofa = {"id": 9, "category": "sofa", "name": "sofa", "centre": [1, 0.4, 1], "size": [1.8, 0.8, 0.9], "yaw": 0.3}
    lamp = {"id": 8, "category": "ceiling lamp", "name": "lamp", "centre": [3, 2.5, 1], "size": [1, 0.2, 1], "yaw": 0.0}
    return {
        "id": "s",
        "split": "train",
        "rooms": [{"id": 0, "name": "kitchen", "category": "kitchen", "polygon": corners}],
        "doors": [{"id": 3, "rooms": [0, 1], "start": [6.0, 1.0], "end": [6.0, 1.9]}],
        "objects": [sofa, lamp],
        "walls": [[*corners[i], *corners[(i + 1) % 4]] for i in range(4)],
    }


POSES = np.stack([camera_pose(np.array([1 + 0.3 * n, 1.4, 2.0]), np.pi / 2, 0.0) for n in range(12)])


@pytest.mark.parametrize("depth", [4.0, 12.0])
def test_plans_lie_flat_and_show_every_camera(depth: float) -> None:
    image = scene_plan(scene(depth), POSES, keyframes=[0, 4, 8], current=10, caption="A long caption. " * 20)
    assert image.width > image.height
    assert all(holds(image, keyframe_colour(slot)) for slot in range(3)) and holds(image, INK)


def test_a_scene_of_which_nothing_is_known_still_shows_the_walk() -> None:
    bare = {"id": "s", "split": "train", "rooms": [], "doors": [], "objects": [], "walls": []}
    assert holds(scene_plan(bare, POSES, keyframes=[0], current=5), keyframe_colour(0))


def test_the_walk_goes_where_the_walker_went() -> None:
    # Walking along +x, the cameras' dots must lie on one level, further right with time.
    image = np.asarray(scene_plan(scene(4.0), POSES, keyframes=[0, 11], current=5))
    places = [np.argwhere((image == keyframe_colour(slot)).all(-1)).mean(0) for slot in (0, 1)]
    assert places[1][1] > places[0][1] + 100 and abs(places[1][0] - places[0][0]) < 8
