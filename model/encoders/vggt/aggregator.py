"""VGGT's trunk: attention within each view and over all views in turn, on patch, camera and register tokens."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from model.config import VGGTConfig
from model.encoders.vggt.blocks import Block, rotary_table
from model.encoders.vggt.patch_embed import DinoV2, PatchEmbed

IMAGE_MEAN = (0.485, 0.456, 0.406)
IMAGE_DEVIATION = (0.229, 0.224, 0.225)
LAYER_SCALE = 0.01


class Aggregator(nn.Module):
    """Alternating frame and global attention (Wang et al. 2025). The first view is the frame of reference."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, config: VGGTConfig) -> None:
        super().__init__()
        self.patch_size, self.head_width = config.patch_size, config.width // config.heads
        self.patch_embed = _patch_embedding(config)
        self.frame_blocks = nn.ModuleList(_block(config) for _ in range(config.depth))
        self.global_blocks = nn.ModuleList(_block(config) for _ in range(config.depth))
        # Index 0 on the second axis is for the view of reference, 1 for all others.
        self.camera_token = nn.Parameter(torch.empty(1, 2, 1, config.width).normal_(std=1e-6))
        self.register_token = nn.Parameter(torch.empty(1, 2, config.registers, config.width).normal_(std=1e-6))
        self.register_buffer("mean", torch.tensor(IMAGE_MEAN).view(1, 1, 3, 1, 1), persistent=False)
        self.register_buffer("deviation", torch.tensor(IMAGE_DEVIATION).view(1, 1, 3, 1, 1), persistent=False)

    @property
    def placeless(self) -> int:
        """Tokens of a view before its patches: the camera's and the registers."""
        return 1 + self.register_token.shape[2]

    def forward(self, images: Tensor, valid: Tensor | None = None) -> list[Tensor]:
        """[B, S, 3, H, W] in 0..1 -> after each pair of blocks [B, S, placeless + N, 2 width].

        `valid` [B, S] is False for padded views: no valid view sees them. None = all valid.
        """
        items, views = images.shape[:2]
        patches = self.patch_embed(((images - self.mean) / self.deviation).flatten(0, 1))
        tokens = torch.cat([self._special(items, views), patches], dim=1)
        rows, columns = images.shape[-2] // self.patch_size, images.shape[-1] // self.patch_size
        table = rotary_table(rows, columns, self.placeless, self.head_width, images.device)
        everywhere = (table[0].repeat(views, 1, 1, 1), table[1].repeat(views, 1, 1, 1))
        mask = None if valid is None else valid.repeat_interleave(tokens.shape[1], dim=1)[:, None, None]
        outputs = []
        for frame_block, global_block in zip(self.frame_blocks, self.global_blocks, strict=True):
            within = frame_block(tokens, table)
            across = global_block(within.reshape(items, -1, within.shape[-1]), everywhere, mask)
            tokens = across.reshape(within.shape)
            outputs.append(torch.cat([within, tokens], dim=-1).unflatten(0, (items, views)))
        return outputs

    def _special(self, items: int, views: int) -> Tensor:
        """[B * S, placeless, width]: camera and register tokens of the reference and of the other views."""
        special = torch.cat([self.camera_token, self.register_token], dim=2)
        others = special[:, 1:].expand(-1, views - 1, -1, -1)
        return torch.cat([special[:, :1], others], dim=1).expand(items, -1, -1, -1).flatten(0, 1)


def _block(config: VGGTConfig) -> Block:
    return Block(config.width, config.heads, scale=LAYER_SCALE, normalise=True)


def _patch_embedding(config: VGGTConfig) -> nn.Module:
    if config.patch_embed == "conv":
        return PatchEmbed(config.width, config.patch_size)
    side = config.pretrained_image_size // config.patch_size
    return DinoV2(config.width, config.patch_embed_depth, config.heads, config.patch_size, config.registers, side)
