"""Which parameters of the network are trained: chosen by name, within what the config allows."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator

from torch import nn

from model.config import NetworkConfig
from model.errors import UsageError

NEVER = ("language.backbone.model.visual.", "language.backbone.lm_head.")
"""Parts of the checkpoints that the network does not run."""


def select_trainable(network: nn.Module, config: NetworkConfig, names: Collection[str]) -> None:
    """Let exactly the parameters under the named parts be trained (no name = all that the config lets be trained).

    A name is a dotted prefix like `encoders.vggt`, `fusion` or `language.queries`.

    Raises:
        UsageError: a name that no parameter has, or parts that the config keeps as they are.
    """
    known = dict(network.named_parameters())
    for name in names:
        if not any(under(parameter, name) for parameter in known):
            raise UsageError(
                f"The network has no part named {name!r}{_nearest(name, known)}; see trainable in the phase."
            )
    trained = [name for name in known if (not names or any(map(under, [name] * len(names), names)))]
    trained = [name for name in trained if allowed(name, config)]
    if not trained:
        raise UsageError(f"Nothing is left to train in {', '.join(names)}: the network's config freezes these parts.")
    chosen = set(trained)
    for name, parameter in known.items():
        parameter.requires_grad_(name in chosen)


def frozen_modules(network: nn.Module) -> Iterator[nn.Module]:
    """The outermost modules that have parameters, none of them trained; they belong in eval()."""
    for child in network.children():
        flags = [parameter.requires_grad for parameter in child.parameters()]
        if flags and not any(flags):
            yield child
        elif flags:
            yield from frozen_modules(child)


def allowed(name: str, config: NetworkConfig) -> bool:
    """Whether the config lets a parameter be trained at all."""
    if name.startswith(NEVER) or name.endswith("mask_token"):
        return False
    if name.startswith("encoders.vggt."):
        return config.vggt.trainable
    if name.startswith("dinov3."):
        return config.dinov3 is not None and config.dinov3.trainable
    if name.startswith("language.backbone."):
        adapter = ".lora_" in name
        return adapter if config.language.lora is not None else config.language.trainable
    return True


def under(parameter: str, name: str) -> bool:
    """Whether a parameter lies under a dotted prefix."""
    return parameter == name or parameter.startswith(name.rstrip(".") + ".")


def _nearest(name: str, known: Collection[str]) -> str:
    prefixes = {".".join(full.split(".")[:depth]) for full in known for depth in range(1, 4)}
    close = difflib.get_close_matches(name, sorted(prefixes), n=1)
    return f": did you mean {close[0]!r}?" if close else "; name one like 'fusion'."
