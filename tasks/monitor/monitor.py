"""The stage: compares the newest data with what the champion learnt from, decides, and logs the decision."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from tasks.datasets import open_files
from tasks.errors import BacksightError, DataError, UsageError
from tasks.monitor.drift import DriftReport, compare
from tasks.monitor.events import Window
from tasks.monitor.log import DecisionLog, Logged
from tasks.monitor.page import explain, markdown
from tasks.monitor.performance import Loss, measured
from tasks.monitor.spec import MonitorSpec
from tasks.spec import ManifestId
from tasks.stage import StageContext, StageOutcome

if TYPE_CHECKING:
    from model.data.walks import WalkDataset


def monitor(spec: MonitorSpec, context: StageContext) -> StageOutcome:
    """Publishes the decision on the newest data.

    Data that is bad, empty, too small or not to be compared leads to a decision that says so; `UsageError` only for
    data that nobody has validated.
    """
    window, report, loss = look(spec, context)
    facts = facts_of(spec, report, loss)
    log = DecisionLog(context.store, spec.registered)
    logged = log.tell(spec.plan.trigger, window, spec.inputs(), facts)
    keep(context, logged, report)
    print(f"{logged.decision.action}: {logged.decision.reason}", flush=True)
    return StageOutcome({"decision": logged.id}, figures(logged, report))


def look(spec: MonitorSpec, context: StageContext) -> tuple[Window, DriftReport | None, Loss | None]:
    """What is to be seen of the newest data."""
    window = Window(at=spec.at, data=spec.dataset, champion=spec.checkpoint or "")
    fault = fault_of(spec, context)
    if fault is not None:
        return changed(window, passed=False, fault=fault), None, None
    try:
        newest = opened(spec.dataset, context)
    except DataError as error:
        return changed(window, passed=False, fault=plain(error)), None, None
    blank = missing(spec)
    if blank is not None:
        count = sum(walk.split == "train" for walk in newest.walks)
        return changed(window, episodes=count, blank=blank), None, None
    return compared(spec, context, newest, window)


def fault_of(spec: MonitorSpec, context: StageContext) -> str | None:
    """Why the newest data did not pass its gate; None where it did. `UsageError` where nobody has validated it."""
    quality = context.store.manifest(spec.dataset).meta.get("quality")
    if quality is None:
        raise UsageError(f"{spec.dataset} has not been validated: run the stage validate on it and give its outcome.")
    if quality.get("passed"):
        return None
    return "; ".join(quality.get("reasons", [])) or "the gate gave no reason"


def missing(spec: MonitorSpec) -> str | None:
    """What there is nothing to compare with."""
    if spec.checkpoint is None:
        return "there is no champion yet: a night has to promote one first"
    if spec.reference is None:
        return f"the champion {spec.checkpoint} does not say which data it learnt from"
    return None


def opened(id: ManifestId, context: StageContext) -> WalkDataset:
    """A dataset's walks."""
    from model.data.walks import open_dataset

    return open_dataset(open_files(context.store, id))


def compared(
    spec: MonitorSpec, context: StageContext, newest: WalkDataset, window: Window
) -> tuple[Window, DriftReport | None, Loss | None]:
    """Drift and loss of data that is fit to be looked at."""
    assert spec.checkpoint is not None and spec.reference is not None
    try:
        reference = opened(spec.reference, context)
    except BacksightError as error:
        return changed(window, blank=f"the champion's training data cannot be read: {plain(error)}"), None, None
    known = {walk.episode for walk in reference.walks}
    fresh = sum(walk.split == "train" and walk.episode not in known for walk in newest.walks)
    window = changed(window, episodes=fresh)
    loss, unmeasured = loss_of(spec, context)
    if loss is not None:
        window = changed(window, loss=loss.value, loss_se=loss.error, views=loss.views)
    try:
        report = drift_of(spec, context, reference, newest)
    except DataError as error:
        return changed(window, blank=plain(error)), None, loss
    most = report.most
    return (
        changed(
            window, drift=most.effect, drift_p=most.corrected, about=", ".join(filter(None, [most.group, unmeasured]))
        ),
        report,
        loss,
    )


def drift_of(spec: MonitorSpec, context: StageContext, reference: WalkDataset, newest: WalkDataset) -> DriftReport:
    """The champion's training data against the newest."""
    from tasks.evaluate.evaluate import load_predictor
    from tasks.monitor.features import planned_views, sample_of

    assert spec.checkpoint is not None
    predictor = load_predictor(context.store, spec.checkpoint)
    plan, samples = spec.plan.drift, []
    for what, dataset in (("the champion's training data", reference), ("the newest data", newest)):
        try:
            views = planned_views(dataset, predictor.config.keyframes, plan)
            with context.progress.track(f"look at {what}", len(views), "views") as track:
                samples.append(sample_of(dataset, predictor, views, plan.embeddings, track.advance))
        except BacksightError as error:
            raise DataError(f"{what} cannot be compared: {plain(error)}") from error
    return compare(samples[0], samples[1], plan.permutations, plan.seed)


def loss_of(spec: MonitorSpec, context: StageContext) -> tuple[Loss | None, str]:
    """What the champion has lost, or why that is not known."""
    if spec.evaluation is None or spec.baseline is None:
        return None, "the champion was not measured on it"
    try:
        return measured(context.store, spec.evaluation, spec.baseline, spec.plan.trigger.metric, spec.seed), ""
    except DataError as error:
        return None, plain(error)


def changed(window: Window, **what: Any) -> Window:
    """The window with some fields changed."""
    from dataclasses import replace

    return replace(window, **what)


def plain(error: BacksightError) -> str:
    """An error's sentence as a clause."""
    return str(error).rstrip(".")


def facts_of(spec: MonitorSpec, report: DriftReport | None, loss: Loss | None) -> dict[str, Any]:
    """What the log keeps beside the decision."""
    facts: dict[str, Any] = {"preset": spec.preset, "overrides": dict(spec.overrides)}
    if report is not None:
        facts["drift"] = report.lines()
    if loss is not None:
        facts["loss"] = asdict(loss)
    return facts


def keep(context: StageContext, logged: Logged, report: DriftReport | None) -> None:
    """The decision, its inputs and the rule that fired, in MLflow."""
    decision = logged.decision
    context.run.tags(
        {
            "backsight.decision": decision.action.value,
            "backsight.rule": decision.rule.name,
            "backsight.reason": decision.reason,
        }
    )
    kept = {"decision.txt": explain(logged), "decision.md": markdown(logged)}
    if report is not None:
        kept["drift.json"] = json.dumps(asdict(report), indent=1)
    for name, text in kept.items():
        (context.scratch / name).write_text(text)
        context.run.file(context.scratch / name)


def figures(logged: Logged, report: DriftReport | None) -> dict[str, float]:
    """What MLflow plots."""
    event, state = logged.decision.event, logged.decision.after
    assert isinstance(event, Window)
    told = {
        "new_episodes": float(state.episodes),
        "proposed": float(state.proposed),
        "confirmed": float(state.confirmed),
    }
    told |= {name: value for name, value in (("drift", event.drift), ("loss", event.loss)) if value is not None}
    for group in report.groups if report else ():
        told |= {f"drift.{group.group}": group.effect, f"p.{group.group}": group.corrected}
    return told
