"""The four phases over one engine, as data: what a phase's texts are about, and which losses its batches can teach."""

from __future__ import annotations

from dataclasses import dataclass

from model.data.reader import Goal
from model.errors import UsageError
from model.losses import LOSSES
from model.training.config import PhaseConfig
from model.training.objective import GEOMETRY_TERMS, find_term


@dataclass(frozen=True)
class Phase:
    """One stage of training the network."""

    name: str
    goal: Goal
    """Whether the text is the walk's instruction, or a question about a thing in view."""
    terms: frozenset[str]
    """Loss terms whose labels the phase's batches hold."""


EVERYTHING = frozenset(LOSSES)

_PHASES = (
    # Camera, depth and points of the geometry encoders: VGGT's own training.
    Phase("geometry", "path", GEOMETRY_TERMS),
    # Where is the thing that a question names; what do other frames share with this one.
    Phase("pretrain", "thing", EVERYTHING - {"turn"}),
    # A heatmap for each keyframe, and the next waypoint of the instruction.
    Phase("finetune", "path", EVERYTHING),
    # All terms, end to end.
    Phase("joint", "path", EVERYTHING),
)

PHASES: dict[str, Phase] = {phase.name: phase for phase in _PHASES}


def find_phase(name: str, config: PhaseConfig) -> Phase:
    """The phase of this name, fit for the config. Raises `UsageError` for a loss that it has no labels for."""
    if name not in PHASES:
        raise UsageError(f"There is no training phase {name!r}: there are {', '.join(PHASES)}.")
    phase = PHASES[name]
    for term in config.losses:
        find_term(term)
        if term not in phase.terms:
            raise UsageError(
                f"The phase {name} has no labels for the loss {term!r} (training.{name}.losses): "
                f"it can learn {', '.join(sorted(phase.terms))}."
            )
    return phase
