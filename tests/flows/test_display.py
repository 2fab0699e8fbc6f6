"""What a watched run looks like in the terminal."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator
from dataclasses import replace

import pytest

from flows.cli import watch
from flows.cli.display import Bars, PlainLines
from flows.cli.snapshot import Bar, Run, Snapshot
from flows.workers import Lookout
from tasks.errors import BacksightError

NIGHT = Run("n", "night", "nightly", "Running", "", False, False, {})
COLLECT = Run("c", "collect tiny 1", "collect", "Running", "", False, False, {})


def with_bar(percent: float, description: str) -> Snapshot:
    return Snapshot(NIGHT, (replace(COLLECT, bars=(Bar("b", percent, description),)),))


def plain(snapshots: list[tuple[float, Snapshot]]) -> list[str]:
    stream, now = io.StringIO(), [0.0]
    display = PlainLines(stream, lambda: now[0])
    for now[0], snapshot in snapshots:
        display.show(snapshot)
    return stream.getvalue().splitlines()


def test_states_and_lines_are_told_once() -> None:
    first = Snapshot(replace(NIGHT, state="Scheduled"))
    told = plain([(0, first), (1, Snapshot(NIGHT, (), ("collect: launched",))), (2, Snapshot(NIGHT, (COLLECT,)))])
    assert told == ["collect: launched", "night: running", "collect tiny 1: running"]


def test_a_plain_bar_is_told_every_few_seconds_and_at_its_end() -> None:
    told = plain([(t, with_bar(t * 10, f"walks: {t} of 10")) for t in range(11)])
    assert told[2:] == [
        "collect   0 % · walks: 0 of 10",
        "collect  50 % · walks: 5 of 10",
        "collect 100 % · walks: 10 of 10",
    ]


def test_bars_move_on_a_terminal() -> None:
    from rich.console import Console
    from rich.progress import Progress

    screen = io.StringIO()
    with Progress(console=Console(file=screen, force_terminal=True)) as progress:
        display = Bars(progress)
        display.show(with_bar(10, "walks: 1 of 10"))
        display.show(with_bar(100, "walks: 10 of 10 [loss]"))
        assert [task.completed for task in progress.tasks] == [100]
        display.show(Snapshot(NIGHT, (), ("validate: [launched]",)))
    assert "validate: [launched]" in screen.getvalue()


def ending_as(state: str, message: str) -> Iterator[Snapshot]:
    yield Snapshot(replace(NIGHT, state="Scheduled"))
    yield Snapshot(NIGHT)
    yield Snapshot(replace(NIGHT, state=state, message=message, final=True, succeeded=state == "Completed"))


@pytest.mark.parametrize("state", ["Failed", "Crashed", "Cancelled"])
def test_a_run_that_failed_gives_its_own_sentence(state: str) -> None:
    shots = ending_as(state, "validate failed: Shard 3 is truncated.")
    run = watch.follow(lambda: next(shots), PlainLines(io.StringIO()), pause=lambda _: None)
    with pytest.raises(BacksightError, match=r"^validate failed: Shard 3 is truncated\.$"):
        watch.conclude(run)


def test_a_run_that_succeeded_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    shots = ending_as("Completed", "succeeded in 3.0 s")
    watch.conclude(watch.follow(lambda: next(shots), PlainLines(io.StringIO()), pause=lambda _: None))
    assert capsys.readouterr().out == "night: succeeded in 3.0 s\n"


def test_a_run_that_nobody_takes_is_worth_one_word(capsys: pytest.CaptureFixture[str]) -> None:
    waiting = [Snapshot(replace(NIGHT, state="Late"))] * 40
    shots = iter([*waiting, *ending_as("Completed", "")])
    watch.follow(lambda: next(shots), PlainLines(io.StringIO()), pause=lambda _: None)
    assert capsys.readouterr().err.count("No worker has taken the run yet") == 1


def test_a_run_that_waits_without_any_worker_is_not_watched_for_ever() -> None:
    waiting = Snapshot(replace(NIGHT, state="Pending"))
    ticks = itertools.count()
    lookout = Lookout(lambda: False, patience=30.0, clock=lambda: float(next(ticks)))
    with pytest.raises(BacksightError, match=r"waits, and no worker has been heard from for 30 s.*`backsight up`"):
        watch.follow(lambda: waiting, PlainLines(io.StringIO()), lookout, pause=lambda _: None)
    assert 30 <= next(ticks) < 40


def test_a_lookout_forgives_a_worker_that_comes_back() -> None:
    now, alive = [0.0], [True]
    lookout = Lookout(lambda: alive[0], patience=30.0, clock=lambda: now[0])

    def at(second: float, somebody: bool, waits: bool = True) -> bool:
        now[0], alive[0] = second, somebody
        return lookout.abandoned(waits)

    assert not at(0, True) and not at(10, False) and not at(39, False)
    assert not at(45, True) and not at(50, False) and not at(79, False) and at(80, False)
    assert not at(81, False, waits=False) and not at(90, False)
