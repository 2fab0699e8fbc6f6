"""VGGT's camera head: each view's pose and field of view, refined a few times from its camera token."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.config import VGGTConfig
from model.encoders.vggt.blocks import Block, Mlp

POSE_WIDTH = 9


class CameraHead(nn.Module):
    """Iterative refinement under adaptive layer norm (Wang et al. 2025; modulation as in DiT)."""

    def __init__(self, config: VGGTConfig) -> None:
        super().__init__()
        width = 2 * config.width
        self.iterations = config.camera_iterations
        self.token_norm = nn.LayerNorm(width)
        self.trunk = nn.ModuleList(Block(width, config.camera_heads, scale=0.01) for _ in range(config.camera_depth))
        self.trunk_norm = nn.LayerNorm(width)
        self.empty_pose_tokens = nn.Parameter(torch.zeros(1, 1, POSE_WIDTH))
        self.embed_pose = nn.Linear(POSE_WIDTH, width)
        self.poseLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(width, 3 * width))
        self.adaln_norm = nn.LayerNorm(width, elementwise_affine=False, eps=1e-6)
        self.pose_branch = Mlp(width, width // 2, POSE_WIDTH)

    def forward(self, tokens: Tensor, valid: Tensor | None = None) -> list[Tensor]:
        """Camera tokens [B, S, 2 width] -> after each refinement [B, S, 9] (see `Geometry.pose_enc`)."""
        tokens = self.token_norm(tokens)
        mask = None if valid is None else valid[:, None, None]
        encoding = self.empty_pose_tokens.expand(*tokens.shape[:2], -1)
        steps: list[Tensor] = []
        for _ in range(self.iterations):
            shift, scale, gate = self.poseLN_modulation(self.embed_pose(encoding)).chunk(3, dim=-1)
            hidden = tokens + gate * (self.adaln_norm(tokens) * (1 + scale) + shift)
            for block in self.trunk:
                hidden = block(hidden, mask=mask)
            change = self.pose_branch(self.trunk_norm(hidden))
            steps.append(encoding + change if steps else change)
            # The published head lets no gradient pass from one refinement to the one before.
            encoding = steps[-1].detach()
        return [_activate(step) for step in steps]


def _activate(encoding: Tensor) -> Tensor:
    """Translation and quaternion as they are; the field of view is not negative."""
    return torch.cat([encoding[..., :7], functional.relu(encoding[..., 7:])], dim=-1)
