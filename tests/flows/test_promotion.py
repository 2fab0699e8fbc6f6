"""The question on Prefect's page, on a real stack: answered by a person, or by nobody in time."""

from __future__ import annotations

import subprocess
import sys
import urllib.error
import urllib.request
from typing import Any

import pytest

from tasks.promote.ledger import Act, Entry, Ledger
from tasks.promote.promote import promote
from tasks.promote.spec import Policy, PromoteSpec
from tasks.settings import StoreSettings
from tasks.spec import ManifestId
from tasks.stage import execute
from tasks.store import ArtefactStore, open_store
from tests.local_stack import LocalStack, wait_for
from tests.promotions import publish_checkpoint, publish_evaluation

SOON = 12 / 3600
"""Hours."""
ASK = (
    "import sys; from flows.cli.prefect_client import use_prefect; use_prefect();"
    "from flows.promotion import ask_if_needed; from tasks.store import open_store;"
    "[ask_if_needed(open_store(), verdict) for verdict in sys.argv[1:] for twice in range(2)]"
)


@pytest.fixture
def store(stack: LocalStack, monkeypatch: pytest.MonkeyPatch) -> ArtefactStore:
    """The stack's own store, configured for this process too; MLflow is left out, as rollback's drill covers it."""
    for name, value in {**stack.environment(), **stack.settings()}.items():
        monkeypatch.setenv(name, value)
    return open_store(StoreSettings.load())


def winner(store: ArtefactStore, name: str, hours: float) -> tuple[ManifestId, ManifestId]:
    """The checkpoint and the verdict of a winner that waits."""
    checkpoint = publish_checkpoint(store, name)
    policy = Policy(resamples=1000, people="ask", answer_hours=hours)
    evaluation = publish_evaluation(store, checkpoint, 0.1)
    result = execute(PromoteSpec(evaluation=evaluation, policy=policy, registered=name), promote)
    return checkpoint, result.outputs["verdict"]


def asked(stack: LocalStack, verdict: ManifestId) -> dict[str, Any] | None:
    """The flow run that asks about a verdict, once it is suspended."""
    runs = stack.prefect("flow_runs/filter", {"flow_runs": {"name": {"any_": [f"approval {verdict[:20]}"]}}})
    assert len(runs) <= 1, "asking twice makes one question"
    return next((run for run in runs if run["state"]["name"] == "Suspended"), None)


def has_form(stack: LocalStack, run: str) -> bool:
    """Whether the page can draw the form: the flow run leaves it right after it was suspended."""
    try:
        at = f"{stack.settings()['PREFECT_API_URL']}/flow_runs/{run}/input/suspended-approval-schema"
        urllib.request.urlopen(at, timeout=20).close()
    except urllib.error.HTTPError as error:
        error.close()
        return False
    return True


def last(store: ArtefactStore, name: str, act: Act) -> Entry | None:
    """The newest entry of a ledger, if it is of this sort."""
    head = Ledger(store, name).head()
    return head.entry if head and head.entry.act is act else None


def test_a_person_answers_on_the_page_and_silence_keeps_the_champion(stack: LocalStack, store: ArtefactStore) -> None:
    assert stack.backsight("deploy").returncode == 0
    silent, unanswered = winner(store, "unanswered", SOON)
    checkpoint, verdict = winner(store, "answered", 24)
    put = subprocess.run(
        [sys.executable, "-c", ASK, verdict, unanswered], env=stack.environment(), capture_output=True, text=True
    )
    assert put.returncode == 0, put.stderr
    run = wait_for(lambda: asked(stack, verdict), 300)
    wait_for(lambda: has_form(stack, run["id"]), 300)
    wrong = stack.prefect(f"flow_runs/{run['id']}/resume", {"run_input": {"approve": True, "who": "", "why": "x"}})
    assert wrong["status"] == "REJECT" and store.ref("champion", "answered") is None
    form = {"approve": True, "who": "Ada", "why": "looks right on the floor"}
    taken = stack.prefect(f"flow_runs/{run['id']}/resume", {"run_input": form})
    assert taken["status"] == "ACCEPT", taken
    entry = wait_for(lambda: last(store, "answered", Act.APPROVAL), 300)
    assert (entry.by, entry.why, entry.champion) == ("Ada", "looks right on the floor", checkpoint)
    wait_for(lambda: store.ref("champion", "answered") == checkpoint, 300)
    expired = wait_for(lambda: last(store, "unanswered", Act.EXPIRY), 300)
    assert expired.champion is None and expired.checkpoint == silent and "no answer by" in expired.why
