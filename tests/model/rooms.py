"""Rooms of boxes seen by casting rays, independent of `model`: what the labels are checked against."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from model.batch import Views

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Room:
    """The inside of the box [0, size], with solid boxes in it; y is up."""

    size: Array
    boxes: Array
    """[n, 2, 3] low and high corners."""

    def cast(self, origin: Array, rays: Array) -> Array:
        """[...] how many times `rays` [..., 3] fit between `origin` [3] and the first surface that they meet."""
        rays = np.where(np.abs(rays) < 1e-12, 1e-12, rays)
        reach = np.maximum(-origin / rays, (self.size - origin) / rays).min(-1)
        for low, high in self.boxes:
            first, second = (low - origin) / rays, (high - origin) / rays
            near, far = np.minimum(first, second).max(-1), np.maximum(first, second).min(-1)
            reach = np.where((near > 1e-9) & (near < far) & (near < reach), near, reach)
        return reach

    def holds(self, point: Array) -> bool:
        """Whether a camera can stand there, 20 cm from everything."""
        apart = (point < self.boxes[:, 0] - 0.2) | (point > self.boxes[:, 1] + 0.2)
        return bool((point > 0.2).all() and (point < self.size - 0.2).all() and apart.any(-1).all())


def random_room(draw: np.random.Generator, boxes: int = 4) -> Room:
    """4 to 7 m a side, 2.6 m high, with boxes of 0.3 to 1.5 m on its floor."""
    size = np.array([draw.uniform(4, 7), 2.6, draw.uniform(4, 7)])
    extent = draw.uniform([0.3, 0.3, 0.3], [1.2, 1.5, 1.2], (boxes, 3))
    low = draw.uniform(0, 1, (boxes, 3)) * (size - extent) * [1, 0, 1]
    return Room(size, np.stack([low, low + extent], 1))


def camera_pose(position: Array, yaw: float, pitch: float) -> Array:
    """[4, 4] OpenCV camera-to-world; yaw 0 looks along +z and turns towards +x, positive pitch looks up."""
    gaze = np.array([np.sin(yaw) * np.cos(pitch), np.sin(pitch), np.cos(yaw) * np.cos(pitch)])
    right = np.cross(gaze, [0.0, 1.0, 0.0])
    right /= np.linalg.norm(right)
    pose = np.eye(4)
    pose[:3, :3] = np.stack([right, np.cross(gaze, right), gaze], 1)
    pose[:3, 3] = position
    return pose


def random_pose(room: Room, draw: np.random.Generator) -> Array:
    """Anywhere at eye height, looking anywhere within 20 degrees of the horizon."""
    while True:
        position = np.array([draw.uniform(0, room.size[0]), draw.uniform(1.0, 1.7), draw.uniform(0, room.size[2])])
        if room.holds(position):
            return camera_pose(position, draw.uniform(0, 2 * np.pi), draw.uniform(-0.35, 0.35))


def pinhole(width: int, height: int, hfov: float = 90.0) -> Array:
    """[3, 3] intrinsics in pixels of a camera with square pixels and a horizontal field of view in degrees."""
    focal = width / 2 / np.tan(np.radians(hfov) / 2)
    return np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1.0]])


def square_intrinsics(side: int) -> Array:
    """[3, 3] of a square image that shows 90 degrees."""
    return pinhole(side, side)


def camera_rays(pose: Array, intrinsics: Array, height: int, width: int) -> Array:
    """[H, W, 3] world directions through the pixels' centres, of unit z in the camera: reach along them is z-depth."""
    v, u = np.mgrid[:height, :width] + 0.5
    x, y = (u - intrinsics[0, 2]) / intrinsics[0, 0], (v - intrinsics[1, 2]) / intrinsics[1, 1]
    return np.stack([x, y, np.ones_like(x)], -1) @ pose[:3, :3].T


def depth_map(room: Room, pose: Array, intrinsics: Array, height: int, width: int) -> Array:
    """[H, W] z-depth in metres."""
    return room.cast(pose[:3, 3], camera_rays(pose, intrinsics, height, width))


def seen_from(room: Room, points: Array, pose: Array) -> NDArray[np.bool_]:
    """[...] whether nothing stands between each of `points` [..., 3] and the camera's centre."""
    origin = pose[:3, 3]
    return room.cast(origin, points - origin) > 1 - 1e-6


def views_of(depths: Array, poses: Array, intrinsics: Array) -> Views:
    """`Views` of a single item from [S, H, W], [S, 4, 4] and [3, 3] or [S, 3, 3]; grey pictures."""
    count, height, width = depths.shape
    return Views(
        rgb=torch.full((1, count, 3, height, width), 0.5),
        depth=torch.from_numpy(depths).float()[None],
        pose=torch.from_numpy(poses).float()[None],
        intrinsics=torch.from_numpy(np.broadcast_to(intrinsics, (count, 3, 3)).copy()).float()[None],
        valid=torch.ones(1, count, dtype=torch.bool),
    )
