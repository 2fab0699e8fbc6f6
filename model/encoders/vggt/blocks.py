"""Transformer block of VGGT and of its DINOv2 patch embedding, and two-dimensional rotary positions."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

ROTARY_BASE = 100.0


Table = tuple[Tensor, Tensor]
"""Cosines and sines [N, 2 axes, 1, pairs] of N tokens."""


def rotary_table(rows: int, columns: int, placeless: int, head_width: int, device: torch.device) -> Table:
    """Angles of one view's tokens: first those without a place (camera, registers), then the patches row by row.

    A head's first half is rotated by the row, its second by the column. Both are 0 for tokens without a place; patches
    count from 1.
    """
    y, x = torch.meshgrid(torch.arange(rows, device=device), torch.arange(columns, device=device), indexing="ij")
    places = functional.pad(torch.stack([y, x], dim=-1).reshape(-1, 2) + 1, (0, 0, placeless, 0))
    pairs = head_width // 4
    frequencies = ROTARY_BASE ** -(torch.arange(pairs, device=device, dtype=torch.float32) / pairs)
    angles = (places.float()[..., None] * frequencies)[..., None, :]
    return angles.cos(), angles.sin()


def rotate(tokens: Tensor, table: Table) -> Tensor:
    """[B, heads, N, width] -> the same, rotated."""
    cos, sin = (part.to(tokens.dtype) for part in table)
    first, second = tokens.unflatten(-1, (2, 2, -1)).chunk(2, dim=-2)
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-2).flatten(-3)


class LayerScale(nn.Module):
    """Learned gain of a residual branch (Touvron et al. 2021)."""

    def __init__(self, width: int, initial: float) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.full((width,), initial))

    def forward(self, tokens: Tensor) -> Tensor:
        """[..., width] -> the same, scaled."""
        return tokens * self.gamma


class Attention(nn.Module):
    """Multi-head self-attention with optional normalised queries and keys and rotary positions."""

    def __init__(self, width: int, heads: int, normalise: bool) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.q_norm = nn.LayerNorm(width // heads) if normalise else nn.Identity()
        self.k_norm = nn.LayerNorm(width // heads) if normalise else nn.Identity()
        self.proj = nn.Linear(width, width)

    def forward(self, tokens: Tensor, table: Table | None, mask: Tensor | None) -> Tensor:
        """[B, N, width] -> the same; `mask` [B, 1, 1, N] is False where a key must not be seen."""
        query, key, value = self.qkv(tokens).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        query, key = self.q_norm(query), self.k_norm(key)
        if table is not None:
            query, key = rotate(query, table), rotate(key, table)
        seen = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        return self.proj(seen.transpose(1, 2).flatten(2))


class Mlp(nn.Module):
    """Two linear layers around a GELU."""

    def __init__(self, width: int, hidden: int, out: int | None = None) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, out or width)

    def forward(self, tokens: Tensor) -> Tensor:
        """[..., width] -> [..., out]."""
        return self.fc2(functional.gelu(self.fc1(tokens)))


class Block(nn.Module):
    """Pre-norm transformer block with layer scale."""

    def __init__(
        self,
        width: int,
        heads: int,
        *,
        scale: float,
        normalise: bool = False,
        eps: float = 1e-5,
    ) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=eps)
        self.attn = Attention(width, heads, normalise)
        self.ls1 = LayerScale(width, scale)
        self.norm2 = nn.LayerNorm(width, eps=eps)
        self.mlp = Mlp(width, 4 * width)
        self.ls2 = LayerScale(width, scale)

    def forward(self, tokens: Tensor, table: Table | None = None, mask: Tensor | None = None) -> Tensor:
        """[B, N, width] -> the same."""
        tokens = tokens + self.ls1(self.attn(self.norm1(tokens), table, mask))
        return tokens + self.ls2(self.mlp(self.norm2(tokens)))
