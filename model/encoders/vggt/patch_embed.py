"""From pixels to patch tokens: a strided convolution, alone or under a DINOv2 vision transformer with registers."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.encoders.vggt.blocks import Block

DINOV2_EPS = 1e-6


class PatchEmbed(nn.Module):
    """Linear embedding of non-overlapping patches."""

    def __init__(self, width: int, patch_size: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, width, kernel_size=patch_size, stride=patch_size)

    def forward(self, images: Tensor) -> Tensor:
        """[M, 3, H, W] -> [M, N, width], row by row."""
        return self.proj(images).flatten(2).transpose(1, 2)


class DinoV2(nn.Module):
    """DINOv2 (Oquab et al. 2023) with registers (Darcet et al. 2023); its normalised patch tokens."""

    def __init__(self, width: int, depth: int, heads: int, patch_size: int, registers: int, table_side: int) -> None:
        super().__init__()
        self.patch_size = patch_size
        self.patch_embed = PatchEmbed(width, patch_size)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + table_side**2, width))
        self.register_tokens = nn.Parameter(torch.zeros(1, registers, width))
        # Part of the checkpoint; only masked-image training, which is not done here, would read it.
        self.mask_token = nn.Parameter(torch.zeros(1, width), requires_grad=False)
        self.blocks = nn.ModuleList(Block(width, heads, scale=1.0, eps=DINOV2_EPS) for _ in range(depth))
        self.norm = nn.LayerNorm(width, eps=DINOV2_EPS)
        nn.init.trunc_normal_(self.pos_embed, std=0.02)
        nn.init.normal_(self.cls_token, std=1e-6)
        nn.init.normal_(self.register_tokens, std=1e-6)

    def forward(self, images: Tensor) -> Tensor:
        """[M, 3, H, W] -> [M, N, width], row by row."""
        rows, columns = images.shape[-2] // self.patch_size, images.shape[-1] // self.patch_size
        patches = self.patch_embed(images)
        tokens = torch.cat([self.cls_token.expand(len(patches), -1, -1), patches], dim=1)
        tokens = tokens + self._positions(rows, columns).to(tokens.dtype)
        registers = self.register_tokens.to(tokens.dtype).expand(len(patches), -1, -1)
        tokens = torch.cat([tokens[:, :1], registers, tokens[:, 1:]], dim=1)
        for block in self.blocks:
            tokens = block(tokens)
        return self.norm(tokens)[:, 1 + registers.shape[1] :]

    def _positions(self, rows: int, columns: int) -> Tensor:
        """The position table, resized bicubically where the image is not of the size that it was made for."""
        side = round((self.pos_embed.shape[1] - 1) ** 0.5)
        if (rows, columns) == (side, side):
            return self.pos_embed
        grid = self.pos_embed[:, 1:].float().unflatten(1, (side, side)).permute(0, 3, 1, 2)
        grid = functional.interpolate(grid, size=(rows, columns), mode="bicubic", antialias=True)
        return torch.cat([self.pos_embed[:, :1].float(), grid.flatten(2).transpose(1, 2)], dim=1)
