"""From hidden states to heatmaps, dense classes, the first turn, and features that can be aligned across frames."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.batch import TensorRecord
from model.cells import LANDING, Cells
from model.config import NetworkConfig
from model.fourier import code_width, fourier_code
from model.matching import MATCHED
from model.near_attention import NearAttention
from model.placement import plain_arithmetic

CLASSES = 3
TURNS = 3


@dataclass(frozen=True)
class Patches(TensorRecord):
    """What is known of patches when the language model has spoken."""

    current: Tensor
    """[B, N, width] patches of the current view."""
    keyframes: Tensor
    """[B, K, N, width] patches of the keyframes."""
    points: Tensor
    """[B, K, N, 3] centres of the keyframes' patches in the current camera's frame."""
    known: Tensor
    """[B, K, N] bool: their depth is valid."""
    matched: Tensor
    """[B, K, N, 6] where the current view's patches find their look-alikes; see `match_patches`."""


@dataclass(frozen=True)
class HeadOutput:
    """See the fields of `Prediction` with the same names."""

    logits: Tensor
    classes: Tensor
    turn: Tensor


class HeatmapHead(nn.Module):
    """Compares queries with the cells of the current view.

    A cell's feature f_u comes from its patch and from the code of its own 3-D centre. For keyframe k it looks at what
    that keyframe saw near the same place, and is told where it would lie in that keyframe's image and where its
    look-alike lies there, which gives f_u^k. Then z_k(u) = q_k . f_u^k / sqrt(d) and
    z_k(none) = q_k . f_0 / sqrt(d) + b + w . [mean_u f_u^k, max_u f_u^k]. The goal query is compared with f_u, and what
    the way so far tells of every cell (`model.trail`) is added.
    """

    def __init__(self, config: NetworkConfig, width: int) -> None:
        super().__init__()
        self.grid, self.patches, self.bands = config.grid, config.patches, config.point_bands
        inner = config.head.width
        self.expand = nn.Linear(width, (config.grid // config.patches) ** 2 * inner)
        self.centre = nn.Linear(code_width(self.bands), inner) if self.bands else None
        self.cell_norm = nn.LayerNorm(inner)
        # Over neighbours too, since the true maps are blurred by one cell.
        self.landing = nn.Conv2d(LANDING, inner, 3, padding=1) if config.head.landing else None
        self.matched = nn.Conv2d(MATCHED, inner, 3, padding=1) if config.head.matched else None
        self.look = NearAttention(inner, width, config.head.heads, config.head.near)
        self.refine = nn.Sequential(nn.LayerNorm(inner), nn.Linear(inner, inner), nn.GELU(), nn.Linear(inner, inner))
        self.query = nn.Sequential(nn.Linear(width, inner), nn.GELU(), nn.Linear(inner, inner))
        self.none = nn.Parameter(torch.empty(inner).normal_(std=inner**-0.5))
        self.none_bias = nn.Parameter(torch.zeros(1))
        self.lack = nn.Linear(2 * inner, 1, bias=False)
        self.classes = nn.Linear(inner, CLASSES)
        self.turn = nn.Linear(width, TURNS)

    def forward(self, patches: Patches, cells: Cells | None, queries: Tensor, goal: Tensor | None = None) -> HeadOutput:
        """Patches, cells (where places are used), queries [B, K + 1, width] -> logits [B, K + 1, C], classes, turn.

        `goal` [B, C] is added to the logits of the goal's map.
        """
        plain = self._describe(patches.current, cells)
        centres, known = (cells.centres, cells.known) if cells is not None else (None, None)
        found = self.look(plain, centres, known, patches.keyframes, patches.points, patches.known)
        if self.landing is not None and cells is not None:
            found = found + self._on_maps(self.landing, cells.landing, self.grid)
        if self.matched is not None:
            found = found + self._on_maps(self.matched, patches.matched, self.patches)
        features = torch.cat([plain[:, None] + found, plain[:, None]], dim=1)
        features = features + self.refine(features)
        logits = self._compare(self.query(queries), features)
        if goal is not None:
            logits = torch.cat([logits[:, :-1], logits[:, -1:] + goal[:, None].to(logits.dtype)], dim=1)
        classes = self.classes(features[:, :-1]).unflatten(2, (self.grid, self.grid)).movedim(-1, 2)
        return HeadOutput(logits, classes, self.turn(queries[:, -1]))

    def _on_maps(self, layer: nn.Module, told: Tensor, side: int) -> Tensor:
        """[B, K, side * side, w] -> [B, K, U, d] through a layer on maps of G x G cells."""
        maps = told.flatten(0, 1).transpose(1, 2).unflatten(-1, (side, side))
        if side != self.grid:
            maps = functional.interpolate(maps, scale_factor=self.grid // side, mode="bilinear")
        return layer(maps).flatten(2).transpose(1, 2).unflatten(0, told.shape[:2])

    def _describe(self, current: Tensor, cells: Cells | None) -> Tensor:
        """f_u: [B, G * G, d], row by row."""
        side = self.grid // self.patches
        features = self.expand(current).unflatten(1, (self.patches, self.patches)).unflatten(-1, (side, side, -1))
        features = features.transpose(2, 3).flatten(1, 4)
        if self.centre is not None and cells is not None:
            features = features + self.centre(fourier_code(cells.centres, cells.known, self.bands))
        return self.cell_norm(features)

    def _compare(self, queries: Tensor, features: Tensor) -> Tensor:
        """Queries [B, K + 1, d] and features [B, K + 1, U, d] -> logits [B, K + 1, U + 1], the none bin last."""
        with plain_arithmetic(queries.device):
            queries = queries.float() * queries.shape[-1] ** -0.5
            cells = (features.float() @ queries[..., None])[..., 0]
            summary = torch.cat([features.mean(dim=2), features.amax(dim=2)], dim=-1)
            none = queries @ self.none + self.none_bias + self.lack(summary.float())[..., 0]
        return torch.cat([cells, none[..., None]], dim=-1)


class AlignmentHead(nn.Module):
    """Unit-length features of patches, for cross-frame alignment (InfoNCE)."""

    def __init__(self, width: int, out: int) -> None:
        super().__init__()
        self.project = nn.Linear(width, out)

    def forward(self, hidden: Tensor) -> Tensor:
        """[..., width] -> [..., out], of length one."""
        return functional.normalize(self.project(hidden).float(), dim=-1)
