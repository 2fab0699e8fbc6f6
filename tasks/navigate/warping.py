"""Normalised dynamic time warping between the path walked and the reference path, one step at a time.

nDTW = exp(-DTW(R, Q) / (|R| d)), Ilharco et al., "General Evaluation for Instruction Conditioned Navigation using
Dynamic Time Warping" (2019), eq. 2; d = 3 m as for R2R and RxR. As in VLN-CE the reference has a point a step.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]

THRESHOLD = 3.0
"""d in metres: the success distance of R2R and RxR."""
SPACING = 0.25
"""Metres between the points of a reference path: a step."""


class Warping:
    """DTW of a growing walk against a fixed reference; each place adds one row of the table."""

    def __init__(self, reference: Points, threshold: float = THRESHOLD) -> None:
        """`reference` [n, 3] metres."""
        self.reference, self.threshold = reference, threshold
        self.row = np.full(len(reference) + 1, np.inf)
        self.row[0] = 0.0

    def add(self, place: Points) -> None:
        """The walk goes on to `place` ([3], metres)."""
        costs = np.linalg.norm(self.reference - place, axis=1)
        before, row = self.row, np.full_like(self.row, np.inf)
        for j, cost in enumerate(costs):
            row[j + 1] = cost + min(before[j], before[j + 1], row[j])
        self.row = row

    @property
    def metres(self) -> float:
        """DTW so far."""
        return float(self.row[-1])

    @property
    def score(self) -> float:
        """nDTW so far, 0..1; 1 = walked exactly."""
        return float(np.exp(-self.metres / (len(self.reference) * self.threshold)))


def spaced(path: Points) -> Points:
    """[m, 3] a path ([n, 3]) with a point at least every `SPACING` metres, its own corners included."""
    parts = [path[:1]]
    for a, b in pairwise(path):
        count = max(1, int(np.ceil(np.linalg.norm(b - a) / SPACING - 1e-9)))
        parts.append(a + np.linspace(0, 1, count + 1)[1:, None] * (b - a))
    return np.concatenate(parts)
