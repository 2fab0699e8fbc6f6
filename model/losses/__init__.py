"""Every loss term by name (docs/network.md): what it needs, which walks teach it, and how it is computed.

All terms are scalars in float32, whatever the precision of the network, and a term whose labels are absent from a
batch is an exact zero that still belongs to the graph. Every term is zero, with zero gradient, where the prediction is
the truth (the cross-entropies: in the limit). The exceptions are `cross_frame_alignment`, and in `depth` and `points`
the gradient of the confidence, which VGGT's form rewards without end where the error is zero.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from model.losses import dense, geometry, heatmaps

if TYPE_CHECKING:
    from torch import Tensor

    from model.batch import Batch, Prediction

STRATA = ("forward", "look_around", "revisit", "loop", "hard")
"""The manners of walking that the collector knows."""


@dataclass(frozen=True)
class LossTerm:
    """One term: `compute` gives a scalar float32 tensor to be weighted and added."""

    name: str
    needs: tuple[str, ...]
    """Labels read, as paths in `Batch`."""
    strata: tuple[str, ...]
    """Strata whose walks hold what this term learns from; the loader draws more of them where it weighs more."""
    compute: Callable[[Prediction, Batch], Tensor]


_TERMS = (
    LossTerm("heatmap", ("targets.heatmap",), STRATA, heatmaps.heatmap),
    LossTerm("map_energy", ("targets.heatmap",), STRATA, heatmaps.map_energy),
    LossTerm("distinctness", ("targets.heatmap",), ("revisit", "forward", "hard"), heatmaps.distinctness),
    LossTerm(
        "temporal_consistency", ("targets.heatmap", "successor"), ("loop", "forward"), heatmaps.temporal_consistency
    ),
    LossTerm("spatial_reasoning", ("targets.heatmap",), STRATA, heatmaps.spatial_reasoning),
    LossTerm("spatial_consistency", ("targets.covisible", "targets.cell_depth"), STRATA, dense.spatial_consistency),
    LossTerm("cross_frame_alignment", ("targets.match",), ("revisit", "loop", "hard"), dense.cross_frame_alignment),
    LossTerm("visibility_classes", ("targets.classes",), ("look_around", "forward", "hard"), dense.visibility_classes),
    LossTerm("goal", ("targets.goal",), STRATA, heatmaps.goal),
    LossTerm("turn", ("targets.turn",), STRATA, dense.turn),
    LossTerm("camera", ("views.pose", "views.intrinsics"), STRATA, geometry.camera),
    LossTerm("depth", ("views.depth",), STRATA, geometry.depth),
    LossTerm("points", ("views.depth", "views.pose", "views.intrinsics"), STRATA, geometry.points),
)

LOSSES: dict[str, LossTerm] = {term.name: term for term in _TERMS}

__all__ = ["LOSSES", "STRATA", "LossTerm"]
