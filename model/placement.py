"""Where the parts of the network live, and in which arithmetic geometry is computed."""

from __future__ import annotations

from contextlib import AbstractContextManager

import torch
from torch import nn

from model.config import Placement
from model.errors import UsageError

PARTS = {
    "geometry": ("encoders",),
    "dinov3": ("dinov3",),
    "language": ("language",),
    "heads": ("fusion", "trail", "merger", "head", "alignment"),
}
"""Names of the network's children by field of `Placement`."""

DEVICES = ("cpu", "cuda")
"""Kinds of devices; torch knows names of more than it was built for."""


def place(network: nn.Module, devices: Placement) -> None:
    """Move each part to its device; parts without one stay.

    Raises:
        UsageError: this machine has no such device.
    """
    for field, children in PARTS.items():
        name = getattr(devices, field)
        if name is None:
            continue
        device = checked_device(name, f"network.devices.{field}")
        for child in children:
            module = getattr(network, child)
            if module is not None:
                module.to(device)


def checked_device(name: str, where: str) -> torch.device:
    """The device of that name; `UsageError` naming the key where this machine has none such."""
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UsageError(f"{where} is {name!r}, which is no device: say cpu or cuda:0.") from error
    if device.type not in DEVICES:
        raise UsageError(f"{where} is {name!r}, on which this network has never run: say cpu or cuda:0.")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UsageError(f"{where} is {name!r}, but this machine has {torch.cuda.device_count()} GPUs: name another.")
    return device


def device_of(module: nn.Module) -> torch.device:
    """Where a module's parameters live."""
    return next(module.parameters()).device


def plain_arithmetic(device: torch.device) -> AbstractContextManager[None]:
    """Autocast off: poses and points do not survive eight bits of mantissa."""
    return torch.autocast(device.type, enabled=False)
