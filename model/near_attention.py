"""Attention that falls with distance in space: cells of the current view look at the patches of one keyframe."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.placement import plain_arithmetic

FAR = 100.0
"""Metres; where a patch of unknown depth is put, so that no cell is near it."""

SHARPNESS = 4.0
"""Start of the fall with squared distance, per square metre: to 1/e at half a metre, about a patch's size in a room."""


class NearAttention(nn.Module):
    """For each cell u of the current view and each keyframe k: what that keyframe's patches near u's place say.

    Score of head h: a_h(u) . b_h(v) - s_h |X_u - Y_v|^2, X and Y being 3-D centres in the current camera's frame.
    Since |X_u|^2 is the same for all v, the score is one inner product of lengthened vectors, which plain attention
    computes. The values are lengthened likewise, so that the attention also tells the mean offset and mean squared
    distance of what it found: a cell that keyframe k did not see is far from all of its patches.

    Args:
        width: d, of cells and outcome.
        source: width of the keyframes' patches.
        heads: attention heads.
        near: whether the score falls with distance (else plain attention, an ablation).
    """

    def __init__(self, width: int, source: int, heads: int, near: bool) -> None:
        super().__init__()
        self.heads, self.near = heads, near
        self.ask = nn.Linear(width, width)
        self.offer = nn.Linear(source, 2 * width)
        self.answer = nn.Linear(width + (4 * heads if near else 0), width)
        if near:
            self.log_sharpness = nn.Parameter(math.log(SHARPNESS) + torch.linspace(-1, 1, heads))

    def forward(
        self,
        cells: Tensor,
        centres: Tensor | None,
        known: Tensor | None,
        patches: Tensor,
        points: Tensor,
        points_known: Tensor,
    ) -> Tensor:
        """What each cell finds in each keyframe.

        Args:
            cells: [B, U, d] with 3-D `centres` [B, U, 3], `known` [B, U] or not; none where places are not used.
            patches: [B, K, N, source] with 3-D `points` [B, K, N, 3], `points_known` [B, K, N] or not.

        Returns:
            [B, K, U, d].
        """
        ask = self._heads(self.ask(cells))
        key, value = (self._heads(part) for part in self.offer(patches.flatten(0, 1)).chunk(2, dim=-1))
        if self.near and centres is not None and known is not None:
            with plain_arithmetic(cells.device):
                asking = self._asking(ask.float(), centres, known)
                places = self._places(points, points_known).flatten(0, 1)[:, None].expand(-1, self.heads, -1, -1)
                key, value = (torch.cat([part.float(), places], dim=-1) for part in (key, value))
                found = _attend(asking, key, value, patches.shape[1])
                found = self._tell_distance(found, centres, known)
        else:
            found = _attend(ask * ask.shape[-1] ** -0.5, key, value, patches.shape[1])
        return self.answer(found.transpose(2, 3).flatten(3))

    def _asking(self, ask: Tensor, centres: Tensor, known: Tensor) -> Tensor:
        """[B, heads, U, d / heads + 4]: a(u) / sqrt, 2 s X, -s; a cell of unknown place does not ask for nearness."""
        sharpness = self.log_sharpness.exp()[:, None, None] * known[:, None, :, None]
        place = torch.cat([2 * sharpness * centres[:, None], -sharpness], dim=-1)
        return torch.cat([ask * ask.shape[-1] ** -0.5, place], dim=-1)

    def _places(self, points: Tensor, known: Tensor) -> Tensor:
        """[B, K, N, 4]: Y, |Y|^2."""
        points = torch.where(known[..., None], points, FAR)
        return torch.cat([points, points.square().sum(dim=-1, keepdim=True)], dim=-1)

    def _tell_distance(self, found: Tensor, centres: Tensor, known: Tensor) -> Tensor:
        """[B, K, heads, U, d / heads + 4] values and mean Y, |Y|^2 -> values, mean offset, log mean |X - Y|^2."""
        value, mean, square = found.split([found.shape[-1] - 4, 3, 1], dim=-1)
        centres = centres[:, None, None]
        distance = (centres * (centres - 2 * mean)).sum(dim=-1, keepdim=True) + square
        place = torch.cat([functional.softsign(2 * (centres - mean)), torch.log(distance.clamp_min(0) + 0.01)], dim=-1)
        return torch.cat([value, place * known[:, None, None, :, None]], dim=-1)

    def _heads(self, tokens: Tensor) -> Tensor:
        """[M, n, d] -> [M, heads, n, d / heads]."""
        return tokens.unflatten(-1, (self.heads, -1)).transpose(1, 2)


def _attend(ask: Tensor, key: Tensor, value: Tensor, keyframes: int) -> Tensor:
    """Cells [B, heads, U, w] at the patches of each keyframe [B * K, heads, N, w] -> [B, K, heads, U, w]."""
    items = ask.shape[0]
    spread = ask[:, None].expand(-1, keyframes, -1, -1, -1).flatten(0, 1)
    found = functional.scaled_dot_product_attention(spread, key, value, scale=1.0)
    return found.unflatten(0, (items, keyframes))
