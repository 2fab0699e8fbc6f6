"""Fourier code of 3-D points: nearby points get similar codes at every scale from a building's down to a cell's."""

from __future__ import annotations

import math

import torch
from torch import Tensor

LONGEST_WAVE = 32.0
"""Metres; beyond any distance seen inside a building, so the lowest octave tells all places apart."""

EXTRA = 5


def code_width(bands: int) -> int:
    """Width of a code: sine and cosine of each coordinate and octave, and the plain features."""
    return 6 * bands + EXTRA


def fourier_code(points: Tensor, valid: Tensor, bands: int) -> Tensor:
    """[..., 3] points in metres and whether they are known [...] -> [..., code_width]; zeros where unknown.

    Octave b has wave length 32 m / 2^b. The plain features are the point in tens of metres, the logarithm of its
    distance, and a one that tells a known point from an unknown one.
    """
    steps = torch.arange(bands, device=points.device, dtype=points.dtype)
    angles = (points[..., None] * (2 * math.pi / LONGEST_WAVE * 2**steps)).flatten(-2)
    distance = torch.log(points.norm(dim=-1, keepdim=True) + 0.1)
    code = torch.cat([angles.sin(), angles.cos(), points / 10, distance, torch.ones_like(distance)], dim=-1)
    return torch.where(valid[..., None], code, 0.0)
