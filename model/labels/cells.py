"""From pixels to the G x G cells of a heatmap: exact area pooling, the one-cell blur, medians, patch numbers.

Cell (row i, column j) of G x G covers the pixels' area [j W/G, (j+1) W/G) x [i H/G, (i+1) H/G); G need not divide the
size. Cells and patches are numbered row by row: index = i * G + j.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

BLUR_CELLS = 1.0
"""Standard deviation of the blur, in cells."""


@lru_cache(maxsize=32)
def pool_matrix(cells: int, pixels: int) -> Tensor:
    """[cells, pixels] float32: the length of each pixel that lies within each cell, along one axis."""
    edges = torch.arange(cells + 1, dtype=torch.float64) * pixels / cells
    starts = torch.arange(pixels, dtype=torch.float64)
    overlap = torch.minimum(edges[1:, None], starts + 1) - torch.maximum(edges[:-1, None], starts)
    return overlap.clamp_min(0).float()


@lru_cache(maxsize=32)
def blur_matrix(cells: int) -> Tensor:
    """[cells, cells] float32: a Gaussian of `BLUR_CELLS` along one axis; what crosses the edge of the grid is lost."""
    steps = torch.arange(cells, dtype=torch.float64)
    return torch.exp(-((steps[:, None] - steps) ** 2) / (2 * BLUR_CELLS**2)).float()


def pool(maps: Tensor, cells: int) -> Tensor:
    """[..., H, W] -> [..., cells, cells]: sum over each cell, pixels on its border counted by their share."""
    height, width = maps.shape[-2:]
    rows, columns = (pool_matrix(cells, n).to(maps.device) for n in (height, width))
    return rows @ (maps @ columns.T)


def blur(maps: Tensor) -> Tensor:
    """[..., G, G] blurred by one cell."""
    kernel = blur_matrix(maps.shape[-1]).to(maps.device)
    return kernel @ maps @ kernel


def normalise(maps: Tensor) -> Tensor:
    """[..., G, G] >= 0 -> [..., G * G] with sum 1; a map of zeros stays zeros."""
    flat = maps.flatten(-2)
    total = flat.sum(dim=-1, keepdim=True)
    return torch.where(total > 0, flat / torch.where(total > 0, total, 1.0), 0.0)


def cell_medians(depth: Tensor, cells: int) -> Tensor:
    """[B, H, W] depth, 0 = invalid -> [B, cells, cells]: lower median of the valid pixels centred there; else 0."""
    height, width = depth.shape[-2:]
    members = _members(cells, height, width).to(depth.device)
    padded = torch.nn.functional.pad(depth.flatten(1), (0, 1))
    gathered = padded[:, members]
    medians = torch.where(gathered > 0, gathered, torch.nan).nanmedian(dim=-1).values
    return medians.nan_to_num(0.0).unflatten(-1, (cells, cells))


@lru_cache(maxsize=32)
def _members(cells: int, height: int, width: int) -> Tensor:
    """[cells * cells, most] int64: flat pixels of each cell by their centres, filled up with the index H * W."""
    rows = ((torch.arange(height) + 0.5) * cells / height).long()
    columns = ((torch.arange(width) + 0.5) * cells / width).long()
    cell = (rows[:, None] * cells + columns).flatten()
    order = cell.argsort(stable=True)
    counts = torch.bincount(cell, minlength=cells * cells)
    place = torch.arange(cell.numel()) - (counts.cumsum(0) - counts)[cell[order]]
    members = torch.full((cells * cells, int(counts.max())), height * width)
    members[cell[order], place] = order
    return members


@lru_cache(maxsize=32)
def patch_centres(patches: int, height: int, width: int) -> Tensor:
    """[patches * patches] int64: flat index of the pixel that holds each patch's centre.

    Where a centre falls on the corner of four pixels it is the one below and to the right.
    """
    rows = ((torch.arange(patches) + 0.5) * height / patches).long()
    columns = ((torch.arange(patches) + 0.5) * width / patches).long()
    return (rows[:, None] * width + columns).flatten()


def patch_index(x: Tensor, y: Tensor, patches: int, height: int, width: int) -> Tensor:
    """Number of the patch that holds each pixel coordinate (x, y) inside the image."""
    row = (y * (patches / height)).long().clamp_max_(patches - 1)
    column = (x * (patches / width)).long().clamp_max_(patches - 1)
    return row * patches + column
