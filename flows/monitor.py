"""The flow that watches: the newest data through its gate, the champion measured on it, a decision, and its event."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from prefect import flow, get_run_logger
from prefect.artifacts import create_markdown_artifact
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.runtime import flow_run
from prefect.states import Completed, Failed, State

from flows.children import Child, run_child
from flows.links import mlflow_page
from flows.parameters import LATEST, DatasetReference, Force, Overrides, PresetName, Settings
from flows.plan import PRODUCT, Inputs, Stage, stage_spec
from flows.references import KIND as LATEST_KIND
from flows.references import champion, known_verdict
from flows.retraining import MINED, decisions, has_arrived, outstanding, tell
from flows.stage_run import launched
from flows.this_run import due_at, this_run
from tasks.errors import BacksightError
from tasks.monitor.log import Logged
from tasks.monitor.page import line, markdown
from tasks.monitor.spec import MonitorSpec
from tasks.preset import Preset, load_preset
from tasks.spec import ManifestId
from tasks.stage import cached, key_of
from tasks.store import ArtefactStore, open_store

if TYPE_CHECKING:
    from collections.abc import Mapping

WORLD = ("simulator", "scene_dataset", "buildings")
"""Keys of a collection's plan that say which world it walks in: a night that drift asks for walks in the new one."""


@flow
def monitor(
    dataset: DatasetReference = LATEST,
    preset: PresetName = "tiny",
    overrides: Overrides = {},  # noqa: B006  Prefect copies defaults into the form
    force: Force = False,
) -> State[Any]:
    """Look at what was collected last: has the world changed, does the champion lose by it, is it time to train?"""
    try:
        return Watch(dataset, preset, overrides, force).carry_out()
    except BacksightError as error:
        get_run_logger().error("%s", error)
        return Failed(message=str(error))


class ChildFailed(BacksightError):
    """A stage did not succeed; the message is its own sentence."""


@dataclass
class Watch:
    """One flow run's look at the newest data."""

    dataset: str
    preset_name: str
    changed: Settings
    force: bool

    @cached_property
    def store(self) -> ArtefactStore:
        """The artefact store."""
        return open_store()

    @cached_property
    def preset(self) -> Preset:
        """The settings."""
        return load_preset(self.preset_name, self.changed)

    @cached_property
    def run(self) -> FlowRun:
        """This flow run, as the server knew it at the start."""
        return this_run()

    @property
    def at(self) -> float:
        """When this look was to begin, unix seconds."""
        return due_at(self.run).timestamp()

    def carry_out(self) -> State[Any]:
        """Gate, measurement, decision, event; before them the event that an earlier look has left unsent."""
        self.catch_up()
        raw = self.store.ref(LATEST_KIND, Stage.COLLECT) if self.dataset == LATEST else self.dataset
        if raw is None:
            return Completed(message="nothing has been collected yet: there is no data to look at")
        data = self.gated(raw)
        head = decisions(self.store).head()
        if head is not None and head.decision.after.data == data and not self.force:
            return Completed(message=f"this data was judged before, in decision {head.number} or shortly before it")
        logged = self.decided(self.asked(data))
        get_run_logger().info("%s", line(logged.decision))
        create_markdown_artifact(markdown(logged), key="monitor-decision", description=logged.decision.reason)
        self.mine(data)
        if tell(logged):
            get_run_logger().info("The event of decision %d is out.", logged.number)
        return Completed(message=f"{logged.decision.action}: {logged.decision.reason}")

    def catch_up(self) -> None:
        """Send the event of a decision whose monitor ended between the two. Sent twice, it still starts one night."""
        logged = outstanding(self.store, self.at)
        if logged is None:
            return
        with get_client(sync_client=True) as client:
            arrived = has_arrived(logged, client)
        if not arrived and tell(logged):
            get_run_logger().warning("Decision %d was left without its event, which is sent now.", logged.number)

    def gated(self, raw: ManifestId) -> ManifestId:
        """The validated form of a dataset, also where it failed: that is what the decision is then about."""
        if "quality" in self.store.manifest(raw).meta:
            return raw
        newest = self.store.ref(LATEST_KIND, Stage.VALIDATE)
        if newest is not None and self.store.manifest(newest).inputs.get("raw") == raw:
            return newest
        try:
            return self.outcome(Stage.VALIDATE, {"dataset": raw})
        except ChildFailed as error:
            # The gate's own sentence ends in the report's id; what else goes wrong in a task does not.
            found = re.search(r"dataset/[0-9a-f]{64}", str(error))
            if found is None or "quality" not in self.store.manifest(found[0]).meta:
                raise
            return found[0]

    def asked(self, data: ManifestId) -> MonitorSpec:
        """What the monitor is asked, with the champion measured on the data if that passed its gate."""
        manifest = self.store.manifest(data)
        reigning = champion(self.store)
        passed = manifest.meta["quality"]["passed"]
        return MonitorSpec(
            at=self.at,
            dataset=data,
            checkpoint=reigning,
            reference=self.store.manifest(reigning).inputs.get("dataset") if reigning else None,
            evaluation=self.measured(data, reigning) if passed and reigning else None,
            baseline=self.baseline(reigning) if reigning else None,
            plan=self.preset.monitor,
            preset=self.preset_name,
            overrides={**self.changed, **world_of(manifest.meta.get("plan", {}), self.preset)},
        )

    def measured(self, data: ManifestId, reigning: ManifestId) -> ManifestId | None:
        """The champion's evaluation on the data; None, with a warning, where it cannot be measured there."""
        try:
            return self.outcome(Stage.EVALUATE, {"dataset": data, "checkpoint": reigning})
        except ChildFailed as error:
            get_run_logger().warning("The champion cannot be measured on %s: %s", data, error)
            return None

    def mine(self, data: ManifestId) -> None:
        """Where mining is asked for: measure the champion in training scenes, so that a night walks to the worst."""
        reigning, passed = champion(self.store), self.store.manifest(data).meta["quality"]["passed"]
        if self.preset.monitor.mining.share == 0 or reigning is None or not passed:
            return
        try:
            seen: Settings = {"evaluate.split": "val_seen"}
            found = self.outcome(Stage.EVALUATE, {"dataset": data, "checkpoint": reigning}, seen)
        except ChildFailed as error:
            get_run_logger().warning("Failures cannot be mined in %s: %s", data, error)
            return
        self.store.set_ref(LATEST_KIND, MINED, found)
        get_run_logger().info("The next night may walk to where %s failed: %s.", reigning, found)

    def baseline(self, reigning: ManifestId) -> ManifestId | None:
        """The evaluation by which the champion was promoted."""
        from tasks.promote.settle import read_verdict

        verdict = known_verdict(self.store, reigning)
        return read_verdict(self.store, verdict).evaluation if verdict else None

    def outcome(self, stage: Stage, inputs: Inputs, more: Settings | None = None) -> ManifestId:
        """A stage's product, known or made by a child, under some more changed keys of the preset."""
        changed = {**self.changed, **(more or {})}
        spec = stage_spec(stage, load_preset(self.preset_name, changed), 0, inputs)
        known = None if self.force else cached(self.store, spec)
        if known is None:
            parameters = {
                "preset": self.preset_name,
                "seed": 0,
                "overrides": changed,
                "force": self.force,
                **inputs,
            }
            name, work = f"{stage} for the monitor", f"{flow_run.id}:{stage}:{key_of(spec)}"
            child = run_child(Child(stage, name, parameters, work, {}))
            if child.state_type is not StateType.COMPLETED:
                raise ChildFailed((child.state.message if child.state else None) or f"{stage} left no message")
            known = cached(self.store, spec)
        if known is None:
            raise BacksightError(f"{stage} succeeded, but its outcome is gone from the store: run the monitor again.")
        return known.outputs[PRODUCT[stage]]

    def decided(self, spec: MonitorSpec) -> Logged:
        """The stage's decision, from the log."""
        known = cached(self.store, spec)
        if known is None:
            ending = launched(spec, self.preset_name, False, self.store)
            if ending.result is None or "decision" not in ending.result.outputs:
                raise BacksightError(ending.diagnosis)
            known = ending.result
        if page := mlflow_page(known.run_id):
            get_run_logger().info("Recorded in MLflow: %s", page)
        return decisions(self.store).read(known.outputs["decision"])


def world_of(plan: Mapping[str, Any], preset: Preset) -> Settings:
    """The keys of the preset that must change for a night to collect from the world that a dataset comes from."""
    usual = preset.collect.model_dump(mode="json")
    differing = {key: plan[key] for key in WORLD if key in plan and plan[key] != usual[key]}
    return {f"collect.{key}": value for key, value in differing.items() if value is not None}
