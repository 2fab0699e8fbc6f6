"""Exponential moving average of the trained weights: what is published where `ema` is set."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import torch
from torch import Tensor, nn


class Average:
    """Averaged copies of the trained parameters, by name."""

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self.parameters = {name: p for name, p in network.named_parameters() if p.requires_grad}
        self.values = {name: p.detach().clone() for name, p in self.parameters.items()}

    @torch.no_grad()
    def follow(self, step: int) -> None:
        """Move towards the weights after update `step` (from 0). Early on the average forgets faster.

        The decay grows as (1 + t) / (10 + t) up to its value, so that the first weights do not linger.
        """
        decay = min(self.decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(list(self.values.values()), list(self.parameters.values()), 1 - decay)

    def share(self, names: Collection[str]) -> dict[str, Tensor]:
        """The averages of these parameters as `ema/<name>`."""
        return {f"ema/{name}": value.cpu().clone() for name, value in self.values.items() if name in names}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Take the averages out of `state`."""
        for name, value in self.values.items():
            value.copy_(state[f"ema/{name}"])
