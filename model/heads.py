"""From hidden states to heatmaps, dense classes, the first turn, and features that can be aligned across frames."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.config import NetworkConfig
from model.fourier import code_width, fourier_code
from model.language import Hidden
from model.placement import plain_arithmetic

CLASSES = 3
TURNS = 3


@dataclass(frozen=True)
class HeadOutput:
    """See the fields of `Prediction` with the same names."""

    logits: Tensor
    classes: Tensor
    turn: Tensor


class HeatmapHead(nn.Module):
    """Compares queries with the cells of the current view.

    A cell's feature f_u comes from its patch's hidden state and the code of its own 3-D centre. For keyframe k it looks
    once more at that keyframe's patches, giving f_u^k. Then z_k(u) = q_k . f_u^k / sqrt(d) and
    z_k(none) = q_k . f_0 / sqrt(d) + b; the goal query is compared with f_u itself.
    """

    def __init__(self, config: NetworkConfig, width: int) -> None:
        super().__init__()
        self.grid, self.patches, self.bands = config.grid, config.patches, config.point_bands
        self.heads, inner = config.head.heads, config.head.width
        self.split = (config.grid // config.patches) ** 2
        self.expand = nn.Linear(width, self.split * inner)
        self.centre = nn.Linear(code_width(self.bands), inner) if self.bands else None
        self.cell_norm = nn.LayerNorm(inner)
        self.ask = nn.Linear(inner, inner)
        self.offer = nn.Linear(width, 2 * inner)
        self.answer = nn.Linear(inner, inner)
        self.refine = nn.Sequential(nn.LayerNorm(inner), nn.Linear(inner, inner), nn.GELU(), nn.Linear(inner, inner))
        self.query = nn.Sequential(nn.Linear(width, inner), nn.GELU(), nn.Linear(inner, inner))
        self.none = nn.Parameter(torch.empty(inner).normal_(std=inner**-0.5))
        self.none_bias = nn.Parameter(torch.zeros(1))
        self.classes = nn.Linear(inner, CLASSES)
        self.turn = nn.Linear(width, TURNS)

    def forward(self, hidden: Hidden, centres: Tensor, centres_valid: Tensor) -> HeadOutput:
        """Hidden states and the cells' 3-D centres [B, G * G, 3] -> logits [B, K + 1, C], classes, turn."""
        cells = self.cells(hidden.current, centres, centres_valid)
        seen = self.look(cells, hidden.keyframes)
        plain = cells + self.refine(cells)
        logits = self._compare(self.query(hidden.queries), torch.cat([seen, plain[:, None]], dim=1))
        classes = self.classes(seen).unflatten(2, (self.grid, self.grid)).movedim(-1, 2)
        return HeadOutput(logits, classes, self.turn(hidden.queries[:, -1]))

    def _compare(self, queries: Tensor, features: Tensor) -> Tensor:
        """Queries [B, K + 1, d] and features [B, K + 1, U, d] -> logits [B, K + 1, U + 1], the none bin last."""
        with plain_arithmetic(queries.device):
            queries = queries.float() * queries.shape[-1] ** -0.5
            cells = (features.float() @ queries[..., None])[..., 0]
            none = queries @ self.none + self.none_bias
        return torch.cat([cells, none[..., None]], dim=-1)

    def cells(self, current: Tensor, centres: Tensor, valid: Tensor) -> Tensor:
        """f_u: [B, N, width] hidden states and [B, G * G, 3] centres -> [B, G * G, d], row by row."""
        side = self.grid // self.patches
        features = self.expand(current).unflatten(1, (self.patches, self.patches)).unflatten(-1, (side, side, -1))
        features = features.transpose(2, 3).flatten(1, 4)
        if self.centre is not None:
            features = features + self.centre(fourier_code(centres, valid, self.bands))
        return self.cell_norm(features)

    def look(self, cells: Tensor, keyframes: Tensor) -> Tensor:
        """f_u^k: cells [B, U, d] look at keyframes [B, K, N, width] -> [B, K, U, d]."""
        count = keyframes.shape[1]
        ask = self._heads(self.ask(cells))[:, None].expand(-1, count, -1, -1, -1).flatten(0, 1)
        key, value = (self._heads(part) for part in self.offer(keyframes.flatten(0, 1)).chunk(2, dim=-1))
        found = functional.scaled_dot_product_attention(ask, key, value).transpose(1, 2).flatten(2)
        seen = cells[:, None] + self.answer(found).unflatten(0, keyframes.shape[:2])
        return seen + self.refine(seen)

    def _heads(self, tokens: Tensor) -> Tensor:
        """[M, n, d] -> [M, heads, n, d / heads]."""
        return tokens.unflatten(-1, (self.heads, -1)).transpose(1, 2)


class AlignmentHead(nn.Module):
    """Unit-length features of patches, for cross-frame alignment (InfoNCE)."""

    def __init__(self, width: int, out: int) -> None:
        super().__init__()
        self.project = nn.Linear(width, out)

    def forward(self, hidden: Tensor) -> Tensor:
        """[..., width] -> [..., out], of length one."""
        return functional.normalize(self.project(hidden).float(), dim=-1)
