"""The log of decisions: append-only and chained in the store, so that the trigger remembers and people look back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter

from tasks.errors import BacksightError
from tasks.monitor.events import Decision, Event
from tasks.monitor.policy import TriggerPolicy
from tasks.monitor.trigger import FIRST, decide
from tasks.spec import ManifestId
from tasks.store import Manifest, RefConflict
from tasks.store.chain import Chain

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
    inputs: Mapping[str, ManifestId]
    """Artefacts that the decision looked at, by what they were to it."""
    facts: Mapping[str, Any]
    """What else it looked at: the drift report, settings of the night that is to follow."""


class DecisionLog(Chain[Logged]):
    """The decisions about one registered model."""

    kind, title = "monitor", "the log of decisions"

    def parse(self, id: ManifestId, manifest: Manifest) -> Logged:
        """A decision from the artefact that holds it."""
        return Logged(
            id=id,
            number=int(manifest.meta["number"]),
            decision=ADAPTER.validate_json(self.store.read(manifest.blobs[BLOB])),
            policy=TriggerPolicy.model_validate(manifest.meta["policy"]),
            inputs={name: id for name, id in manifest.inputs.items() if name != "previous"},
            facts=manifest.meta.get("facts", {}),
        )

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
            manifest = self._manifest_of(decision, policy, head.number + 1 if head else 0, inputs or {}, facts or {})
            try:
                return self.read(self.link(manifest, head.id if head else None))
            except RefConflict:
                continue
        raise BacksightError(f"{TRIES} others wrote to the log of '{self.registered}' first: try again.")

    def _manifest_of(
        self,
        decision: Decision,
        policy: TriggerPolicy,
        number: int,
        inputs: Mapping[str, ManifestId],
        facts: Mapping[str, Any],
    ) -> Manifest:
        meta = {
            "registered": self.registered,
            "number": number,
            "action": decision.action.value,
            "rule": decision.rule.value,
            "reason": decision.reason,
            "policy": policy.model_dump(mode="json"),
            "facts": dict(facts),
        }
        blobs = {BLOB: self.store.put_blob(ADAPTER.dump_json(decision, indent=1))}
        return Manifest(kind=self.kind, blobs=blobs, inputs=dict(inputs), meta=meta)
