"""Attention over the order of blocks (see `sequence`), computed block by block.

Instruction and current view (the prefix) see the prefix; keyframe k and query k see the prefix and their own block;
the goal query sees all. So what is said of keyframe k depends on instruction, current view and keyframe k alone.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

BLOCKS = "backsight_blocks"
"""Name under which the attention is known to transformers."""


def register_block_attention() -> None:
    """Make the attention known to transformers; doing so twice changes nothing."""
    from transformers import AttentionInterface

    AttentionInterface.register(BLOCKS, attend_blocks)


def attend_blocks(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    prefix: int,
    block: int,
    seen: Tensor,
    scaling: float,
    **_: Any,
) -> tuple[Tensor, None]:
    """[B, heads, T, width] queries, [B, kv heads, T, width] keys and values -> [B, T, heads, width].

    `seen` [B, T] is False for padding; `attention_mask` is not used, the order of blocks is the mask.
    """
    groups = query.shape[1] // key.shape[1]
    if groups > 1:
        key, value = key.repeat_interleave(groups, dim=1), value.repeat_interleave(groups, dim=1)
    keyframes = (query.shape[2] - prefix - 1) // block
    stop = prefix + keyframes * block
    mask = seen[:, None, None]
    parts = [_attend(query[:, :, :prefix], key[:, :, :prefix], value[:, :, :prefix], mask[..., :prefix], scaling)]
    if keyframes:
        folded = [_fold(part[:, :, prefix:stop], keyframes) for part in (query, key, value)]
        shared = [_spread(part[:, :, :prefix], keyframes) for part in (key, value)]
        block_key = torch.cat([shared[0], folded[1]], dim=2)
        block_value = torch.cat([shared[1], folded[2]], dim=2)
        block_mask = torch.cat(
            [
                seen[:, None, :prefix].expand(-1, keyframes, -1),
                seen[:, prefix:stop].unflatten(1, (keyframes, block)),
            ],
            dim=2,
        ).flatten(0, 1)[:, None, None]
        inside = _attend(folded[0], block_key, block_value, block_mask, scaling)
        parts.append(inside.unflatten(0, (-1, keyframes)).transpose(1, 2).flatten(2, 3))
    parts.append(_attend(query[:, :, stop:], key, value, mask, scaling))
    return torch.cat(parts, dim=2).transpose(1, 2), None


def _attend(query: Tensor, key: Tensor, value: Tensor, mask: Tensor, scaling: float) -> Tensor:
    return functional.scaled_dot_product_attention(query, key, value, attn_mask=mask, scale=scaling)


def _fold(tokens: Tensor, keyframes: int) -> Tensor:
    """[B, heads, K * n, width] -> [B * K, heads, n, width]."""
    return tokens.unflatten(2, (keyframes, -1)).transpose(1, 2).flatten(0, 1)


def _spread(tokens: Tensor, keyframes: int) -> Tensor:
    """[B, heads, A, width] -> [B * K, heads, A, width]."""
    return tokens[:, None].expand(-1, keyframes, -1, -1, -1).flatten(0, 1)
