"""How the walker came to where it stands, as one vector for the goal's query: where it goes on to follows from that.

A turn that has begun is gone on with, and a place that was just left is seldom the next one. Without it the next
waypoint's map was hardly better than its mean (docs/measurements.md).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from model.batch import Geometry
from model.fourier import code_width, fourier_code
from model.geometry import decode_poses
from model.placement import device_of, plain_arithmetic

INNER = 64

BANDS = 6
"""Octaves of the code of a keyframe's position."""


@dataclass(frozen=True)
class Told:
    """What a trail says."""

    query: Tensor
    """[B, width] to be added to the goal's query, so that the instruction is read in its light."""
    logits: Tensor
    """[B, C] to be added to the logits of the goal's map."""


class Trail(nn.Module):
    """A set of poses as one vector: the mean and the greatest of what each says (Zaheer et al., "Deep Sets", 2017).

    It does not matter in which order the keyframes come.

    Args:
        width: of the language model.
        cells: C, places of a map.
    """

    def __init__(self, width: int, cells: int) -> None:
        super().__init__()
        each = code_width(BANDS) + 3
        self.each = nn.Sequential(nn.Linear(each, INNER), nn.GELU(), nn.Linear(INNER, INNER), nn.GELU())
        self.join = nn.Sequential(nn.Linear(2 * INNER, 2 * INNER), nn.GELU())
        self.query = nn.Linear(2 * INNER, width)
        # Straight onto the map too: by way of the language model it is learnt from ten times as many walks.
        self.logits = nn.Linear(2 * INNER, cells)

    def forward(self, geometry: Geometry, valid: Tensor) -> Told:
        """From the geometry of S views, and which keyframes are valid [B, S - 1]."""
        device = device_of(self)
        with plain_arithmetic(device):
            poses, _ = decode_poses(geometry.pose_enc[:, :-1].to(device), *geometry.depth.shape[-2:])
            # The world is the current camera's frame: the third column is where a keyframe's camera looked.
            code = fourier_code(poses[..., :3, 3], valid, BANDS)
        each = self.each(torch.cat([code, poses[..., :3, 2]], dim=-1))
        weight = valid[..., None].to(each.dtype)
        mean = (each * weight).sum(dim=1) / weight.sum(dim=1).clamp_min(1)
        # With a row of zeros, so that there is a greatest where there is no keyframe.
        greatest = nn.functional.pad(each * weight, (0, 0, 0, 1)).amax(dim=1)
        joined = self.join(torch.cat([mean, greatest], dim=-1))
        return Told(self.query(joined), self.logits(joined))
