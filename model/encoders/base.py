"""The narrow base of geometry encoders, and what they share: points of patches in the current camera's frame."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from model.batch import Geometry, Views
from model.geometry import transform, unproject


class GeometryEncoder(nn.Module, ABC):
    """Views -> tokens and geometry. A new encoder subclasses this and gets one entry in `ENCODERS`."""

    token_width: int
    """D: width of `Geometry.tokens`."""

    reads_sensors: bool = False
    """Whether measured depth and poses are read, so that pictures alone do not do."""

    @abstractmethod
    def forward(self, views: Views) -> Geometry:
        """What the encoder says of all views; padded views may hold anything finite."""

    @abstractmethod
    def tokens(self, views: Views) -> Tensor:
        """[B, S, n, D]: the tokens alone, for encoders whose geometry is not asked for."""

    @abstractmethod
    def learns_geometry(self) -> bool:
        """Whether anything is being trained that only geometry, not tokens, depends on."""


def patch_centres(depth: Tensor, intrinsics: Tensor, to_current: Tensor, patches: int) -> tuple[Tensor, Tensor]:
    """Where the centres of the P x P patches lie.

    Args:
        depth: [B, S, H, W] z-depth, 0 = invalid.
        intrinsics: [B, S, 3, 3] in pixels of `depth`.
        to_current: [B, S, 4, 4] motion from each camera into the current camera's frame.
        patches: P.

    Returns:
        [B, S, P * P, 3] points in the current camera's frame and [B, S, P * P] whether their depth is valid.
        A patch's centre is the pixel at the middle of its rows and columns (the later one where these are even).
    """
    rows = centre_indices(depth.shape[-2], patches, depth.device)
    columns = centre_indices(depth.shape[-1], patches, depth.device)
    cells = (..., rows[:, None], columns, slice(None))
    points = unproject(depth, intrinsics)[cells].flatten(-3, -2)
    return transform(to_current, points), depth[..., rows[:, None], columns].flatten(-2) > 0


def centre_indices(length: int, cells: int, device: torch.device) -> Tensor:
    """[cells] index of the pixel in the middle of each of `cells` equal stretches of `length` pixels."""
    return ((torch.arange(cells, device=device) + 0.5) * length / cells).long()
