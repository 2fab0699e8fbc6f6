"""What an answer, no answer, a late one and one that fits no more do to the ledger."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.promote.approval import Answer, answered, awaiting, settle_answer
from tasks.promote.gate import Ruling
from tasks.promote.ledger import Act, Entry, Ledger
from tasks.promote.promote import promote
from tasks.promote.spec import Policy, PromoteSpec
from tasks.spec import ManifestId
from tasks.stage import execute
from tasks.store import ArtefactStore
from tests.promotions import publish_checkpoint, publish_evaluation

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
OLD, NEW, OTHER = (f"checkpoint/{letter * 64}" for letter in "abc")
YES = Answer(True, "Ada", "looks right on the floor")


def waiting(hours: float) -> Entry:
    until = (NOW + timedelta(hours=hours)).isoformat()
    return Entry(
        verdict=f"verdict/{'d' * 64}",
        checkpoint=NEW,
        ruling=Ruling.PROMOTE,
        champion=OLD,
        by="gate",
        at="",
        awaits=until,
    )


@given(
    hours=st.floats(-5, 5).filter(lambda h: abs(h) > 0.01),
    answer=st.none() | st.builds(Answer, st.booleans(), st.just("Ada"), st.just("because")),
    champion=st.sampled_from([OLD, OTHER]),
)
def test_only_a_timely_yes_that_still_fits_moves_the_champion(
    hours: float, answer: Answer | None, champion: str
) -> None:
    head = waiting(hours).model_copy(update={"champion": champion})
    entry = answered(waiting(hours), head, OLD, answer, NOW)
    moved = answer is not None and answer.approve and hours > 0 and champion == OLD
    assert (entry.act is Act.APPROVAL) == moved == (entry.champion == NEW)
    assert entry.former == (OLD if moved else None) and (moved or entry.champion == champion)
    assert entry.why and entry.by
    assert (entry.act is Act.EXPIRY) == (answer is None or hours < 0)


@pytest.fixture
def asked(store: ArtefactStore) -> tuple[ManifestId, ManifestId]:
    """A winner that waits: its checkpoint and its verdict."""
    checkpoint = publish_checkpoint(store, "asked")
    policy = Policy(resamples=1000, people="ask", answer_hours=2)
    spec = PromoteSpec(evaluation=publish_evaluation(store, checkpoint, 0.1), policy=policy, registered="asked")
    return checkpoint, execute(spec, promote).outputs["verdict"]


def test_a_winner_waits_and_an_approval_promotes_it(store: ArtefactStore, asked: tuple[ManifestId, ManifestId]) -> None:
    checkpoint, verdict = asked
    ledger = Ledger(store, "asked")
    assert awaiting(ledger, verdict) and store.ref("champion", "asked") is None
    entry = settle_answer(store, verdict, YES)
    assert entry and (entry.act, entry.by, entry.why) == (Act.APPROVAL, "Ada", "looks right on the floor")
    assert store.ref("champion", "asked") == checkpoint
    assert settle_answer(store, verdict, None) is None and settle_answer(store, verdict, YES) is None
    assert [w.entry.act for w in ledger.entries()] == [Act.APPROVAL, Act.VERDICT]


def test_a_refusal_is_kept_with_its_reason(store: ArtefactStore, asked: tuple[ManifestId, ManifestId]) -> None:
    entry = settle_answer(store, asked[1], Answer(False, "Grace", "too slow"))
    assert entry and (entry.act, entry.champion, entry.why) == (Act.REFUSAL, None, "too slow")
    assert store.ref("champion", "asked") is None
