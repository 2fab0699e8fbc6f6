"""VGGT's dense heads (DPT, Ranftl et al. 2021): a value and a confidence at every pixel."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.config import VGGTConfig

POSITION_GAIN = 0.1
POSITION_BASE = 100.0


class DenseHead(nn.Module):
    """Reads four levels of tokens, fuses them from coarse to fine, and predicts `channels` values and a confidence."""

    def __init__(self, config: VGGTConfig, channels: int) -> None:
        super().__init__()
        sizes, width = config.dpt_channels, config.dpt_width
        self.layers, self.patch_size = config.dpt_layers, config.patch_size
        self.positions, self.chunk = config.dpt_positions, config.frames_chunk
        self.norm = nn.LayerNorm(2 * config.width)
        self.projects = nn.ModuleList(nn.Conv2d(2 * config.width, size, 1) for size in sizes)
        self.resize_layers = nn.ModuleList(
            [
                nn.ConvTranspose2d(sizes[0], sizes[0], 4, stride=4),
                nn.ConvTranspose2d(sizes[1], sizes[1], 2, stride=2),
                nn.Identity(),
                nn.Conv2d(sizes[3], sizes[3], 3, stride=2, padding=1),
            ]
        )
        self.scratch = FusionPyramid(sizes, width, config.dpt_out_width, channels + 1)

    def forward(self, levels: list[Tensor], placeless: int, height: int, width: int) -> tuple[Tensor, Tensor]:
        """Tokens after each pair of blocks -> raw values [B, S, height, width, channels] and confidences >= 1."""
        picked = [levels[layer][:, :, placeless:] for layer in self.layers]
        views = picked[0].shape[1]
        chunks = [
            self._views([level[:, start : start + self.chunk] for level in picked], height, width)
            for start in range(0, views, self.chunk)
        ]
        output = torch.cat(chunks, dim=1)
        return output[..., :-1], 1 + output[..., -1].exp()

    def _views(self, levels: list[Tensor], height: int, width: int) -> Tensor:
        """A few views' levels [B, s, N, 2 width] -> [B, s, height, width, channels + 1]."""
        items, views = levels[0].shape[:2]
        rows, columns = height // self.patch_size, width // self.patch_size
        maps = []
        for level, project, resize in zip(levels, self.projects, self.resize_layers, strict=True):
            grid = self.norm(level).flatten(0, 1).transpose(1, 2).unflatten(-1, (rows, columns))
            maps.append(resize(self._place(project(grid), width / height)))
        fused = self.scratch.fuse(maps)
        fused = functional.interpolate(fused, size=(height, width), mode="bilinear", align_corners=True)
        output = self.scratch.output_conv2(self._place(fused, width / height))
        return output.permute(0, 2, 3, 1).unflatten(0, (items, views))

    def _place(self, maps: Tensor, aspect: float) -> Tensor:
        """Adds sine positions to [M, C, h, w]."""
        if not self.positions:
            return maps
        code = _sine_positions(maps.shape[1], maps.shape[2], maps.shape[3], aspect, maps.device)
        return maps + POSITION_GAIN * code.to(maps.dtype)


class FusionPyramid(nn.Module):
    """The convolutions that fuse four maps into one, and the output layers."""

    def __init__(self, sizes: tuple[int, int, int, int], width: int, last: int, channels: int) -> None:
        super().__init__()
        for level, size in enumerate(sizes, start=1):
            self.add_module(f"layer{level}_rn", nn.Conv2d(size, width, 3, padding=1, bias=False))
            self.add_module(f"refinenet{level}", FusionBlock(width, residual=level < 4))
        self.output_conv1 = nn.Conv2d(width, width // 2, 3, padding=1)
        self.output_conv2 = nn.Sequential(
            nn.Conv2d(width // 2, last, 3, padding=1), nn.ReLU(), nn.Conv2d(last, channels, 1)
        )

    def fuse(self, maps: list[Tensor]) -> Tensor:
        """Four maps, fine to coarse -> [M, width // 2, h, w] at twice the finest map's size."""
        thin = [getattr(self, f"layer{level}_rn")(single) for level, single in enumerate(maps, start=1)]
        fused: Tensor | None = None
        for level in (4, 3, 2, 1):
            finer = thin[level - 2].shape[-2:] if level > 1 else [2 * side for side in thin[0].shape[-2:]]
            fused = getattr(self, f"refinenet{level}")(thin[level - 1], fused, tuple(finer))
        return self.output_conv1(fused)


class FusionBlock(nn.Module):
    """Adds a level's map to what comes from the coarser levels, refines, and resizes to the next finer level."""

    def __init__(self, width: int, residual: bool) -> None:
        super().__init__()
        if residual:
            self.resConfUnit1 = ResidualUnit(width)
        self.resConfUnit2 = ResidualUnit(width)
        self.out_conv = nn.Conv2d(width, width, 1)

    def forward(self, level: Tensor, coarser: Tensor | None, size: tuple[int, int]) -> Tensor:
        """[M, width, h, w] of this level and of the coarser ones (none at the coarsest) -> [M, width, *size]."""
        fused = level if coarser is None else coarser + self.resConfUnit1(level)
        fused = self.resConfUnit2(fused)
        return self.out_conv(functional.interpolate(fused, size=size, mode="bilinear", align_corners=True))


class ResidualUnit(nn.Module):
    """Two convolutions around a skip."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, maps: Tensor) -> Tensor:
        """[M, width, h, w] -> the same. The skip carries the rectified input: so the public weights were trained."""
        rectified = functional.relu(maps)
        return rectified + self.conv2(functional.relu(self.conv1(rectified)))


def _sine_positions(width: int, rows: int, columns: int, aspect: float, device: torch.device) -> Tensor:
    """[width, rows, columns]: sines and cosines of x in the first half of the channels, of y in the second.

    x and y span the image's plane scaled to a half-diagonal of one, at the cells' centres.
    """
    diagonal = (1 + aspect**2) ** 0.5
    span_x, span_y = aspect / diagonal * (columns - 1) / columns, (rows - 1) / rows / diagonal
    x = torch.linspace(-span_x, span_x, columns, device=device)
    y = torch.linspace(-span_y, span_y, rows, device=device)
    along_x = _sines(x, width // 2)[:, None, :].expand(-1, rows, -1)
    along_y = _sines(y, width // 2)[:, :, None].expand(-1, -1, columns)
    return torch.cat([along_x, along_y])


def _sines(places: Tensor, width: int) -> Tensor:
    """[M] -> [width, M]: sines, then cosines, of `width / 2` frequencies from 1 down to 1 / 100."""
    steps = torch.arange(width // 2, dtype=torch.float64, device=places.device) / (width / 2)
    angles = POSITION_BASE ** -steps[:, None] * places
    return cast(Tensor, torch.cat([angles.sin(), angles.cos()]).float())
