"""Whether an episode's entry in the episode file tells of the walk that was recorded."""

from __future__ import annotations

from math import degrees, isclose
from typing import Any

import numpy as np

from tasks.validate.reading import Rows

NEAR = 0.05
"""Metres by which the place where a walk starts may differ."""
FIELD = 0.5
"""Degrees by which the field of view may differ."""


def agrees(entry: dict[str, Any], rows: Rows, size: tuple[int, int]) -> float:
    """1 where scene, length, place, camera, split and stratum are those of the index, 0 where one is not.

    Only what the entry tells is compared: public episode files leave most of it out. NaN where it tells nothing.
    """
    info = entry.get("info") or {}
    camera = info.get("camera") or {}
    facts = [
        rows[key][0] == told[key]
        for told, key in ((info, "split"), (info, "stratum"))
        if key in told
    ]  # fmt: skip
    if "scene_id" in entry:
        facts.append(entry["scene_id"] == rows["scene"][0])
    if "frames" in info:
        facts.append(info["frames"] == len(rows["frame"]))
    pose, intrinsics = rows["pose"][0], rows["intrinsics"][0]
    if "start_position" in entry and np.isfinite(pose).all():
        start, height = entry["start_position"], camera.get("height")
        facts.append(float(np.hypot(pose[3] - start[0], pose[11] - start[2])) <= NEAR)
        if height is not None:
            facts.append(isclose(pose[7] - start[1], height, abs_tol=NEAR))
    if "hfov" in camera and np.isfinite(intrinsics).all() and intrinsics[0] > 0:
        field = degrees(2 * np.arctan(size[0] / 2 / intrinsics[0]))
        facts.append(isclose(field, camera["hfov"], abs_tol=FIELD))
    return float(all(facts)) if facts else float("nan")
