"""The learning rate as a pure function of the step."""

from __future__ import annotations

import math

from model.training.config import PhaseConfig


def learning_rate(step: int, phase: PhaseConfig) -> float:
    """Rate of update `step` (0 .. steps - 1): a straight climb, then half a cosine down to `lr_end`."""
    warm = round(phase.warmup * phase.steps)
    if step < warm:
        return phase.lr * (step + 1) / warm
    way = (step - warm) / max(1, phase.steps - warm)
    return phase.lr * (phase.lr_end + (1 - phase.lr_end) * (1 + math.cos(math.pi * way)) / 2)
