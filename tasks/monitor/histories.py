"""Synthetic histories of the monitor: what drift and performance look like night by night when the truth is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.monitor.events import DAY, Window

Floats = NDArray[np.float64]

BENIGN = 0.9
"""Effect size of drift that everybody would see."""


@dataclass(frozen=True)
class Noise:
    """How far measurements lie from the truth."""

    drift: float = 0.1
    """Standard deviation of the measured effect size: with it, whatever is significant at the default policy's
    `alpha` by accident also looks large enough for its `drift_enter`."""
    loss: float = 0.03
    """Standard deviation of the measured loss, as a share of the score; also its stated standard error."""
    memory: float = 0.3
    """Correlation of a night's error with that of the night before."""
    outliers: float = 0.01
    """Share of nights whose loss is off by four times as much."""


@dataclass(frozen=True)
class Truth:
    """What is true night by night, [nights] each."""

    drift: Floats
    """Effect size."""
    loss: Floats
    """Share of the score."""


@dataclass(frozen=True)
class Scenario:
    """A kind of history. Loss grows with drift; `start` is the first night on which anything is different."""

    name: str
    nights: int
    start: int = 0

    def truth(self, draw: np.random.Generator) -> Truth:
        """One history's truth."""
        nights, night = np.zeros(self.nights), np.arange(self.nights)
        if self.name == "no drift":
            return Truth(nights, nights)
        if self.name == "step":
            on = (night >= self.start).astype(float)
            return Truth(0.6 * on, 0.10 * on)
        if self.name == "ramp":
            # Five hundredths are lost after 20 to 60 nights; drift grows with the loss.
            way = np.clip((night - self.start) / draw.uniform(20, 60), 0, 4)
            return Truth(np.minimum(0.5 * way, BENIGN), 0.05 * way)
        if self.name == "threshold":
            return Truth(nights + 0.2, nights + 0.025)
        if self.name == "benign drift":
            return Truth(nights + 0.6, nights)
        if self.name == "storm":
            return Truth(nights + BENIGN, nights + 0.3)
        raise ValueError(f"there is no scenario {self.name!r}")


def windows(scenario: Scenario, truth: Truth, noise: Noise, draw: np.random.Generator) -> list[Window]:
    """One history as the trigger would see it: a window a night, 24 hours apart give or take an hour.

    Effect size and p-value come from one draw: where nothing drifts the p-value is uniform, what a test of the right
    size gives, and a window that is significant by accident also looks large.
    """
    from scipy.stats import norm

    count = scenario.nights
    swing = np.where(draw.random(count) < noise.outliers, 4.0, 1.0)
    loss = truth.loss + noise.loss * swing * remembered(noise.memory, count, draw)
    strength = truth.drift / noise.drift + remembered(noise.memory, count, draw)
    effect = noise.drift * np.abs(strength)
    p = 2 * norm.sf(np.abs(strength))
    times = (np.arange(count) + draw.uniform(-1 / 24, 1 / 24, count)) * DAY + DAY
    return [
        Window(
            at=float(times[i]),
            data=f"night {i}",
            episodes=120,
            drift=float(effect[i]),
            drift_p=float(p[i]),
            loss=float(loss[i]),
            loss_se=noise.loss,
            views=f"night {i}",
        )
        for i in range(count)
    ]


def remembered(memory: float, count: int, draw: np.random.Generator) -> Floats:
    """[count] standard normal errors, each correlated with the one before."""
    from scipy.signal import lfilter

    shocks = draw.normal(0, 1, count)
    shocks[1:] *= np.sqrt(1 - memory**2)
    return np.asarray(lfilter([1.0], [1.0, -memory], shocks))
