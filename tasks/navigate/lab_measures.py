"""The measure that habitat-lab's VLN task lacks: nDTW. Import after `lab.prepare()`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from habitat.config.default_structured_configs import MeasurementConfig
from habitat.core.embodied_task import Measure

from tasks.navigate.warping import THRESHOLD, Warping, spaced


@dataclass
class NormalisedWarpingConfig(MeasurementConfig):
    """Configuration of `NormalisedWarping`."""

    type: str = "BacksightNDTW"
    threshold: float = THRESHOLD


class NormalisedWarping(Measure):
    """nDTW of the places walked against the episode's `reference_path`; only steps that moved count."""

    def __init__(self, sim: Any, config: Any, *_: Any, **__: Any) -> None:
        self.simulator, self.threshold = sim, config.threshold
        super().__init__()

    def _get_uuid(self, *_: Any, **__: Any) -> str:
        return "ndtw"

    def reset_metric(self, *_: Any, episode: Any, **__: Any) -> None:
        """A new episode begins."""
        self.warping = Warping(spaced(np.array(episode.reference_path, dtype=float)), self.threshold)
        self.place = np.full(3, np.inf)
        self.update_metric()

    def update_metric(self, *_: Any, **__: Any) -> None:
        """A step was taken."""
        place = self.simulator.get_agent_state().position
        if not np.allclose(place, self.place, atol=1e-6):
            self.warping.add(place)
            self.place = place
        self._metric = self.warping.score
