"""A recorded walk as numbers for policies: where the camera was, and how it moved on from there."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

STATE = ("x", "y", "z", "qx", "qy", "qz", "qw")
"""Camera-to-world of an OpenCV camera: metres, unit quaternion."""
ACTION = ("forward", "turn_left", "stop")
"""Metres along the gaze on the floor, radians about +y, and 1 where the walk ends."""


def states(poses: NDArray[np.float64]) -> NDArray[np.float64]:
    """[n, 7] of poses [n, 4, 4]."""
    from scipy.spatial.transform import Rotation

    turns = Rotation.from_matrix(poses[:, :3, :3]).as_quat(canonical=True)
    return np.concatenate([poses[:, :3, 3], turns], axis=1)


def moves(poses: NDArray[np.float64], names: list[str]) -> NDArray[np.float64]:
    """[n, 3] what leads from each pose ([n, 4, 4]) to the next; `names` are the actions as recorded."""
    gaze = poses[:, [0, 2], 2]
    gaze = gaze / np.linalg.norm(gaze, axis=1, keepdims=True)
    step = np.diff(poses[:, [0, 2], 3], axis=0)
    # About +y, x = -sin and z = -cos of the heading: positive turns go left.
    heading = np.arctan2(-gaze[:, 0], -gaze[:, 1])
    turned = (np.diff(heading) + np.pi) % (2 * np.pi) - np.pi
    found = np.zeros((len(poses), 3))
    found[:-1, 0] = (step * gaze[:-1]).sum(axis=1)
    found[:-1, 1] = turned
    found[:, 2] = [float(name == "stop") for name in names]
    return found
