"""The sealed split: closed to everyone but the gate, each opening on record, and no more of them than the budget."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tasks import sealed
from tasks.errors import BacksightError, DataError, UsageError
from tasks.evaluate.evaluate import evaluate
from tasks.evaluate.spec import EvaluateSpec, EvaluationPlan
from tasks.evaluation import read_evaluation
from tasks.promote import confirm as confirmation
from tasks.promote.gate import Ruling
from tasks.promote.spec import Policy, PromoteSpec
from tasks.promote.verdict import Verdict, judge
from tasks.sealed import Opening, Openings, open_sealed
from tasks.stage import execute
from tasks.store import ArtefactStore, Manifest
from tests.box_world import write_dataset
from tests.promotions import publish_checkpoint, publish_evaluation
from tests.published import checkpoint

DATASET = f"dataset/{'0' * 64}"


def opened(store: ArtefactStore, name: str, budget: int = 3) -> str:
    return open_sealed(store, "m", DATASET, publish_checkpoint(store, name), budget, "me@here", "2026-01-01T00:00:00")


def test_each_opening_is_recorded_in_a_chain_and_the_same_look_again_is_none(store: ArtefactStore) -> None:
    first, second = opened(store, "a"), opened(store, "b")
    assert opened(store, "a") == first
    assert [(o.id, o.opening.number) for o in Openings(store, "m").entries()] == [(second, 2), (first, 1)]
    assert store.manifest(second).inputs["previous"] == first


def test_the_budget_ends_the_openings_but_not_looks_that_were_granted(store: ArtefactStore) -> None:
    granted = [opened(store, name) for name in "abc"]
    with pytest.raises(BacksightError, match="opened 3 times for m, which is its whole budget"):
        opened(store, "d")
    assert opened(store, "b") == granted[1]


def test_a_permit_is_for_one_look_and_cannot_be_made_at_home(store: ArtefactStore) -> None:
    permit, own = opened(store, "a"), publish_checkpoint(store, "a")
    sealed.require_permit(store, permit, DATASET, own)
    with pytest.raises(UsageError, match="and nothing else"):
        sealed.require_permit(store, permit, DATASET, publish_checkpoint(store, "b"))
    with pytest.raises(UsageError, match="is no permit"):
        sealed.require_permit(store, own, DATASET, own)
    forged = Opening(number=2, registered="m", dataset=DATASET, checkpoint=own, by="me", at="now")
    id = store.publish(Manifest(kind="opening", meta={"opening": forged.model_dump()}))
    with pytest.raises(DataError, match="the gate never gave it"):
        sealed.require_permit(store, id, DATASET, own)


def test_evaluate_opens_the_sealed_split_for_the_gate_alone(store: ArtefactStore, tmp_path: Path) -> None:
    root = write_dataset(tmp_path / "boxes", {"train": 2, "val_unseen": 2, "sealed": 3}, frames=10)
    names = sorted(str(p.relative_to(root)) for p in root.rglob("*") if p.is_file())
    blobs = {name: store.put_blob(root / name) for name in names}
    meta = {"quality": {"passed": True, "reasons": [], "rejected": 0}}
    dataset = store.publish(Manifest(kind="dataset", blobs=blobs, meta=meta))
    model = checkpoint(store, tmp_path)
    plan = EvaluationPlan(split="sealed", views=6, keyframes=3, baseline_views=4, bootstrap=100)
    with pytest.raises(UsageError, match="opened by the promotion gate alone"):
        execute(EvaluateSpec(dataset=dataset, checkpoint=model, plan=plan), evaluate)
    permit = open_sealed(store, "m", dataset, model, 1, "me@here", "2026-01-01T00:00:00")
    outcome = execute(EvaluateSpec(dataset=dataset, checkpoint=model, plan=plan, permit=permit), evaluate)
    measured = read_evaluation(store, outcome.outputs["evaluation"])
    assert (measured.split, measured.scenes) == ("sealed", 3)


@pytest.mark.parametrize(("error", "ruling"), [(0.1, Ruling.PROMOTE), (0.9, Ruling.REFUSE)])
def test_a_winner_that_loses_on_sealed_scenes_is_refused(
    store: ArtefactStore, monkeypatch: pytest.MonkeyPatch, error: float, ruling: Ruling
) -> None:
    champion, challenger = publish_checkpoint(store, "old"), publish_checkpoint(store, "new")
    on_sealed = {
        champion: publish_evaluation(store, champion, 0.4, seed=7),
        challenger: publish_evaluation(store, challenger, error, seed=8),
    }
    spec = PromoteSpec(
        evaluation=publish_evaluation(store, challenger, 0.1, seed=1),
        champion=publish_evaluation(store, champion, 0.4, seed=2),
        policy=Policy(resamples=1000, nights=1, sealed=True),
    )
    asked: list[str] = []

    def look(_: ArtefactStore, verdict: Verdict, unseen: object, model: str) -> str:
        asked.append(model)
        return on_sealed[model]

    monkeypatch.setattr(confirmation, "measured", look)
    verdict, *_ = judge(store, spec)
    assert verdict.decision.ruling is Ruling.PROMOTE
    confirmed = confirmation.confirm(store, verdict, spec)
    assert asked == [challenger, champion]
    assert confirmed.decision.ruling is ruling and "sealed scenes" in confirmed.decision.reason
    assert confirmed.decision.sealed is not None and np.sign(confirmed.decision.sealed.value) == (
        1 if error < 0.4 else -1
    )
    loser = verdict.model_copy(update={"decision": verdict.decision.model_copy(update={"ruling": Ruling.KEEP})})
    assert confirmation.confirm(store, loser, spec) is loser and len(asked) == 2
