"""The last question to a winner: does it also win on the sealed scenes, which nobody has looked at while training?"""

from __future__ import annotations

from datetime import UTC, datetime

from tasks.evaluation import MODEL, Evaluation, read_evaluation
from tasks.promote.gate import Decision, Match, Ruling, broken, incomparable, signed
from tasks.promote.hold import person
from tasks.promote.spec import PromoteSpec
from tasks.promote.verdict import Verdict, contestant
from tasks.sealed import SPLIT, open_sealed
from tasks.spec import ManifestId
from tasks.store import ArtefactStore
from tasks.summary import METRICS


def confirm(store: ArtefactStore, verdict: Verdict, spec: PromoteSpec) -> Verdict:
    """The verdict on a winner after both sides were measured on the sealed split; others pass unchanged."""
    if not verdict.policy.sealed or verdict.decision.ruling is not Ruling.PROMOTE:
        return verdict
    unseen = read_evaluation(store, verdict.evaluation)
    mine = measured(store, verdict, unseen, verdict.checkpoint)
    theirs = measured(store, verdict, unseen, verdict.champion) if verdict.champion else None
    return verdict.model_copy(
        update={
            "sealed_evaluation": mine,
            "sealed_champion_evaluation": theirs,
            "decision": after_sealed(store, verdict, mine, theirs, spec.seed),
        }
    )


def measured(store: ArtefactStore, verdict: Verdict, unseen: Evaluation, checkpoint: ManifestId) -> ManifestId:
    """A checkpoint's evaluation on the sealed split, opened for it."""
    from tasks.evaluate.evaluate import evaluate
    from tasks.evaluate.spec import EvaluateSpec, EvaluationPlan
    from tasks.stage import execute

    at = datetime.now(UTC).isoformat(timespec="seconds")
    budget = verdict.policy.sealed_openings
    permit = open_sealed(store, verdict.registered, verdict.dataset, checkpoint, budget, person(), at)
    plan = EvaluationPlan(split=SPLIT, views=unseen.views, keyframes=unseen.keyframes)
    spec = EvaluateSpec(dataset=verdict.dataset, checkpoint=checkpoint, plan=plan, permit=permit)
    return execute(spec, evaluate).outputs["evaluation"]


def after_sealed(
    store: ArtefactStore, verdict: Verdict, mine: ManifestId, theirs: ManifestId | None, seed: int
) -> Decision:
    """The decision with the sealed gain in it: a loss there refuses the winner.

    The proof is the one on the other scenes; the few sealed ones are asked for its sign alone.
    """
    own = read_evaluation(store, mine)
    challenger = contestant(store, mine, own, MODEL, "the challenger")
    if theirs is None:
        rival = contestant(store, mine, own, verdict.policy.first, verdict.rival)
    else:
        rival = contestant(store, theirs, read_evaluation(store, theirs), MODEL, verdict.rival)
    if obstacle := incomparable(challenger, rival):
        return verdict.decision.model_copy(update={"ruling": Ruling.REFUSE, "reason": f"On sealed scenes: {obstacle}"})
    if unsound := broken(challenger, rival):
        return unsound
    gain = Match(challenger, rival, verdict.policy, seed).gain()
    told = f"{METRICS[verdict.policy.primary].label} gain {signed(gain)} on {own.scenes} sealed scenes"
    if gain.value is None or gain.value <= 0:
        reason = f"{verdict.decision.reason} But {told}: the win does not carry over."
        return verdict.decision.model_copy(update={"ruling": Ruling.REFUSE, "reason": reason, "sealed": gain})
    return verdict.decision.model_copy(update={"reason": f"{verdict.decision.reason} {told}.", "sealed": gain})
