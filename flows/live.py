"""Live quality of a running task: running statistics of the figures that it tells, and which of them are unusual."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from statistics import median
from typing import Any

WINDOW = 50
"""Reports whose median is called usual."""
LEARNT = 10
"""Reports before an unusual figure can be told from the ordinary fall at the start."""
SPREADS = 8.0
"""A figure so many spreads (median deviations) above or below the median is unusual."""
LEAST = 0.05
"""Of the median: a smaller spread is not believed."""


@dataclass
class Figure:
    """One figure as it went so far."""

    recent: deque[float] = field(default_factory=lambda: deque(maxlen=WINDOW))
    now: float = float("nan")
    count: int = 0
    unusual: int = 0
    last: str = ""
    """What was unusual last, and when."""

    def hear(self, value: float, at: str) -> None:
        """Take in one more value."""
        self.now, self.count = value, self.count + 1
        if not isfinite(value) or self.is_unusual(value):
            self.unusual += 1
            self.last = f"{value:.4g} at {at}"
        if isfinite(value):
            # Unusual values too: a new level is unusual at first only.
            self.recent.append(value)

    def is_unusual(self, value: float) -> bool:
        """Whether a value lies far outside of the recent ones."""
        return len(self.recent) >= LEARNT and abs(value - self.middle) > SPREADS * self.spread

    @property
    def middle(self) -> float:
        """Median of the recent values."""
        return median(self.recent) if self.recent else float("nan")

    @property
    def spread(self) -> float:
        """Their median deviation from it."""
        if not self.recent:
            return float("nan")
        middle = self.middle
        return max(median(abs(value - middle) for value in self.recent), LEAST * abs(middle), 1e-12)


@dataclass
class LiveQuality:
    """All figures of a task."""

    figures: dict[str, Figure] = field(default_factory=dict)

    def hear(self, detail: Mapping[str, Any], at: str) -> bool:
        """Take in what a progress report tells beside its progress; whether there was a number in it."""
        numbers = {
            name: float(v) for name, v in detail.items() if isinstance(v, int | float) and not isinstance(v, bool)
        }
        for name, value in numbers.items():
            self.figures.setdefault(name, Figure()).hear(value, at)
        return bool(numbers)

    def markdown(self, title: str, at: str) -> str:
        """The dashboard."""
        rows = [
            f"| {name} | {f.now:.4g} | {f.middle:.4g} | {f.spread:.2g} | {f.unusual} of {f.count} | {f.last or '-'} |"
            for name, f in self.figures.items()
        ]
        head = [f"### {title}", f"At {at}. Usual = the last {WINDOW} reports.", ""]
        columns = [
            "| figure | now | median | spread | unusual | last unusual |",
            "| --- | ---: | ---: | ---: | ---: | --- |",
        ]
        return "\n".join([*head, *columns, *rows])
