"""From encoders to the language model: all tokens of a patch on one grid, joined and projected."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.config import NetworkConfig
from model.fourier import code_width, fourier_code


class Fusion(nn.Module):
    """Normalises the tokens of each encoder, joins them with the code of the patch's 3-D centre, and projects.

    Args:
        config: grid and octaves.
        widths: width of each encoder's tokens, in the order in which they are given.
        out: width of the language model.
    """

    def __init__(self, config: NetworkConfig, widths: list[int], out: int) -> None:
        super().__init__()
        self.patches, self.bands = config.patches, config.point_bands
        self.norms = nn.ModuleList(nn.LayerNorm(width) for width in widths)
        joined = sum(widths) + (code_width(self.bands) if self.bands else 0)
        self.project = nn.Sequential(nn.Linear(joined, out), nn.GELU(), nn.Linear(out, out))
        # Index 0 for keyframes, 1 for the current view.
        self.role = nn.Parameter(torch.empty(2, out).normal_(std=0.02))
        self.place = nn.Parameter(torch.empty(self.patches**2, out).normal_(std=0.02))

    def forward(self, tokens: list[Tensor], points: Tensor, points_valid: Tensor) -> Tensor:
        """Tokens [B, S, n, width] of each encoder and patch centres [B, S, N, 3] -> [B, S, N, out]."""
        parts = [norm(regrid(part, self.patches)) for norm, part in zip(self.norms, tokens, strict=True)]
        if self.bands:
            parts.append(fourier_code(points, points_valid, self.bands))
        fused = self.project(torch.cat(parts, dim=-1)) + self.place
        roles = torch.cat([self.role[:1].expand(fused.shape[1] - 1, -1), self.role[1:]])
        return fused + roles[:, None]


def regrid(tokens: Tensor, patches: int) -> Tensor:
    """[B, S, n, D] on a square grid -> [B, S, P * P, D], bilinear; the same tensor where the grid is right."""
    side = round(tokens.shape[2] ** 0.5)
    if side == patches:
        return tokens
    maps = tokens.flatten(0, 1).transpose(1, 2).unflatten(-1, (side, side))
    maps = functional.interpolate(maps, size=(patches, patches), mode="bilinear", antialias=True)
    return maps.flatten(2).transpose(1, 2).unflatten(0, tokens.shape[:2])
