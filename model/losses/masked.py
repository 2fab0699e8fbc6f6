"""Means over the entries that count, finite where none does."""

from __future__ import annotations

import torch
from torch import Tensor


def masked_mean(values: Tensor, counts: Tensor) -> Tensor:
    """Mean of `values` where the bool `counts` (of the same shape) is True; 0 where it never is."""
    return torch.where(counts, values, 0.0).sum() / counts.sum().clamp_min(1)


def weighted_mean(values: Tensor, weights: Tensor) -> Tensor:
    """Mean of `values` under `weights` >= 0; 0 where all weights are 0."""
    return (values * weights).sum() / weights.sum().clamp_min(torch.finfo(weights.dtype).tiny)
