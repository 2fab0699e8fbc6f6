"""Attempts at a child, what a night leaves behind, and how its cost is told."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from flows.children import first_attempt
from flows.labels import NightFacts, StageFacts
from flows.record import Line, NightRecord, Turn
from flows.report import cost
from tasks.store import ArtefactStore, Blob, Manifest


def line(step: str, seconds: float, product: str = "dataset/" + "a" * 64) -> Line:
    turn = Turn.RAN if seconds else Turn.KNOWN
    return Line(step=step, turn=turn, seconds=seconds, key="k", product=product, run_id=None)


def record(*lines: Line, wall: float = 100.0) -> NightRecord:
    return NightRecord(preset="tiny", seed=1, lines=lines, wall=wall, run_id=None, flow_run_id="f")


@given(bad=st.integers(0, 20), then=st.sampled_from([None, False]))
def test_a_child_is_made_anew_only_after_those_that_ended_badly(bad: int, then: bool | None) -> None:
    assert first_attempt([True] * bad + [then, None]) == bad


def test_the_cost_is_the_share_of_the_night_in_which_stages_worked() -> None:
    told = cost(record(line("collect", 60), line("validate", 0), line("joint", 30)))
    assert "90.0 s of the night's 100.0 s, a share of 0.90" in told


def test_a_night_of_hits_says_that_nothing_was_launched() -> None:
    told = cost(record(line("collect", 0), line("validate", 0), wall=9.5))
    assert told.startswith("Nothing was launched") and "9.5 s" in told


def test_a_record_survives_the_store(store: ArtefactStore) -> None:
    blob: Blob = store.put_blob(b"walks")
    dataset = store.publish(Manifest(kind="dataset", blobs={"x": blob}, inputs={}, meta={}))
    kept = record(line("collect", 60, dataset))
    id = kept.publish(store)
    assert NightRecord.read(store, id) == kept
    assert store.manifest(id).inputs == {"collect": dataset}


@given(key=st.text(), seconds=st.floats(0, 1e6))
def test_facts_survive_as_labels(key: str, seconds: float) -> None:
    assert StageFacts.read(StageFacts(key, seconds).labels()) == StageFacts(key, seconds)
    assert StageFacts.read({}) is None


@given(seed=st.none() | st.integers(0), run=st.none() | st.text(), kept=st.none() | st.text())
def test_a_nights_facts_survive_as_labels(seed: int | None, run: str | None, kept: str | None) -> None:
    assert NightFacts.read(NightFacts(seed, run, kept).labels()) == NightFacts(seed, run, kept)
