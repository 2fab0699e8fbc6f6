"""The ConfigMap that stands for one attempt in a cluster, and what is noted on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flows.launch.contract import Ending, Handle
from flows.launch.manifests import ATTEMPT_LABEL, GROUP, JOB_LABEL, OWNER_LABEL, STAGE_LABEL, Attempt
from flows.launch.pods import seconds
from flows.launch.resources import StageResources
from flows.launch.results import ending_of
from tasks.stage import key_of

STARTED, KEY, RESOURCES, DEADLINE, ENDING = (
    f"{GROUP}/{name}" for name in ("started", "key", "resources", "deadline", "ending")
)


def first_notes(attempt: Attempt, now: float) -> dict[str, str]:
    """What is noted before anything is launched."""
    return {
        STARTED: f"{now:.3f}",
        KEY: key_of(attempt.job.spec),
        DEADLINE: str(attempt.deadline),
        RESOURCES: attempt.job.resources.model_dump_json(exclude_defaults=True),
    }


@dataclass(frozen=True)
class Record:
    """One attempt as the cluster remembers it."""

    object: dict[str, Any]

    @property
    def name(self) -> str:
        """Name of all objects of the attempt."""
        return str(self.object["metadata"]["name"])

    @property
    def uid(self) -> str:
        """By which the cluster knows what belongs to it."""
        return str(self.object["metadata"].get("uid") or "")

    @property
    def made(self) -> float:
        """Unix time at which it came to be, by the cluster's clock."""
        return seconds(self.object["metadata"].get("creationTimestamp")) or 0.0

    @property
    def labels(self) -> dict[str, str]:
        """Its labels."""
        return dict(self.object["metadata"]["labels"])

    @property
    def handle(self) -> Handle:
        """Which attempt it is."""
        return Handle(self.labels[JOB_LABEL], int(self.labels[ATTEMPT_LABEL]))

    @property
    def stage(self) -> str:
        """The stage that runs."""
        return self.labels[STAGE_LABEL]

    @property
    def owner(self) -> str | None:
        """Id of the flow run that waits for it."""
        return self.labels.get(OWNER_LABEL)

    @property
    def notes(self) -> dict[str, str]:
        """Its annotations."""
        return dict(self.object["metadata"].get("annotations") or {})

    @property
    def started(self) -> float:
        """Unix time of its launch."""
        return float(self.notes[STARTED])

    @property
    def deadline(self) -> float:
        """Seconds of running that it has."""
        return float(self.notes[DEADLINE])

    @property
    def key(self) -> str:
        """The stage's key."""
        return self.notes[KEY]

    @property
    def resources(self) -> StageResources:
        """What each pod gets."""
        return StageResources.model_validate_json(self.notes[RESOURCES])

    @property
    def ending(self) -> Ending | None:
        """How it ended, once that was found out."""
        return ending_of(self.notes[ENDING]) if ENDING in self.notes else None
