"""What training reports: records every few steps, and their history beside the weights."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from model.training.engine import Step


@dataclass(frozen=True)
class Record:
    """Means over the updates since the last record."""

    step: int
    """Updates so far."""
    loss: float
    terms: dict[str, float]
    """Unweighted loss terms."""
    rate: float
    norms: dict[str, float]
    """Gradient norm of each part before clipping."""
    norm: float
    discarded: int
    """Updates that the guard left out."""
    items_per_second: float
    waiting: float
    """Share of the time that was spent waiting for data."""

    def metrics(self) -> dict[str, float]:
        """All numbers by a flat name, for tracking."""
        return {
            "loss": self.loss,
            "learning_rate": self.rate,
            "gradient_norm": self.norm,
            "discarded_updates": float(self.discarded),
            "items_per_second": self.items_per_second,
            "waiting_for_data": self.waiting,
            **{f"loss/{name}": value for name, value in self.terms.items()},
            **{f"gradient_norm/{name}": value for name, value in self.norms.items()},
        }


def summarise(steps: list[Step]) -> Record:
    """One record of these updates; losses are means over those that were applied (all, if none was)."""
    applied = [s for s in steps if s.verdict == "apply"] or steps
    seconds = sum(s.seconds for s in steps)
    return Record(
        step=steps[-1].number,
        loss=fmean(s.loss for s in applied),
        terms={name: fmean(s.terms[name] for s in applied) for name in steps[-1].terms},
        rate=steps[-1].rate,
        norms={name: fmean(s.norms[name] for s in applied) for name in steps[-1].norms},
        norm=fmean(s.norm for s in applied),
        discarded=sum(s.verdict == "discard" for s in steps),
        items_per_second=sum(s.items for s in steps) / seconds,
        waiting=sum(s.waiting for s in steps) / seconds,
    )


@dataclass
class History:
    """The records' numbers that follow from seed and data alone, so that equal trainings have equal histories."""

    steps: list[int] = field(default_factory=list)
    loss: list[float] = field(default_factory=list)
    rate: list[float] = field(default_factory=list)
    gradient_norm: list[float] = field(default_factory=list)
    terms: dict[str, list[float]] = field(default_factory=dict)

    def add(self, record: Record) -> None:
        """Append a record."""
        self.steps.append(record.step)
        self.loss.append(record.loss)
        self.rate.append(record.rate)
        self.gradient_norm.append(record.norm)
        for name, value in record.terms.items():
            self.terms.setdefault(name, []).append(value)

    def to_json(self) -> str:
        """As `history.json`."""
        return json.dumps(vars(self))

    @classmethod
    def read(cls, path: Path) -> Self:
        """From a `history.json`."""
        return cls.parse(path.read_text())

    @classmethod
    def parse(cls, text: str) -> Self:
        """From what `to_json` gave."""
        return cls(**json.loads(text))
