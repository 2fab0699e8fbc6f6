"""DINOv3 (transformers) on every view: patch tokens without the class and register tokens."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from transformers import DINOv3ViTConfig, DINOv3ViTModel

from model.config import DINOv3Config
from model.encoders.vggt.aggregator import IMAGE_DEVIATION, IMAGE_MEAN
from model.encoders.vggt.encoder import resize
from model.errors import UsageError


class DINOv3(nn.Module):
    """Appearance of patches. Keep it in eval() where it is frozen: in train() its positions are scaled at random."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, config: DINOv3Config) -> None:
        super().__init__()
        self.size = config.image_size
        self.backbone = build_dinov3(config)
        self.token_width = self.backbone.config.hidden_size
        self.prefix = 1 + self.backbone.config.num_register_tokens
        self.register_buffer("mean", torch.tensor(IMAGE_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("deviation", torch.tensor(IMAGE_DEVIATION).view(1, 3, 1, 1), persistent=False)

    def forward(self, rgb: Tensor) -> Tensor:
        """[B, S, 3, H, W] in 0..1 -> [B, S, N, D]."""
        images = (resize(rgb, self.size, self.size).flatten(0, 1) - self.mean) / self.deviation
        hidden = self.backbone(pixel_values=images).last_hidden_state
        return hidden[:, self.prefix :].unflatten(0, rgb.shape[:2])


def build_dinov3(config: DINOv3Config) -> DINOv3ViTModel:
    """The backbone from a local folder, from the hub, or from the config's own sizes with random weights.

    Raises:
        UsageError: the source is neither a folder nor a hub id that can be read.
    """
    if config.source is None:
        return DINOv3ViTModel(dinov3_config(config))
    try:
        return DINOv3ViTModel.from_pretrained(config.source)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"DINOv3 cannot be read from {config.source} ({str(error).splitlines()[0]}): "
            f"give a folder with config.json and weights, or a hub id that this machine can reach."
        ) from error


def dinov3_config(config: DINOv3Config) -> DINOv3ViTConfig:
    """The library's config for the sizes of ours."""
    return DINOv3ViTConfig(
        image_size=config.image_size,
        patch_size=config.patch_size,
        hidden_size=config.width,
        intermediate_size=config.mlp_width,
        num_hidden_layers=config.depth,
        num_attention_heads=config.heads,
        num_register_tokens=config.registers,
        # Random scales of the positions serve self-supervised pretraining; from scratch on one size they only harm.
        pos_embed_rescale=None,
    )
