"""The stage: judge a challenger, write the verdict into the ledger, and let the registry follow."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime

from tasks import tracking
from tasks.card import model_card
from tasks.errors import BacksightError, DataError, UsageError
from tasks.evaluation import read_cost
from tasks.promote.confirm import confirm
from tasks.promote.gate import Ruling
from tasks.promote.hold import Hold, hold_on, person
from tasks.promote.ledger import Entry, Ledger
from tasks.promote.page import verdict_page
from tasks.promote.registry import ModelRegistry
from tasks.promote.settle import Settlement
from tasks.promote.spec import PromoteSpec
from tasks.promote.verdict import Verdict, judge
from tasks.promote.webpage import verdict_html
from tasks.settings import home
from tasks.spec import ManifestId
from tasks.stage import StageContext, StageOutcome
from tasks.store import ArtefactStore, Manifest, RefConflict

LOCK_SECONDS = 300


def promote(spec: PromoteSpec, context: StageContext) -> StageOutcome:
    """Publishes the verdict; where it says so, the challenger is champion afterwards. Doing it twice changes nothing.

    Raises `UsageError` where there is a champion that the challenger was not measured against.
    """
    store, run = context.store, context.run
    with context.progress.track("promote", 3, "steps") as steps:
        verdict, mine, theirs = judge(store, spec)
        verdict = confirm(store, verdict, spec)
        steps.advance(ruling=verdict.decision.ruling.value)
        id = publish(store, verdict)
        client = tracking.connect() if run.id else None
        registry = ModelRegistry(client, run, spec.registered) if client else None
        ledger = Ledger(store, spec.registered)
        settlement = Settlement(store, ledger, registry, context.scratch)
        with promotion_lock(spec.registered):
            settlement.finish()
            steps.advance()
            record(store, ledger, settlement, verdict, id)
        card = model_card(mine, verdict.decision.reason, read_cost(store, spec.evaluation))
        if registry and (version := registry.find(verdict.checkpoint)):
            registry.describe(version, card)
        steps.advance()
    run.tags({"backsight.verdict": verdict.decision.ruling.value})
    for name, text in (
        ("verdict.json", verdict.model_dump_json(indent=1)),
        ("verdict.md", verdict_page(verdict, id, mine, theirs)),
        ("verdict.html", verdict_html(verdict, id)),
        ("model_card.md", card),
    ):
        (context.scratch / name).write_text(text)
        run.file(context.scratch / name)
    print(f"{verdict.decision.ruling.value}: {verdict.decision.reason}", flush=True)
    return StageOutcome({"verdict": id}, figures(verdict))


def publish(store: ArtefactStore, verdict: Verdict) -> ManifestId:
    """The verdict as an artefact."""
    named = {
        "evaluation": verdict.evaluation,
        "champion_evaluation": verdict.champion_evaluation,
        "checkpoint": verdict.checkpoint,
        "champion": verdict.champion,
        "dataset": verdict.dataset,
        "sealed_evaluation": verdict.sealed_evaluation,
        "sealed_champion_evaluation": verdict.sealed_champion_evaluation,
    }
    blob = store.put_blob(verdict.model_dump_json(indent=1).encode())
    inputs = {name: id for name, id in named.items() if id is not None}
    meta = {
        "ruling": verdict.decision.ruling.value,
        "reason": verdict.decision.reason,
        "registered": verdict.registered,
    }
    return store.publish(Manifest(kind="verdict", blobs={"verdict.json": blob}, inputs=inputs, meta=meta))


def record(store: ArtefactStore, ledger: Ledger, settlement: Settlement, verdict: Verdict, id: ManifestId) -> None:
    """Append the verdict to the ledger, unless it stands there or cannot count any more, and settle it."""
    while ledger.find(id) is None:
        head = ledger.head()
        champion = head.entry.champion if head else None
        if champion == verdict.checkpoint:
            return
        require_current(verdict, champion)
        hold = hold_on(verdict, ledger, datetime.now(UTC))
        entry = entry_for(verdict, id, champion, head.entry.former if head else None, hold)
        if entry.champion == verdict.checkpoint and not store.complete(verdict.checkpoint):
            raise DataError(f"Files of {verdict.checkpoint} are gone from the artefact store: train it again.")
        # Another machine, whose lock is not ours, may be first: then decide anew.
        with contextlib.suppress(RefConflict):
            ledger.append(entry, head)
        settlement.finish()


def require_current(verdict: Verdict, champion: ManifestId | None) -> None:
    """Refuse a verdict that was reached against somebody else than the present champion."""
    if verdict.champion == champion:
        return
    if verdict.champion is None:
        raise UsageError(
            f"{verdict.registered} has a champion, {champion}: evaluate it on the challenger's dataset and give that "
            "evaluation as `champion`."
        )
    raise BacksightError(
        f"The champion of {verdict.registered} is {champion or 'nobody'} by now, but the challenger was judged against "
        f"{verdict.champion}: evaluate the present champion and promote again."
    )


def entry_for(
    verdict: Verdict, id: ManifestId, champion: ManifestId | None, former: ManifestId | None, hold: Hold | None
) -> Entry:
    """The ledger's entry for a verdict, given the champion until now and the one before."""
    promoted = verdict.decision.ruling is Ruling.PROMOTE and hold is None
    return Entry(
        verdict=id,
        checkpoint=verdict.checkpoint,
        ruling=verdict.decision.ruling,
        champion=verdict.checkpoint if promoted else champion,
        former=champion if promoted else former,
        why=hold.why if hold else "",
        awaits=hold.until if hold else "",
        by=person(),
        at=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def figures(verdict: Verdict) -> dict[str, float]:
    """What MLflow plots of verdicts."""
    gain = verdict.decision.gain
    told = {} if gain is None else {"gain": gain.value, "gain_low": gain.low, "gain_high": gain.high}
    promoted = float(verdict.decision.ruling is Ruling.PROMOTE)
    return {"promoted": promoted, **{name: value for name, value in told.items() if value is not None}}


@contextlib.contextmanager
def promotion_lock(registered: str) -> Iterator[None]:
    """One promotion at a time on this machine. Across machines the ledger's conditional append decides."""
    from filelock import FileLock, Timeout

    path = home() / "locks" / f"promote-{registered}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(path, timeout=LOCK_SECONDS):
            yield
    except Timeout as error:
        raise BacksightError(
            f"Another promotion of {registered} has held {path} for {LOCK_SECONDS} s: end it, or wait until it is done."
        ) from error
