"""Poses as motion: what an agent can have done between two frames, and whether it is what its action says."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tasks.validate.pictures import Columns
from tasks.validate.walks import Walk

LEAST_TURN = 1.0
"""Degrees; a turn below it is none."""


def poses(pose: NDArray[np.float64]) -> Columns:
    """Of [N, 4, 4]: 1 where finite, deviation from a rigid motion, roll in degrees, 1 where the camera is upright."""
    finite = np.asarray(np.isfinite(pose).all(axis=(1, 2)))
    safe = np.where(finite[:, None, None], pose, np.eye(4))
    rotation = safe[:, :3, :3]
    skew = np.abs(rotation.transpose(0, 2, 1) @ rotation - np.eye(3)).max(axis=(1, 2))
    mirrored = np.abs(np.linalg.det(rotation) - 1)
    last_row = np.abs(safe[:, 3] - [0, 0, 0, 1]).max(axis=1)
    return {
        "pose_finite": finite.astype(float),
        "pose_rigid_error": masked(np.maximum.reduce([skew, mirrored, last_row]), finite),
        "roll": masked(np.degrees(np.arcsin(np.clip(np.abs(rotation[:, 1, 0]), 0, 1))), finite),
        # OpenCV's y axis points down in the picture: on an upright camera it points down in the world.
        "upright": masked(-rotation[:, 1, 1], finite),
    }


def steps(pose: NDArray[np.float64]) -> Columns:
    """Of [N, 4, 4], since the frame before (NaN for the first): metres over the floor, ahead, up; degrees turned, left.

    On stairs an agent's step is as long on the plan as elsewhere: height counts apart, as `rise`.
    """
    moved = pose[1:, :3, 3] - pose[:-1, :3, 3]
    gaze = pose[:, [0, 2], 2]
    heading = np.degrees(np.arctan2(-gaze[:, 0], -gaze[:, 1]))
    level = gaze[:-1] / np.maximum(np.linalg.norm(gaze[:-1], axis=1, keepdims=True), 1e-9)
    relative = pose[:-1, :3, :3].transpose(0, 2, 1) @ pose[1:, :3, :3]
    cosine = (np.trace(relative, axis1=1, axis2=2) - 1) / 2
    columns = {
        "step": np.linalg.norm(moved[:, [0, 2]], axis=1),
        "ahead": (moved[:, [0, 2]] * level).sum(axis=1),
        "rise": np.abs(moved[:, 1]),
        "turn": np.degrees(np.arccos(np.clip(cosine, -1, 1))),
        "left": (np.diff(heading) + 180) % 360 - 180,
    }
    return {name: np.concatenate([[np.nan], values]) for name, values in columns.items()}


def acted(walk: Walk, step: Columns, still: float) -> Columns:
    """Whether the action of the frame before did what it says (NaN for the first frame), and whether it was stuck."""
    before = np.array(("", *walk.actions[:-1]))
    on_the_spot = step["step"] < max(still, 0.02)
    straight = np.abs(step["left"]) < LEAST_TURN
    kept = {
        "forward": (step["ahead"] > 0.9 * step["step"]) & straight,
        "left": on_the_spot & (step["left"] > LEAST_TURN),
        "right": on_the_spot & (step["left"] < -LEAST_TURN),
    }
    did = np.zeros(len(before))
    for action, fits in kept.items():
        did[before == action] = fits[before == action]
    stuck = (before == "forward") & (step["step"] < still)
    return {"action_fits": masked(did, np.arange(len(before)) > 0), "stuck": stuck.astype(float)}


def masked(values: NDArray[np.float64], where: NDArray[np.bool_]) -> NDArray[np.float64]:
    """`values`, NaN where the condition does not hold."""
    return np.where(where, values, np.nan)
