"""Geometry in float64 numpy, for what has no tensors: habitat's cameras to OpenCV's and back, motions and points.

Habitat's camera looks along -z with y up; OpenCV's looks along +z with y down. Both name the same camera, so the
world side of a pose stays as it is and only the camera's y and z axes turn round. Nothing here needs torch.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]

_FLIP = np.diag([1.0, -1.0, -1.0, 1.0])


def flip_camera(pose: Float) -> Float:
    """[..., 4, 4] pose (camera-to-world) from habitat's convention to OpenCV's, or back: it is its own inverse."""
    return np.asarray(pose) @ _FLIP


def invert(pose: Float) -> Float:
    """Inverse of rigid motions [..., 4, 4]."""
    rotation = np.swapaxes(pose[..., :3, :3], -1, -2)
    inverse = np.zeros_like(pose)
    inverse[..., :3, :3] = rotation
    inverse[..., :3, 3] = -(rotation @ pose[..., :3, 3:])[..., 0]
    inverse[..., 3, 3] = 1
    return inverse


def unproject(depth: Float, intrinsics: Float, stride: int = 1) -> Float:
    """[..., H, W] z-depth, [..., 3, 3] -> [..., h, w, 3] camera points of every `stride`-th pixel from stride // 2."""
    rows, columns = (np.arange(stride // 2, n, stride) for n in depth.shape[-2:])
    x = (columns + 0.5 - intrinsics[..., 0, 2, None]) / intrinsics[..., 0, 0, None]
    y = (rows + 0.5 - intrinsics[..., 1, 2, None]) / intrinsics[..., 1, 1, None]
    picked = depth[..., rows[:, None], columns]
    return np.stack([x[..., None, :] * picked, y[..., :, None] * picked, picked], axis=-1)


def transform(pose: Float, points: Float) -> Float:
    """[..., 4, 4] rigid motion applied to [..., M, 3] points."""
    return points @ np.swapaxes(pose[..., :3, :3], -1, -2) + pose[..., None, :3, 3]
