"""What the language model reads, token by token: order, rotary positions, and who sees whom.

Two orders exist. `blocks` and `full`: instruction, current view, then one block a keyframe (its tokens and its query),
then the goal query; all blocks stand at the same positions, so keyframes can be swapped. `causal`: instruction,
keyframes, current view, queries, at the positions that the language model was pretrained with.
A view is a start token, its N patches row by row, and an end token.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from model.batch import Text


@dataclass(frozen=True)
class Vocabulary:
    """Ids of the tokens that are not text."""

    image: int
    start: int
    end: int


@dataclass(frozen=True)
class Sequence:
    """T tokens for each of B items."""

    ids: Tensor
    """[B, T] int64; the placeholder `Vocabulary.image` where a vector is put in: patches and queries."""
    types: Tensor
    """[B, T] int64: 1 for patches, else 0 (the library's modality types)."""
    positions: Tensor
    """[3, B, T] int64: rotary positions in time, row, column."""
    seen: Tensor
    """[B, T] bool: False for padding (of the text, and whole keyframes)."""
    current: Tensor
    """[N] places of the current view's patches."""
    keyframes: Tensor
    """[K, N] places of the keyframes' patches."""
    queries: Tensor
    """[K + 1] places of the queries, the goal's last."""
    slots: Tensor
    """[V] places of all placeholders in order; V = (K + 1) (N + 1)."""
    prefix: int
    """Length of instruction and current view together (in the order of blocks)."""
    block: int
    """Length of a keyframe's block."""


def lay_out(text: Text, valid: Tensor, patches: int, vocabulary: Vocabulary, causal: bool) -> Sequence:
    """The sequence for B instructions and K keyframes of P x P = N patches; `valid` [B, K] marks real keyframes."""
    if causal:
        return _causal_order(text, valid, patches, vocabulary)
    return _block_order(text, valid, patches, vocabulary)


def _block_order(text: Text, valid: Tensor, patches: int, vocabulary: Vocabulary) -> Sequence:
    items, keyframes = valid.shape
    length, area, device = text.ids.shape[1], patches * patches, text.ids.device
    lengths = text.mask.sum(dim=1)
    view_ids, view_steps = _view(patches, vocabulary, device)
    query = torch.full((1,), vocabulary.image, device=device)
    block_ids = torch.cat([view_ids, query])
    # A view spans P + 2 positions: its start, the square of its patches, its end.
    span = patches + 2
    block_steps = torch.cat([view_steps + span, torch.full((3, 1), 2 * span, device=device)], dim=1)
    steps = torch.cat([view_steps, block_steps.repeat(1, keyframes), block_steps[:, -1:] + 1], dim=1)
    tail = torch.cat([view_ids, block_ids.repeat(keyframes), query])
    prefix, block = length + area + 2, area + 3
    starts = prefix + block * torch.arange(keyframes, device=device)
    inside = 1 + torch.arange(area, device=device)
    goal = torch.tensor([prefix + block * keyframes], device=device)
    places = starts[:, None] + inside
    queries = torch.cat([starts + block - 1, goal])
    blocks_seen = valid.repeat_interleave(block, dim=1)
    always = torch.ones(items, area + 2, dtype=torch.bool, device=device)
    return _assemble(
        text,
        tail,
        lengths[None, :, None] + steps[:, None],
        torch.cat([text.mask, always, blocks_seen, always[:, :1]], dim=1),
        current=length + inside,
        keyframes=places,
        queries=queries,
        prefix=prefix,
        block=block,
    )


def _causal_order(text: Text, valid: Tensor, patches: int, vocabulary: Vocabulary) -> Sequence:
    items, keyframes = valid.shape
    length, area, device = text.ids.shape[1], patches * patches, text.ids.device
    lengths = text.mask.sum(dim=1)
    view_ids, view_steps = _view(patches, vocabulary, device)
    span, views = patches + 2, keyframes + 1
    shifts = torch.arange(views, device=device).repeat_interleave(area + 2) * span
    query_steps = (views * span + torch.arange(views, device=device)).expand(3, -1)
    steps = torch.cat([view_steps.repeat(1, views) + shifts, query_steps], dim=1)
    queries = torch.full((views,), vocabulary.image, device=device)
    starts = length + (area + 2) * torch.arange(views, device=device)
    places = starts[:, None] + 1 + torch.arange(area, device=device)
    always = torch.ones(items, area + 2 + views, dtype=torch.bool, device=device)
    return _assemble(
        text,
        torch.cat([view_ids.repeat(views), queries]),
        lengths[None, :, None] + steps[:, None],
        torch.cat([text.mask, valid.repeat_interleave(area + 2, dim=1), always], dim=1),
        current=places[-1],
        keyframes=places[:-1],
        queries=length + (area + 2) * views + torch.arange(views, device=device),
        prefix=length + area + 2,
        block=area + 3,
    )


def _view(patches: int, vocabulary: Vocabulary, device: torch.device) -> tuple[Tensor, Tensor]:
    """Ids [N + 2] and positions [3, N + 2] of a view that starts at position 0."""
    area = patches * patches
    ids = torch.full((area + 2,), vocabulary.image, device=device)
    ids[0], ids[-1] = vocabulary.start, vocabulary.end
    steps = torch.zeros(3, area + 2, dtype=torch.int64, device=device)
    rank = torch.arange(area, device=device)
    steps[:, 1:-1] = 1 + torch.stack([torch.zeros_like(rank), rank // patches, rank % patches])
    steps[:, -1] = patches + 1
    return ids, steps


def _assemble(
    text: Text,
    tail: Tensor,
    tail_positions: Tensor,
    seen: Tensor,
    *,
    current: Tensor,
    keyframes: Tensor,
    queries: Tensor,
    prefix: int,
    block: int,
) -> Sequence:
    """Joins the instruction with what follows it: the same ids for all items, at positions after its own end."""
    items, length = text.ids.shape
    ids = torch.cat([text.ids, tail.expand(items, -1)], dim=1)
    words = torch.arange(length, device=text.ids.device).expand(3, items, -1)
    types = torch.zeros_like(ids)
    types[:, torch.cat([current, keyframes.flatten()])] = 1
    slots = torch.cat([current, keyframes.flatten(), queries]).sort().values
    positions = torch.cat([words, tail_positions], dim=2)
    return Sequence(ids, types, positions, seen, current, keyframes, queries, slots, prefix, block)
