"""The parts of the network, as clipping, weight decay and reports see them."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from torch import Tensor, nn

ENCODER_DEPTH = 4
"""Encoders are cut finer than the rest: VGGT clips its aggregator and each of its heads by itself."""


def part_of(name: str) -> str:
    """Part of a parameter by its name: `encoders.vggt.vggt.camera_head`, `dinov3`, `language`, `head`, ..."""
    pieces = name.split(".")
    return ".".join(pieces[: min(ENCODER_DEPTH, len(pieces) - 1)]) if pieces[0] == "encoders" else pieces[0]


HIDDEN = 16
"""A linear layer between hidden features has so many of them at least on either side; others read or write answers."""


def parameter_groups(network: nn.Module, weight_decay: float, apart: bool = False) -> list[dict[str, Any]]:
    """Optimiser groups of the trained parameters: a part each, matrices apart from vectors, which do not decay.

    With `apart` the weights of linear layers between hidden features have groups of their own, marked `hidden`.
    """
    hidden = hidden_matrices(network) if apart else set()
    members = defaultdict(list)
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            members[part_of(name), parameter in hidden, parameter.ndim > 1].append(parameter)
    return [
        {"params": parameters, "weight_decay": weight_decay if decays else 0.0, "part": part, "hidden": among}
        for (part, among, decays), parameters in sorted(members.items(), key=lambda item: item[0])
    ]


def hidden_matrices(network: nn.Module) -> set[Tensor]:
    """Weights of the linear layers that lead from hidden features to hidden features."""
    linear = (module.weight for module in network.modules() if isinstance(module, nn.Linear))
    return {weight for weight in linear if min(weight.shape) >= HIDDEN}
