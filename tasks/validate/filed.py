"""Whether an episode's entry in the episode file tells of the walk that was recorded."""

from __future__ import annotations

from math import atan2, degrees, hypot, isclose, radians, sin
from typing import Any

import numpy as np

from tasks.collect.words import words
from tasks.validate.reading import Dataset, Rows

NEAR = 0.05
"""Metres by which a place may differ."""
FIELD = 0.5
"""Degrees by which the field of view, and the direction of the camera, may differ."""
MALFORMED = (AttributeError, IndexError, KeyError, TypeError, ValueError)
"""What reading an entry raises that lacks a part of its format, or holds something else there."""


def agrees(entry: dict[str, Any], rows: Rows, dataset: Dataset) -> float:
    """1 where scene, length, way, goal, camera, split, stratum and words are those of the index, 0 where one is not.

    Only what the entry tells is compared: public episode files leave most of it out. NaN where it tells nothing. An
    entry that is malformed tells of no walk at all: 0.
    """
    try:
        facts = facts_of(entry, rows, dataset)
    except MALFORMED:
        return 0.0
    return float(all(facts)) if facts else float("nan")


def facts_of(entry: dict[str, Any], rows: Rows, dataset: Dataset) -> list[bool]:
    """Whether each thing that the entry tells is as in the index."""
    info = entry.get("info") or {}
    facts = [rows[key][0] == info[key] for key in ("split", "stratum") if key in info]
    if "scene_id" in entry:
        facts.append(entry["scene_id"] == rows["scene"][0])
    if "frames" in info:
        facts.append(info["frames"] == len(rows["frame"]))
    spoken = entry.get("instruction") or {}
    if (tokens := spoken.get("instruction_tokens")) and dataset.vocabulary:
        facts.append(is_spelt(spoken["instruction_text"], tokens, dataset.vocabulary))
    facts += of_the_way(entry, info, rows, dataset.step)
    return facts + of_the_camera(info.get("camera") or {}, entry, rows, dataset.size[0])


def is_spelt(text: str, tokens: list[int], vocabulary: list[str]) -> bool:
    """Whether tokens are the numbers of the words of a text."""
    known = len(vocabulary)
    return [vocabulary[token] if 0 <= token < known else "" for token in tokens] == words(text)


def of_the_way(entry: dict[str, Any], info: dict[str, Any], rows: Rows, step: float) -> list[bool]:
    """Facts on start, places and end, which may be a step (metres) before the goal's radius.

    A walk along a public episode's path keeps to it only roughly.
    """
    pose = rows["pose"]
    if "start_position" not in entry or not np.isfinite(pose).all():
        return []
    start = entry["start_position"]
    facts = [hypot(pose[0, 3] - start[0], pose[0, 11] - start[2]) <= NEAR]
    if "camera" not in info or "source" in info:
        return facts
    goal = entry["goals"][0]
    away = hypot(pose[-1, 3] - goal["position"][0], pose[-1, 11] - goal["position"][2])
    facts.append(away <= goal["radius"] + step)
    stepped = [0, *(i + 1 for i, action in enumerate(rows["action"][:-1]) if action == "forward")]
    path = np.array(entry["reference_path"])
    facts.append(len(path) == len(stepped) and bool(np.abs(pose[stepped][:, [3, 11]] - path[:, [0, 2]]).max() <= NEAR))
    return facts


def of_the_camera(camera: dict[str, Any], entry: dict[str, Any], rows: Rows, width: int) -> list[bool]:
    """Facts on its height, pitch, first heading and field of view."""
    pose, intrinsics, facts = rows["pose"], rows["intrinsics"][0], []
    finite = bool(np.isfinite(pose).all())
    if finite and "height" in camera and "start_position" in entry:
        facts.append(isclose(pose[0, 7] - entry["start_position"][1], camera["height"], abs_tol=NEAR))
    if finite and "pitch" in camera:
        facts.append(bool(np.abs(pose[:, 6] - sin(radians(camera["pitch"]))).max() <= sin(radians(FIELD))))
    if finite and "start_rotation" in entry and "height" in camera:
        _, y, _, w = entry["start_rotation"]
        turn = degrees(2 * atan2(y, w) - atan2(-pose[0, 2], -pose[0, 10]))
        facts.append(abs((turn + 180) % 360 - 180) <= FIELD)
    if "hfov" in camera and np.isfinite(intrinsics).all() and intrinsics[0] > 0:
        field = degrees(2 * np.arctan(width / 2 / intrinsics[0]))
        facts.append(isclose(field, camera["hfov"], abs_tol=FIELD))
    return facts
