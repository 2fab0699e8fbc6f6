"""The network and its weighted losses as one module: what the sharded engine differentiates."""

from __future__ import annotations

import difflib
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from model.batch import Batch, Geometry, Prediction
from model.errors import UsageError
from model.losses import LOSSES, LossTerm

GEOMETRY_TERMS = frozenset({"camera", "depth", "points"})
"""Terms that read nothing but the geometry encoders."""


class Objective(nn.Module):
    """Batch in, weighted sum and each unweighted term out.

    Where all terms are about geometry, only the encoders run.
    """

    def __init__(self, network: nn.Module, weights: Mapping[str, float]) -> None:
        super().__init__()
        self.network = network
        self.weights = dict(weights)
        self.terms = [find_term(name) for name in weights]
        self.geometry_alone = GEOMETRY_TERMS.issuperset(weights)

    def forward(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss to differentiate, and its terms by name (detached, unweighted)."""
        prediction = self._geometry(batch) if self.geometry_alone else self.network(batch.views, batch.text)
        with torch.autocast(prediction.logits.device.type, enabled=False):
            values = {term.name: term.compute(prediction, batch) for term in self.terms}
        total = torch.stack([self.weights[name] * value for name, value in values.items()]).sum()
        return total, {name: value.detach() for name, value in values.items()}

    def _geometry(self, batch: Batch) -> Prediction:
        encoders = self.network.get_submodule("encoders").children()
        trained = [e for e in encoders if any(p.requires_grad for p in e.parameters())]
        geometry: tuple[Geometry, ...] = tuple(encoder(batch.views) for encoder in trained)
        nothing = batch.views.rgb.new_empty(0)
        return Prediction(nothing, nothing, nothing, nothing, nothing, geometry)


def find_term(name: str) -> LossTerm:
    """The loss term of this name; a `UsageError` names the nearest one."""
    if name in LOSSES:
        return LOSSES[name]
    close = difflib.get_close_matches(name, LOSSES, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(LOSSES)}."
    raise UsageError(f"There is no loss term {name!r} (training.<phase>.losses): {hint}")
