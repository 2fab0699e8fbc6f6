"""What the reconciler makes of two readings."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.reconcile.decide import (
    ADOPTION,
    CANCELLING_FOR,
    FINAL,
    REMEMBERED,
    SETTLING,
    SUBMITTING,
    UNFINISHED,
    Act,
    FlowJob,
    Reading,
    Run,
    StageJob,
    decide,
    suspicions,
)

NOW = 1_000_000.0


def reading(*things: Run | FlowJob | StageJob, at: float = NOW) -> Reading:
    return Reading(
        at,
        {thing.id: thing for thing in things if isinstance(thing, Run)},
        tuple(thing for thing in things if isinstance(thing, FlowJob)),
        tuple(thing for thing in things if isinstance(thing, StageJob)),
    )


def run(state: str, age: float) -> Run:
    return Run("r1", state, NOW - age)


ALIVE, DEAD = FlowJob("j1", "r1", True), FlowJob("j1", "r1", False)


@pytest.mark.parametrize(
    ("things", "act"),
    [
        ((run("RUNNING", 11),), Act.CRASH),
        ((run("RUNNING", 11), DEAD), Act.CRASH),
        ((run("RUNNING", 11), ALIVE), None),
        ((run("RUNNING", 5),), None),
        ((run("PENDING", 20),), None),
        ((run("PENDING", 46),), Act.RESCHEDULE),
        ((run("PENDING", 46), ALIVE), None),
        ((run("PENDING", 46), DEAD), Act.CRASH),
        ((run("CANCELLING", 11),), Act.SETTLE),
        ((run("CANCELLING", 11), ALIVE), None),
        ((run("CANCELLING", CANCELLING_FOR + 1), ALIVE), Act.END_RUN),
        ((run("COMPLETED", 11), ALIVE), Act.END_RUN),
        ((run("CANCELLED", 11), ALIVE), Act.END_RUN),
        ((run("CANCELLED", 11), DEAD), None),
        ((ALIVE,), Act.END_RUN),
        ((run("RUNNING", 11), ALIVE, StageJob("s", "r1", True, NOW)), None),
        ((run("CANCELLED", 11), StageJob("s", "r1", True, NOW)), Act.END_STAGE),
        ((run("CRASHED", 11), StageJob("s", "r1", True, NOW)), None),
        ((run("CRASHED", ADOPTION + 1), StageJob("s", "r1", True, NOW)), Act.END_STAGE),
        ((StageJob("s", "r1", True, NOW),), Act.END_STAGE),
        ((StageJob("s", None, True, NOW),), None),
        ((StageJob("s", "r1", False, NOW - 10),), None),
        ((StageJob("s", None, False, NOW - REMEMBERED - 1),), Act.FORGET),
    ],
)
def test_one_disagreement_asks_for_one_act(things: tuple[Run | FlowJob | StageJob, ...], act: Act | None) -> None:
    assert [step.act for step in suspicions(reading(*things))] == ([act] if act else [])


RUNS = st.builds(
    Run, st.sampled_from("abc"), st.sampled_from([*UNFINISHED, *sorted(FINAL)]), st.floats(NOW - 1000, NOW)
)
FLOW_JOBS = st.builds(FlowJob, st.sampled_from(["j1", "j2", "j3"]), st.sampled_from("abc"), st.booleans())
STAGES = st.builds(
    StageJob, st.sampled_from(["s1", "s2"]), st.sampled_from(["a", "b", None]), st.booleans(), st.just(NOW - 500)
)
READINGS = st.builds(
    lambda *groups: reading(*(thing for group in groups for thing in group)),
    st.lists(RUNS, max_size=3, unique_by=lambda run: run.id),
    st.lists(FLOW_JOBS, max_size=3, unique_by=lambda job: job.name),
    st.lists(STAGES, max_size=2, unique_by=lambda stage: stage.name),
)
few = settings(max_examples=50, deadline=None)


@few
@given(READINGS)
def test_one_reading_alone_decides_nothing(now: Reading) -> None:
    assert decide(None, now) == []
    assert decide(reading(), now) == []


@few
@given(READINGS, READINGS)
def test_only_what_both_readings_ask_for_is_done(before: Reading, now: Reading) -> None:
    steps = decide(before, now)
    assert set(steps) == set(suspicions(before)) & set(suspicions(now))
    assert len(steps) == len(set(steps))


@few
@given(READINGS)
def test_nobody_who_lives_is_declared_dead(now: Reading) -> None:
    alive = {job.run for job in now.flow_jobs if job.alive}
    for step in decide(now, replace(now, at=now.at + 1)):
        if step.act in (Act.CRASH, Act.SETTLE, Act.RESCHEDULE):
            assert step.target not in alive
        if step.act is Act.END_STAGE:
            stage = next(s for s in now.stage_jobs if s.name == step.target)
            owner = now.runs.get(stage.owner or "")
            assert owner is None or owner.state in FINAL


def test_a_zombie_ends_within_a_minute() -> None:
    from flows.reconcile.__main__ import EVERY

    assert 2 * EVERY + SETTLING < 60 and SUBMITTING + 2 * EVERY < 90
