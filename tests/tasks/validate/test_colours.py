"""Colours of equal things in many scenes say in which order the channels stand."""

from __future__ import annotations

import numpy as np

from tasks.validate.colours import Palette, judged

SCENES = 12
WALLS = [{"id": 1, "name": "red wall", "category": "wall"}, {"id": 2, "name": "blue wall", "category": "wall"}]
WALKS = [{"episode": [f"e{i}"], "scene": [f"s{i}"]} for i in range(SCENES)]


def palettes() -> dict[str, Palette]:
    draw = np.random.default_rng(0)
    return {
        f"e{i}": {1: (200 + draw.normal() * 4, 60.0, 50.0), 2: (50.0, 70.0, 190 + draw.normal() * 4)}
        for i in range(SCENES)
    }


def test_the_walk_with_swapped_channels_stands_out() -> None:
    seen = palettes()
    seen["e3"] = {number: (blue, green, red) for number, (red, green, blue) in seen["e3"].items()}
    order = judged(WALKS, seen, {f"s{i}": {"objects": WALLS} for i in range(SCENES)}).channels
    assert order[3] < -5 and min(np.delete(order, 3)) > 2


def test_few_scenes_that_disagree_judge_nobody() -> None:
    seen = palettes()
    for i in range(SCENES // 3):
        seen[f"e{i}"] = {number: (blue, green, red) for number, (red, green, blue) in seen[f"e{i}"].items()}
    order = judged(WALKS, seen, {f"s{i}": {"objects": WALLS} for i in range(SCENES)}).channels
    assert np.isnan(order).all()


def test_what_nobody_describes_is_not_compared() -> None:
    hues = judged(WALKS, palettes(), {})
    assert all(np.isnan(said).all() for said in (hues.channels, hues.unusual, hues.vivid, hues.lightness))
