"""Where the cells of the current view lie in space, and where they would lie in the images of the keyframes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from model.batch import Geometry, TensorRecord
from model.encoders.base import patch_centres
from model.geometry import decode_poses, invert, transform
from model.placement import plain_arithmetic

LANDING = 5
"""Width of `Cells.landing`."""

NEAREST = 0.1
"""Metres; depths below are taken as this where they divide."""

WIDEST = 3.0
"""Half images; landings farther out are all the same: out of view."""


@dataclass(frozen=True)
class Cells(TensorRecord):
    """U = G x G cells of the current view, row by row."""

    centres: Tensor
    """[B, U, 3] in the current camera's frame, metres."""
    known: Tensor
    """[B, U] bool: the depth at the centre is valid."""
    landing: Tensor
    """[B, K, U, 5] in keyframe k's camera: x and y in half images from its centre (+-1 = the border; beyond +-3 cut),
    their squares' sum, depth in 5 m, and 1 in front of the camera or 0 behind. Zeros where not known."""


def locate_cells(geometry: Geometry, grid: int, device: torch.device) -> Cells:
    """The cells as a geometry encoder sees them, with its own depth, poses and fields of view."""
    depth, encoding = geometry.depth[:, -1:].to(device), geometry.pose_enc.to(device)
    with plain_arithmetic(device):
        to_current, intrinsics = decode_poses(encoding, *depth.shape[-2:])
        centres, known = patch_centres(depth, intrinsics[:, -1:], to_current[:, -1:], grid)
        local = transform(invert(to_current[:, :-1]), centres)
        half_image = torch.tan(encoding[:, :-1, None, 7:] / 2).clamp_min(NEAREST).flip(-1)
        landing = _land(local, half_image) * known[..., None]
    return Cells(centres[:, 0], known[:, 0], landing)


def _land(points: Tensor, half_image: Tensor) -> Tensor:
    """Points [B, K, U, 3] in the keyframes' cameras and half an image at depth one [B, K, 1, 2] -> `Cells.landing`."""
    z = points[..., 2:]
    place = (points[..., :2] / (z.clamp_min(NEAREST) * half_image)).clamp(-WIDEST, WIDEST)
    square = place.square().sum(dim=-1, keepdim=True)
    return torch.cat([place, square, z / 5, (z > 0).to(z.dtype)], dim=-1)
