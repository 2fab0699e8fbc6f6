"""The pinhole camera that walks carry, and the pose of an agent's camera in the house's convention (OpenCV)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Camera:
    """A pinhole camera with square pixels; pixel centres lie at +0.5."""

    width: int
    """Pixels."""
    height: int
    """Pixels."""
    hfov: float
    """Horizontal field of view in degrees."""

    @property
    def focal(self) -> float:
        """Focal length in pixels, the same on both axes."""
        return self.width / 2 / float(np.tan(np.radians(self.hfov) / 2))

    @property
    def intrinsics(self) -> NDArray[np.float64]:
        """[3, 3] matrix K in pixels."""
        f = self.focal
        return np.array([[f, 0, self.width / 2], [0, f, self.height / 2], [0, 0, 1.0]])


def forward_of(heading: float) -> NDArray[np.float64]:
    """[2] unit step (x, z) of an agent with this heading; 0 looks along -z, positive turns left (about +y)."""
    return np.array([-np.sin(heading), -np.cos(heading)])


def camera_pose(eye: NDArray[np.float64], heading: float, pitch: float) -> NDArray[np.float64]:
    """[4, 4] camera-to-world pose of an OpenCV camera at `eye` ([3], metres, y up).

    `heading` and `pitch` in radians; positive pitch looks up.
    """
    sh, ch, sp, cp = np.sin(heading), np.cos(heading), np.sin(pitch), np.cos(pitch)
    right = np.array([ch, 0.0, -sh])
    gaze = np.array([-sh * cp, sp, -ch * cp])
    down = np.cross(gaze, right)
    pose = np.eye(4)
    pose[:3, :3] = np.stack([right, down, gaze], axis=1)
    pose[:3, 3] = eye
    return pose


def yaw_quaternion(heading: float) -> list[float]:
    """Habitat's rotation `[x, y, z, w]` of an agent with this heading (a turn about +y)."""
    return [0.0, float(np.sin(heading / 2)), 0.0, float(np.cos(heading / 2))]
