"""Histories as files, synthetic ones, and the log of decisions in the store."""

from __future__ import annotations

import math
import threading
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flows.cli import invoke
from tasks.errors import DataError, UsageError
from tasks.monitor.events import DAY, Event, NightAsked, NightEnded, Rule, Window
from tasks.monitor.histories import Noise
from tasks.monitor.history import read_history, replay, write_history
from tasks.monitor.log import DecisionLog
from tasks.monitor.page import explain, line
from tasks.monitor.policy import TriggerPolicy
from tasks.monitor.simulate import most_within, run
from tasks.store import ArtefactStore

POLICY = TriggerPolicy()


def bad(day: float, **what: object) -> Window:
    told = {"drift": 0.6, "drift_p": 0.002, "loss": 0.1, "loss_se": 0.01, "episodes": 200, **what}
    return Window(at=1e9 + day * DAY, data=f"data {day}", views=f"views {day}", **told)  # type: ignore[arg-type]


EVENTS: list[Event] = [
    bad(0),
    bad(1, drift=None, loss=None),
    bad(2),
    NightAsked(1e9 + 2.1 * DAY, "drift-1"),
    NightEnded(1e9 + 2.3 * DAY, "drift-1", 4.0, True),
    bad(3, passed=False, fault="blurred"),
]


def test_a_history_survives_its_file(tmp_path: Path) -> None:
    write_history(EVENTS, tmp_path / "history.parquet")
    assert read_history(tmp_path / "history.parquet") == EVENTS


def test_a_replay_gives_the_same_decisions_every_time(tmp_path: Path) -> None:
    write_history(EVENTS, tmp_path / "history.parquet")
    first = list(replay(POLICY, EVENTS))
    assert first == list(replay(POLICY, read_history(tmp_path / "history.parquet")))
    assert [d.rule for d in first][-1] is Rule.QUALITY


def test_in_a_history_without_ends_retrainings_end_by_themselves() -> None:
    decisions = list(replay(POLICY, [bad(day) for day in range(40)]))
    assert [d.rule for d in decisions].count(Rule.CONFIRMED) == 3  # rests of 10 and 20 days lie between
    assert Rule.IN_FLIGHT not in {d.rule for d in decisions}


def test_simulate_and_its_sentences(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_history([bad(day) for day in range(5)], tmp_path / "history.parquet")
    assert invoke(["monitor", "simulate", str(tmp_path / "history.parquet")]) == 0
    told = capsys.readouterr().out.splitlines()
    assert "CONFIRMED" in told[0] and told[-1] == "5 events: CONFIRMED 1, COOLDOWN 3, QUIET 1"
    assert invoke(["monitor", "simulate"]) == 2
    assert invoke(["monitor", "simulate", str(tmp_path / "none.parquet")]) == 2


WINDOW = {"at": [1e9], "data": ["a"]}


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"at": [], "data": []}, "holds no event"),
        ({"data": ["a"]}, "'at' is missing"),
        ({**WINDOW, "drift": [math.nan]}, "row 0: drift is not a number"),
        ({**WINDOW, "loss": [math.inf]}, "loss is infinite"),
        ({**WINDOW, "drift": [-0.1]}, "drift is -0.1, which cannot be negative"),
        ({**WINDOW, "colour": ["red"]}, "a window has no colour"),
        ({**WINDOW, "event": ["noon"]}, "'noon' is no event"),
    ],
)
def test_a_file_that_is_no_history_is_refused_by_row(tmp_path: Path, table: dict, said: str) -> None:
    path = tmp_path / "history.parquet"
    pq.write_table(pa.table(table), path)
    with pytest.raises(DataError, match=said):
        read_history(path)


def test_a_broken_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "history.parquet"
    path.write_bytes(b"no parquet")
    with pytest.raises(DataError, match="no whole Parquet file"):
        read_history(path)
    with pytest.raises(UsageError, match="There is no history"):
        read_history(tmp_path / "none")


def test_the_promises_hold_on_a_few_histories_of_each_kind() -> None:
    """The table over 1,000 seeds of each is in docs/monitor.md."""
    rows = run(POLICY, Noise(), seeds=8)
    assert all(row.met for row in rows), rows


def test_a_trigger_without_confirmation_would_break_them() -> None:
    """The simulation can tell a bad policy from a good one."""
    hasty = POLICY.model_copy(update={"votes": 1, "drift_enter": 0.02, "drift_exit": 0.01, "alpha": 0.49})
    hasty = hasty.model_copy(update={"loss_enter": 1e-3, "loss_exit": 0.0, "confidence": 0.501, "cooldown_days": 1.0})
    broken = {row.asked for row in run(hasty, Noise(), seeds=3) if not row.met}
    assert "<= 1 false retraining a year" in broken and "<= 2 firings in any 30 days" in broken


def test_the_largest_sum_within_a_span() -> None:
    assert most_within([(0, 1), (5, 2), (10, 4), (30, 1)], 10) == 6
    assert most_within([], 10) == 0


def test_the_log_remembers_explains_and_tells_twice_once(store: ArtefactStore) -> None:
    log = DecisionLog(store, "backsight")
    for event in EVENTS[:3]:
        logged = log.tell(POLICY, event, facts={"drift": ["images: 0.6"]})
    assert log.tell(POLICY, EVENTS[2]).id == logged.id
    assert [entry.number for entry in log.entries()] == [2, 1, 0]
    assert logged.decision.rule is Rule.CONFIRMED and logged.decision == log.read(logged.id).decision
    told = explain(logged)
    assert told.startswith("retraining starts: drift 0.600") and "images: 0.6" in told
    assert "met  drifted windows of the last 3: 2" in told
    assert "CONFIRMED" in line(logged.decision)
    assert list(replay(POLICY, EVENTS[:3]))[-1] == logged.decision


def test_two_who_tell_at_once_are_both_heard(store: ArtefactStore) -> None:
    def tell(number: int) -> None:
        DecisionLog(store, "backsight").tell(POLICY, NightAsked(1e9 + number, f"night {number}"))

    threads = [threading.Thread(target=tell, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    entries = list(DecisionLog(store, "backsight").entries())
    assert sorted(entry.number for entry in entries) == [0, 1, 2, 3]
    assert [e.decision.rule for e in entries].count(Rule.SCHEDULED) == 1


def test_explain_before_the_first_decision(store: ArtefactStore, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["monitor", "explain"]) == 2
    assert "No decision has been taken yet" in capsys.readouterr().err
    DecisionLog(store, "backsight").tell(POLICY, bad(0))
    assert invoke(["monitor", "explain"]) == 0
    assert capsys.readouterr().out.startswith("nothing is started: drift 0.600")
    assert invoke(["monitor", "explain", "--last", "5"]) == 0
    assert "QUIET" in capsys.readouterr().out
