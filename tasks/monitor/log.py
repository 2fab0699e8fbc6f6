"""The log of decisions: append-only and chained in the store, so that the trigger remembers and people look back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter

from tasks.errors import BacksightError, DataError
from tasks.monitor.events import Decision, Event
from tasks.monitor.policy import TriggerPolicy
from tasks.monitor.trigger import FIRST, decide
from tasks.spec import ManifestId
from tasks.store import ArtefactStore, Manifest, RefConflict

KIND = "monitor"
BLOB = "decision.json"
TRIES = 20
"""Writers that may be first in a row."""

ADAPTER: TypeAdapter[Decision] = TypeAdapter(Decision)


@dataclass(frozen=True)
class Logged:
    """A decision and the artefact that holds it."""

    id: ManifestId
    number: int
    decision: Decision
    policy: TriggerPolicy
    previous: ManifestId | None
    inputs: Mapping[str, ManifestId]
    """Artefacts that the decision looked at, by what they were to it."""
    facts: Mapping[str, Any]
    """What else it looked at: the drift report, settings of the night that is to follow."""


class DecisionLog:
    """The decisions about one registered model. The head is a ref; every entry names the one before."""

    def __init__(self, store: ArtefactStore, registered: str) -> None:
        self.store = store
        self.registered = registered

    def head(self) -> Logged | None:
        """The newest decision; None before the first."""
        target = self.store.ref(KIND, self.registered)
        return None if target is None else self.read(target)

    def read(self, id: ManifestId) -> Logged:
        """One decision. `DataError` where the artefact is another one."""
        manifest = self.store.manifest(id)
        if manifest.kind != KIND or manifest.meta.get("registered") != self.registered:
            raise DataError(f"{id} is no decision about '{self.registered}': the log is broken there.")
        inputs = dict(manifest.inputs)
        previous = inputs.pop("previous", None)
        return Logged(
            id=id,
            number=int(manifest.meta["number"]),
            decision=ADAPTER.validate_json(self.store.read(manifest.blobs[BLOB])),
            policy=TriggerPolicy.model_validate(manifest.meta["policy"]),
            previous=previous,
            inputs=inputs,
            facts=manifest.meta.get("facts", {}),
        )

    def entries(self) -> Iterator[Logged]:
        """All decisions, newest first."""
        logged = self.head()
        while logged is not None:
            yield logged
            logged = self.read(logged.previous) if logged.previous else None

    def tell(
        self,
        policy: TriggerPolicy,
        event: Event,
        inputs: Mapping[str, ManifestId] | None = None,
        facts: Mapping[str, Any] | None = None,
    ) -> Logged:
        """Decide on an event behind the newest decision, and log it; telling it twice in a row is telling it once."""
        for _ in range(TRIES):
            head = self.head()
            if head is not None and head.decision.event == event:
                return head
            decision = decide(policy, head.decision.after if head else FIRST, event)
            id = self._publish(decision, policy, head, inputs or {}, facts or {})
            try:
                self.store.set_ref(KIND, self.registered, id, expected=head.id if head else None)
            except RefConflict:
                continue
            return self.read(id)
        raise BacksightError(f"{TRIES} others wrote to the log of '{self.registered}' first: try again.")

    def _publish(
        self,
        decision: Decision,
        policy: TriggerPolicy,
        head: Logged | None,
        inputs: Mapping[str, ManifestId],
        facts: Mapping[str, Any],
    ) -> ManifestId:
        meta = {
            "registered": self.registered,
            "number": head.number + 1 if head else 0,
            "action": decision.action.value,
            "rule": decision.rule.value,
            "reason": decision.reason,
            "policy": policy.model_dump(mode="json"),
            "facts": dict(facts),
        }
        blobs = {BLOB: self.store.put_blob(ADAPTER.dump_json(decision, indent=1))}
        chain = {"previous": head.id} if head else {}
        return self.store.publish(Manifest(kind=KIND, blobs=blobs, inputs={**inputs, **chain}, meta=meta))
