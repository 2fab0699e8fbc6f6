"""What flow runs leave on themselves, as Prefect labels, for those who wait for them or watch them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

PREFIX = "backsight."


@dataclass(frozen=True)
class StageFacts:
    """Left by a stage's flow run when its stage has succeeded."""

    key: str
    seconds: float
    """Lifetime of the task's process; 0 for a cache hit."""

    def labels(self) -> dict[str, Any]:
        """As Prefect keeps them."""
        return {PREFIX + name: value for name, value in asdict(self).items()}

    @classmethod
    def read(cls, labels: Mapping[str, Any]) -> Self | None:
        """From a flow run's labels; None where it has left none."""
        if f"{PREFIX}key" not in labels:
            return None
        return cls(key=str(labels[f"{PREFIX}key"]), seconds=float(labels[f"{PREFIX}seconds"]))


@dataclass(frozen=True)
class NightFacts:
    """Left by a night's flow run: where it is recorded."""

    seed: int | None = None
    """The seed that a night without one was given, so that a retry on another day is still the same night."""
    mlflow_run: str | None = None
    record: str | None = None
    """Manifest id of the `flows.record.NightRecord`; None until the night has succeeded."""

    def labels(self) -> dict[str, Any]:
        """As Prefect keeps them."""
        return {PREFIX + name: value for name, value in asdict(self).items() if value is not None}

    @classmethod
    def read(cls, labels: Mapping[str, Any]) -> Self:
        """From a flow run's labels."""
        seed = labels.get(f"{PREFIX}seed")
        return cls(
            seed=None if seed is None else int(seed),
            mlflow_run=labels.get(f"{PREFIX}mlflow_run"),
            record=labels.get(f"{PREFIX}record"),
        )
