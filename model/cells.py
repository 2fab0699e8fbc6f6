"""Where the cells of the current view lie in space, and where they would lie in the images of the keyframes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from model.batch import Geometry, TensorRecord
from model.encoders.base import patch_centres
from model.geometry import decode_poses, invert, transform
from model.placement import plain_arithmetic

NEAREST = 0.1
"""Metres; depths below are taken as this where they divide."""

WIDEST = 1.5
"""Half images; landings farther out are all the same: out of view."""

SAMPLES = 2
"""Points a side of a cell whose depth is compared with the keyframe's."""

LANDING = 5 + 2 * SAMPLES**2
"""Width of `Cells.landing`."""

ABSOLUTE, RELATIVE = 0.03, 0.02
"""Metres, and share of the depth: by how much two depths differ when the comparison says a half."""


@dataclass(frozen=True)
class Cells(TensorRecord):
    """U = G x G cells of the current view, row by row."""

    centres: Tensor
    """[B, U, 3] in the current camera's frame, metres."""
    known: Tensor
    """[B, U] bool: the depth at the centre is valid."""
    landing: Tensor
    """[B, K, U, 13] in keyframe k's camera. Of the centre: x and y in half images from the image's centre (+-1 = the
    border; beyond +-1.5 cut), the sum of their squares, depth in 5 m, and 1 in front of the camera or 0 behind; zeros
    where not known. Of 2 x 2 points in the cell: how far each lies behind (+) or before (-) what the keyframe sees
    there, in -1..1, and whether the keyframe can tell."""


def locate_cells(geometry: Geometry, grid: int, device: torch.device) -> Cells:
    """The cells as a geometry encoder sees them, with its own depth, poses and fields of view."""
    depth, encoding = geometry.depth.to(device), geometry.pose_enc.to(device)
    with plain_arithmetic(device):
        to_current, intrinsics = decode_poses(encoding, *depth.shape[-2:])
        current = (depth[:, -1:], intrinsics[:, -1:], to_current[:, -1:])
        to_keyframes = invert(to_current[:, :-1])
        half_image = torch.tan(encoding[:, :-1, None, 7:] / 2).clamp_min(NEAREST).flip(-1)
        centres, known = patch_centres(*current, grid)
        place, z = _land(transform(to_keyframes, centres), half_image)
        ahead = (z > 0).to(z.dtype)
        middle = torch.cat([place, place.square().sum(-1, keepdim=True), z / 5, ahead], dim=-1) * known[..., None]
        points, points_known = patch_centres(*current, grid * SAMPLES)
        place, z = _land(transform(to_keyframes, points), half_image)
        compared = _compare(depth[:, :-1], place, z[..., 0], points_known)
    return Cells(centres[:, 0], known[:, 0], torch.cat([middle, _by_cell(compared, grid)], dim=-1))


def _land(points: Tensor, half_image: Tensor) -> tuple[Tensor, Tensor]:
    """Points [B, K, M, 3] in the keyframes' cameras and half an image at depth one [B, K, 1, 2] -> place, depth."""
    z = points[..., 2:]
    return (points[..., :2] / (z.clamp_min(NEAREST) * half_image)).clamp(-WIDEST, WIDEST), z


def _compare(depth: Tensor, place: Tensor, z: Tensor, known: Tensor) -> Tensor:
    """Depths z [B, K, M] at places in half images [B, K, M, 2] against the keyframes' [B, K, H, W] -> [B, K, M, 2]."""
    height, width = depth.shape[-2:]
    size = torch.tensor([width, height], device=depth.device)
    pixel = ((place.detach() + 1) / 2 * size).long().clamp_min(0).minimum(size - 1)
    seen = depth.flatten(-2).gather(-1, pixel[..., 1] * width + pixel[..., 0])
    told = known & (z > NEAREST) & (place.abs() < 1).all(dim=-1) & (seen > 0)
    behind = functional.softsign((z - seen) / (ABSOLUTE + RELATIVE * z.abs()))
    return torch.stack([behind, torch.ones_like(behind)], dim=-1) * told[..., None]


def _by_cell(values: Tensor, grid: int) -> Tensor:
    """[B, K, (G s)^2, w] row by row -> [B, K, G * G, s * s * w]."""
    split = values.unflatten(2, (grid, SAMPLES, grid, SAMPLES))
    return split.transpose(3, 4).flatten(4).flatten(2, 3)
