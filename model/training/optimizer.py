"""The optimiser of a phase: AdamW, or Muon for the matrices between hidden features and AdamW for the rest.

Muon (Jordan et al. 2024) updates a matrix by its momentum with all singular values brought near one; scaled as in "Muon
is Scalable for LLM Training" (Liu et al. 2025, section 2.2), it takes AdamW's learning rate and weight decay.
"""

from __future__ import annotations

from typing import Any

import torch

from model.training.config import PhaseConfig

MOMENTS = ("exp_avg", "exp_avg_sq")
"""AdamW's state of a parameter, beside its number of updates."""

MOMENTUM = ("momentum_buffer",)
"""Muon's state of a matrix."""


class Both(torch.optim.Optimizer):
    """Muon and AdamW as one optimiser: their groups side by side, and both step.

    Args:
        muon: over the matrices.
        adam: over all else.
    """

    def __init__(self, muon: torch.optim.Muon, adam: torch.optim.AdamW) -> None:
        self.muon, self.adam = muon, adam
        super().__init__([{"params": group["params"]} for group in (*muon.param_groups, *adam.param_groups)], {})
        # The same dicts, so that a rate set here is the rate of the one that steps, and one state to save.
        self.param_groups = [*muon.param_groups, *adam.param_groups]
        muon.state = adam.state = self.state

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """One update of all parameters that have gradients."""
        self.muon.step()
        self.adam.step()


def make_optimizer(groups: list[dict[str, Any]], phase: PhaseConfig) -> torch.optim.Optimizer:
    """The phase's optimiser over the groups of `parts.parameter_groups`."""
    if phase.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=phase.lr, betas=phase.betas, fused=True)
    matrices = [group for group in groups if group["hidden"]]
    rest = [group for group in groups if not group["hidden"]]
    return Both(
        torch.optim.Muon(matrices, lr=phase.lr, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(rest, lr=phase.lr, betas=phase.betas, fused=True),
    )
