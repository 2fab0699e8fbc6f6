"""Where patches of the current view find their look-alikes in the keyframes: landing by appearance, not by geometry."""

from __future__ import annotations

import torch
from torch import Tensor

from model.placement import plain_arithmetic

TEMPERATURE = 0.07
"""Of the softmax over a keyframe's patches, in training (InfoNCE) and in use."""

MATCHED = 6
"""Width of what `match_patches` tells."""


def similarities(current: Tensor, keyframes: Tensor) -> Tensor:
    """Unit features [B, N, E] and [B, K, N, E] -> [B, K, N, N] logits, a row for each patch of the current view."""
    return torch.einsum("bnd,bkmd->bknm", current.float(), keyframes.float()) / TEMPERATURE


def match_patches(current: Tensor, keyframes: Tensor) -> Tensor:
    """Unit features of patches [B, N, E] and [B, K, N, E] -> [B, K, N, 6].

    Of the patch of keyframe k that looks like this one, as an expectation over a softmax: x and y in half images from
    the image's centre, the sum of their squares, and their spread; the greatest cosine; and how sure both sides are of
    each other (the dual softmax of LoFTR, Sun et al. 2021, section 3.3, summed over the keyframe's patches).
    """
    with plain_arithmetic(current.device):
        logits = similarities(current, keyframes)
        forth, back = logits.softmax(dim=-1), logits.softmax(dim=-2)
        place = _centres(logits.shape[-1], logits.device)
        found = forth @ torch.cat([place, place.square().sum(dim=-1, keepdim=True)], dim=-1)
        spread = found[..., 2:] - found[..., :2].square().sum(dim=-1, keepdim=True)
        nearest = logits.amax(dim=-1, keepdim=True) * TEMPERATURE
        mutual = (forth * back).sum(dim=-1, keepdim=True)
        return torch.cat([found, spread, nearest, mutual], dim=-1)


def _centres(patches: int, device: torch.device) -> Tensor:
    """[N, 2] x and y of the patches' centres in half images."""
    side = round(patches**0.5)
    line = (2 * torch.arange(side, device=device) + 1) / side - 1
    y, x = torch.meshgrid(line, line, indexing="ij")
    return torch.stack([x, y], dim=-1).flatten(0, 1)
