"""VGGT (Wang et al. 2025) without its track head; state-dict names and shapes are those of the public checkpoint."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from model.config import VGGTConfig
from model.encoders.vggt.aggregator import Aggregator
from model.encoders.vggt.camera_head import CameraHead
from model.encoders.vggt.dense_head import DenseHead
from model.placement import plain_arithmetic


@dataclass(frozen=True)
class VGGTOutput:
    """What VGGT says of B x S views; the first view's camera is the world."""

    tokens: Tensor
    """[B, S, N, 2 width] patch tokens after the last pair of blocks."""
    pose_steps: list[Tensor]
    """[B, S, 9] after each refinement: world-to-camera translation, quaternion xyzw, field of view (h, w)."""
    depth: Tensor
    """[B, S, H, W] z-depth, positive, up to scale."""
    depth_conf: Tensor
    """[B, S, H, W], >= 1."""
    points: Tensor
    """[B, S, H, W, 3]."""
    points_conf: Tensor
    """[B, S, H, W], >= 1."""


class VGGT(nn.Module):
    """Images of one scene -> cameras, depth and points. H and W are multiples of the patch size."""

    def __init__(self, config: VGGTConfig) -> None:
        super().__init__()
        self.aggregator = Aggregator(config)
        self.camera_head = CameraHead(config)
        self.point_head = DenseHead(config, channels=3)
        self.depth_head = DenseHead(config, channels=1)

    def forward(self, images: Tensor, valid: Tensor | None = None) -> VGGTOutput:
        """[B, S, 3, H, W] in 0..1 and which views are valid [B, S] (None = all) -> all outputs."""
        height, width = images.shape[-2:]
        levels = self.aggregator(images, valid)
        placeless = self.aggregator.placeless
        # As published: the trunk may run in short floats, the heads never do.
        with plain_arithmetic(images.device):
            pose_steps = self.camera_head(levels[-1][:, :, 0], valid)
            raw_depth, depth_conf = self.depth_head(levels, placeless, height, width)
            raw_points, points_conf = self.point_head(levels, placeless, height, width)
        return VGGTOutput(
            tokens=levels[-1][:, :, placeless:],
            pose_steps=pose_steps,
            depth=raw_depth[..., 0].exp(),
            depth_conf=depth_conf,
            points=raw_points.sign() * torch.expm1(raw_points.abs()),
            points_conf=points_conf,
        )
