"""What a night leaves behind: the record from which its report is written, on Prefect's page and in the terminal."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Self

from tasks.spec import Frozen, ManifestId
from tasks.store import Manifest

if TYPE_CHECKING:
    from tasks.store import ArtefactStore

KIND = "night"


class Turn(StrEnum):
    """How a step of the night got its product."""

    RAN = "ran"
    KNOWN = "known"
    """Its key was known, so nothing was launched."""


class Line(Frozen):
    """One step of the night."""

    step: str
    turn: Turn
    seconds: float
    """Lifetime of the task's process; 0 where nothing was launched."""
    key: str
    product: ManifestId
    run_id: str | None
    """MLflow run that did the work."""


class NightRecord(Frozen):
    """A whole night."""

    preset: str
    seed: int
    lines: tuple[Line, ...]
    wall: float
    """Seconds from the moment when the night was asked for to its last stage's end and the report."""
    run_id: str | None
    """The night's own MLflow run."""
    flow_run_id: str

    def product(self, step: str) -> ManifestId | None:
        """What a step published; None where it had no turn."""
        return next((line.product for line in self.lines if line.step == step), None)

    @property
    def worked(self) -> float:
        """Seconds that the tasks' processes lived, together."""
        return sum(line.seconds for line in self.lines)

    @property
    def all_known(self) -> bool:
        """Whether nothing was launched at all."""
        return all(line.turn is Turn.KNOWN for line in self.lines)

    def publish(self, store: ArtefactStore) -> ManifestId:
        """Keep the record in the store."""
        products = {line.step: line.product for line in self.lines}
        return store.publish(Manifest(kind=KIND, inputs=products, meta=self.model_dump(mode="json")))

    @classmethod
    def read(cls, store: ArtefactStore, id: ManifestId) -> Self:
        """A record from the store."""
        return cls.model_validate(store.manifest(id).meta)
