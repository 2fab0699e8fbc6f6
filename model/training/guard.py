"""What to do with an update whose loss or gradient is not to be trusted: a pure decision over what came before."""

from __future__ import annotations

import math
from collections import deque
from enum import StrEnum
from statistics import fmean, median

WINDOW = 50
"""Updates whose median is called usual."""

LEARNT = 10
"""Updates before a spike can be told from the ordinary fall at the start."""


class Verdict(StrEnum):
    """What becomes of an update."""

    APPLY = "apply"
    DISCARD = "discard"
    ROLL_BACK = "roll back"


class Guard:
    """Leaves out updates that are not finite or whose loss is above `spike` times the running median.

    Where losses lie about zero the running mean deviation from the median takes the median's place.

    After `patience` of them in a row the weights themselves are suspected, and training is to go back.
    """

    def __init__(self, spike: float, patience: int) -> None:
        self.spike = spike
        self.patience = patience
        self.usual: deque[float] = deque(maxlen=WINDOW)
        self.suspects = 0

    def judge(self, loss: float, norm: float) -> Verdict:
        """The verdict on an update with this mean loss and gradient norm; equal on all ranks, as both numbers are."""
        if self._trusted(loss, norm):
            self.usual.append(loss)
            self.suspects = 0
            return Verdict.APPLY
        self.suspects += 1
        return Verdict.ROLL_BACK if self.suspects >= self.patience else Verdict.DISCARD

    def _trusted(self, loss: float, norm: float) -> bool:
        if not (math.isfinite(loss) and math.isfinite(norm)):
            return False
        if len(self.usual) < LEARNT:
            return True
        # Losses with a confidence term pass through zero, where a multiple of the median would bound nothing.
        middle = median(self.usual)
        spread = fmean(abs(value - middle) for value in self.usual)
        return loss <= middle + (self.spike - 1) * max(abs(middle), spread)
