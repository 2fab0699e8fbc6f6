"""Asking a person: a winner under the policy `ask` waits in a suspended flow run for a typed answer, for a time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from prefect import flow, get_run_logger, suspend_flow_run
from prefect.artifacts import create_markdown_artifact
from prefect.deployments import run_deployment
from prefect.input import RunInput
from prefect.states import Completed, Failed, State
from pydantic import Field

from flows.board import slug
from tasks.errors import BacksightError
from tasks.promote.approval import Answer, awaiting, settle_answer
from tasks.promote.ledger import Act, Entry, Ledger
from tasks.promote.settle import read_verdict
from tasks.promote.verdict import Verdict
from tasks.spec import ManifestId
from tasks.store import ArtefactStore, open_store

SLACK = timedelta(seconds=2)
"""Between the end of the time to answer and the run that records it."""

VerdictReference = Annotated[
    str,
    Field(title="Verdict", pattern=r"^verdict/[0-9a-f]{64}$", description="Manifest id of the verdict that waits."),
]


class Approval(RunInput):
    """The form on Prefect's page."""

    approve: bool = Field(title="Approve", description="Whether the challenger becomes the champion.")
    who: str = Field(title="Your name", min_length=2, max_length=100, description="Kept in the ledger.")
    why: str = Field(title="Why", min_length=3, max_length=1000, description="Kept in the ledger.")


@flow
def approval(verdict: VerdictReference) -> State[Any]:
    """Wait for a person's answer to a verdict, then move the champion's alias or leave it, and record who and why."""
    return told(lambda: answer_of(verdict))


@flow(name="approval-expiry")
def approval_expiry(verdict: VerdictReference) -> State[Any]:
    """Record that nobody has answered in time; the champion stays. Nothing happens where somebody has."""
    return told(lambda: recorded(settle_answer(open_store(), verdict, None)))


def told(work: Callable[[], State[Any]]) -> State[Any]:
    """The work's state; a failure carries its own sentence."""
    try:
        return work()
    except BacksightError as error:
        get_run_logger().error("%s", error)
        return Failed(message=str(error))


def answer_of(verdict: ManifestId) -> State[Any]:
    """Suspend until somebody answers; called again when somebody has, and then goes on."""
    store = open_store()
    passed = read_verdict(store, verdict)
    waiting = awaiting(Ledger(store, passed.registered), verdict)
    if waiting is None:
        return recorded(None)
    left = int((datetime.fromisoformat(waiting.awaits) - datetime.now(UTC)).total_seconds())
    if left <= 0:
        return recorded(settle_answer(store, verdict, None))
    page = question(passed, verdict, waiting)
    create_markdown_artifact(page, key=slug(f"approval {verdict[:20]}"), description="A challenger waits for approval")
    said = suspend_flow_run(wait_for_input=Approval.with_initial_data(page), timeout=left, key="approval")
    return recorded(settle_answer(store, verdict, Answer(said.approve, said.who.strip(), said.why.strip())))


def question(passed: Verdict, verdict: ManifestId, waiting: Entry) -> str:
    """What a person needs to know before the answer; markdown."""
    return "\n".join(
        [
            f"## Shall this model become the champion of {passed.registered}?",
            "",
            passed.decision.reason,
            "",
            f"- verdict: `{verdict}` (`backsight lineage {verdict[:20]}` tells where it comes from)",
            f"- challenger: `{passed.checkpoint}`",
            f"- champion now: `{passed.champion or 'none'}`",
            f"- without an answer by {waiting.awaits} the champion stays",
        ]
    )


def recorded(entry: Entry | None) -> State[Any]:
    """What came of it, as the flow run's final state."""
    if entry is None:
        return Completed(message="Nothing waits any more: the answer is in the ledger already.")
    moved = "is champion now" if entry.act is Act.APPROVAL else "is not promoted; the champion stays"
    return Completed(message=f"{entry.act}: {entry.checkpoint[:24]} {moved} ({entry.by}: {entry.why})")


def ask_if_needed(store: ArtefactStore, verdict: ManifestId) -> datetime | None:
    """Put the question on a verdict that waits, and the run that ends the waiting; until when. Twice is once."""
    waiting = awaiting(Ledger(store, read_verdict(store, verdict).registered), verdict)
    if waiting is None:
        return None
    until = datetime.fromisoformat(waiting.awaits)
    submit("approval", verdict, None)
    submit("approval-expiry", verdict, until + SLACK)
    return until


def submit(name: str, verdict: ManifestId, when: datetime | None) -> None:
    """A run of one of the two deployments here, once a verdict."""
    run_deployment(
        f"{name}/{name}",
        parameters={"verdict": verdict},
        scheduled_time=when,
        flow_run_name=f"{name} {verdict[:20]}",
        idempotency_key=f"{name}:{verdict}",
        timeout=0,
        as_subflow=False,
    )
