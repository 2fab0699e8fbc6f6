"""Cameras, poses and projection on batched tensors: with `geometry_numpy`, the only place that knows conventions.

World: right-handed, metres, y up. Camera: OpenCV (x right, y down, z forward). A *pose* is camera-to-world, 4x4.
Pixels: (x, y) = (column, row), the centre of the first pixel at (0.5, 0.5), so an image spans [0, W) x [0, H).
Depth is z-depth in metres; 0 = invalid. Quaternions are xyzw. Leading dimensions (...) are free and broadcast.
"""

from __future__ import annotations

import torch
from torch import Tensor


def pixel_centres(height: int, width: int, device: torch.device | None = None) -> Tensor:
    """[H, W, 2] float32: (x, y) of every pixel's centre."""
    y, x = torch.meshgrid(torch.arange(height, device=device), torch.arange(width, device=device), indexing="ij")
    return torch.stack([x, y], dim=-1).float() + 0.5


def unproject(depth: Tensor, intrinsics: Tensor) -> Tensor:
    """[..., H, W] z-depth and [..., 3, 3] intrinsics -> [..., H, W, 3] points in the camera's frame, metres."""
    height, width = depth.shape[-2:]
    pixels = pixel_centres(height, width, depth.device).to(depth.dtype)
    focal, centre = _focal(intrinsics)[..., None, None, :], _centre(intrinsics)[..., None, None, :]
    rays = torch.nn.functional.pad((pixels - centre) / focal, (0, 1), value=1.0)
    return rays * depth[..., None]


def project(points: Tensor, intrinsics: Tensor) -> tuple[Tensor, Tensor]:
    """[..., M, 3] camera points and [..., 3, 3] intrinsics -> [..., M, 2] pixels (x, y) and [..., M] z-depth.

    A point with z <= 0 lies behind the camera: its pixel means nothing, and the caller must test z.
    """
    z = points[..., 2]
    focal, centre = _focal(intrinsics)[..., None, :], _centre(intrinsics)[..., None, :]
    return points[..., :2] / z[..., None] * focal + centre, z


def transform(pose: Tensor, points: Tensor) -> Tensor:
    """[..., 4, 4] rigid motion applied to [..., M, 3] points."""
    return points @ pose[..., :3, :3].mT + pose[..., None, :3, 3]


def invert(pose: Tensor) -> Tensor:
    """Inverse of a rigid motion [..., 4, 4]; camera-to-world becomes world-to-camera."""
    rotation = pose[..., :3, :3].mT
    return rigid(rotation, -(rotation @ pose[..., :3, 3:])[..., 0])


def rigid(rotation: Tensor, translation: Tensor) -> Tensor:
    """[..., 3, 3] and [..., 3] -> [..., 4, 4]."""
    upper = torch.cat([rotation, translation[..., None]], dim=-1)
    lower = torch.zeros_like(upper[..., :1, :])
    lower[..., 3] = 1
    return torch.cat([upper, lower], dim=-2)


def relative_pose(target: Tensor, source: Tensor) -> Tensor:
    """[..., 4, 4] motion that takes points from camera `source`'s frame into camera `target`'s; both are poses."""
    return invert(target) @ source


def quaternion_to_matrix(quaternion: Tensor) -> Tensor:
    """[..., 4] xyzw of any positive length -> [..., 3, 3] rotation."""
    x, y, z, w = torch.nn.functional.normalize(quaternion, dim=-1).unbind(-1)
    rows = [
        torch.stack([1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)], dim=-1),
        torch.stack([2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)], dim=-1),
        torch.stack([2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)], dim=-1),
    ]
    return torch.stack(rows, dim=-2)


def matrix_to_quaternion(rotation: Tensor) -> Tensor:
    """[..., 3, 3] rotation -> [..., 4] xyzw of unit length with w >= 0 (Shepperd: divide by the largest component)."""
    m = [[rotation[..., i, j] for j in range(3)] for i in range(3)]
    # Row i holds 4 q_i (x, y, z, w): q_i times the quaternion, so the row of the largest q_i is the best conditioned.
    diagonal = [
        1 + m[0][0] - m[1][1] - m[2][2],
        1 - m[0][0] + m[1][1] - m[2][2],
        1 - m[0][0] - m[1][1] + m[2][2],
        1 + m[0][0] + m[1][1] + m[2][2],
    ]
    xy, xz, yz = m[0][1] + m[1][0], m[0][2] + m[2][0], m[1][2] + m[2][1]
    xw, yw, zw = m[2][1] - m[1][2], m[0][2] - m[2][0], m[1][0] - m[0][1]
    outer = torch.stack(
        [
            torch.stack([diagonal[0], xy, xz, xw], dim=-1),
            torch.stack([xy, diagonal[1], yz, yw], dim=-1),
            torch.stack([xz, yz, diagonal[2], zw], dim=-1),
            torch.stack([xw, yw, zw, diagonal[3]], dim=-1),
        ],
        dim=-2,
    )
    largest = torch.stack(diagonal, dim=-1).argmax(dim=-1)
    row = outer.gather(-2, largest[..., None, None].expand(*largest.shape, 1, 4))[..., 0, :]
    quaternion = torch.nn.functional.normalize(row, dim=-1)
    return torch.where(quaternion[..., 3:] < 0, -quaternion, quaternion)


def encode_poses(pose: Tensor, intrinsics: Tensor, height: int, width: int, reference: int = -1) -> Tensor:
    """VGGT's camera encoding of a sequence: [..., S, 4, 4] poses and [..., S, 3, 3] -> [..., S, 9].

    Translation and quaternion (xyzw, w >= 0) of the motion from the frame of camera `reference` into each camera's
    (world-to-camera, with that camera as the world), then the fields of view (vertical, horizontal) in radians. The
    house refers to the current view, the last; the public VGGT refers to the first (0).
    The principal point is not encoded: VGGT takes it as the image's centre.
    """
    motion = relative_pose(pose, pose[..., reference, None, :, :])
    size = torch.tensor([height, width], dtype=pose.dtype, device=pose.device)
    view = 2 * torch.atan(size / (2 * _focal(intrinsics).flip(-1)))
    return torch.cat([motion[..., :3, 3], matrix_to_quaternion(motion[..., :3, :3]), view.to(pose.dtype)], dim=-1)


def decode_poses(encoding: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Inverse of `encode_poses`: [..., S, 9] -> poses [..., S, 4, 4] (into the reference's frame) and intrinsics."""
    world_to_camera = rigid(quaternion_to_matrix(encoding[..., 3:7]), encoding[..., :3])
    size = torch.tensor([height, width], dtype=encoding.dtype, device=encoding.device)
    focal = (size / (2 * torch.tan(encoding[..., 7:] / 2))).flip(-1)
    intrinsics = torch.diag_embed(torch.nn.functional.pad(focal, (0, 1), value=1.0))
    intrinsics[..., :2, 2] = size.flip(-1) / 2
    return invert(world_to_camera), intrinsics


def _focal(intrinsics: Tensor) -> Tensor:
    """[..., 2] (fx, fy)."""
    return torch.stack([intrinsics[..., 0, 0], intrinsics[..., 1, 1]], dim=-1)


def _centre(intrinsics: Tensor) -> Tensor:
    """[..., 2] (cx, cy)."""
    return intrinsics[..., :2, 2]
