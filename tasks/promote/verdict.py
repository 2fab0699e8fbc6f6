"""The written verdict: what was judged against what, under which policy, with which outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from tasks.evaluation import MODEL, Evaluation, read_book, read_cost, read_evaluation
from tasks.promote.gate import Decision, decide
from tasks.promote.sample import Contestant
from tasks.promote.spec import Policy, PromoteSpec
from tasks.spec import Frozen, ManifestId

if TYPE_CHECKING:
    from tasks.store import ArtefactStore


class Verdict(Frozen):
    """Content of `verdict.json`. Equal inputs give an equal verdict: it says nothing of time or place."""

    registered: str
    checkpoint: ManifestId = Field(description="The challenger.")
    champion: ManifestId | None = Field(description="The checkpoint that it had to beat; none = a baseline.")
    rival: str = Field(description="That opponent in words.")
    evaluation: ManifestId
    champion_evaluation: ManifestId | None
    dataset: ManifestId
    split: str
    views: int
    scenes: int
    policy: Policy
    decision: Decision
    sealed_evaluation: ManifestId | None = None
    sealed_champion_evaluation: ManifestId | None = None


def judge(store: ArtefactStore, spec: PromoteSpec) -> tuple[Verdict, Evaluation, Evaluation | None]:
    """The verdict on a challenger, with both evaluations for the report."""
    mine = read_evaluation(store, spec.evaluation)
    theirs = read_evaluation(store, spec.champion) if spec.champion else None
    challenger = contestant(store, spec.evaluation, mine, MODEL, "the challenger")
    if spec.champion and theirs:
        rival = contestant(store, spec.champion, theirs, MODEL, "the champion")
    else:
        rival = contestant(store, spec.evaluation, mine, spec.policy.first, f"the {spec.policy.first} baseline")
    verdict = Verdict(
        registered=spec.registered,
        checkpoint=mine.checkpoint,
        champion=theirs.checkpoint if theirs else None,
        rival=rival.name,
        evaluation=spec.evaluation,
        champion_evaluation=spec.champion,
        dataset=mine.dataset,
        split=mine.split,
        views=mine.views,
        scenes=mine.scenes,
        policy=spec.policy,
        decision=decide(challenger, rival, spec.policy, spec.seed),
    )
    return verdict, mine, theirs


def contestant(store: ArtefactStore, id: ManifestId, evaluation: Evaluation, system: str, name: str) -> Contestant:
    """One system of a published evaluation."""
    book = read_book(store, id)
    return Contestant(
        name,
        book.plan,
        book.systems[system],
        evaluation.grid,
        evaluation.labels,
        baseline=system != MODEL,
        cost=read_cost(store, id) if system == MODEL else {},
    )
