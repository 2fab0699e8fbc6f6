"""Lines of a log that is read again and again: each comes once, in order, whatever the reads overlap."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.launch import Progress
from flows.launch.timed_lines import Shares, TimedLines, utc

NANOSECONDS = st.lists(st.integers(0, 3_000_000_000), max_size=20).map(sorted)


def stamp(nanoseconds: int) -> str:
    return f"2026-11-23T10:00:{nanoseconds // 10**9:02d}.{nanoseconds % 10**9:09d}Z"


@given(NANOSECONDS, st.lists(st.integers(0, 20)))
def test_each_line_comes_once_however_the_log_is_read(times: list[int], looks: list[int]) -> None:
    log = [f"{stamp(at)} line {number}" for number, at in enumerate(times)]
    reader, found = TimedLines(), []
    for upto in [*sorted(looks), len(log)]:
        since = (reader.since or "").removesuffix("Z")
        found += reader.new("\n".join(line for line in log[:upto] if line >= since))
    assert found == [f"line {number}" for number in range(len(log))]


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("2026-11-23T10:00:00Z", "2026-11-23T10:00:00.000000000"),
        ("2026-11-23T10:00:00.5Z", "2026-11-23T10:00:00.500000000"),
        ("2026-11-23T12:00:00.000000001+02:00", "2026-11-23T10:00:00.000000001"),
        ("2026-11-22T23:30:00-10:30", "2026-11-23T10:00:00.000000000"),
        ("unable", None),
        ("", None),
    ],
)
def test_times_of_any_zone_compare(text: str, same: str | None) -> None:
    assert utc(text) == same


def test_the_platforms_own_words_are_no_line() -> None:
    lines = TimedLines()
    assert lines.new("2026-11-23T12:00:00+02:00 one\nunable to retrieve container logs for containerd://x") == ["one"]
    assert lines.since == "2026-11-23T09:59:59Z"
    assert lines.new("2026-11-23T12:00:00+02:00 one\n2026-11-23T12:00:01+02:00 two") == ["two"]


def test_a_line_of_the_other_stream_may_come_late() -> None:
    lines = TimedLines()
    assert lines.new("2026-11-23T10:00:01.2Z out") == ["out"]
    assert lines.new("2026-11-23T10:00:01.2Z out\n2026-11-23T10:00:01.1Z err") == ["err"]
    assert lines.new("2026-11-23T10:00:01.2Z out\n2026-11-23T10:00:01.1Z err\n2026-11-23T10:00:01.1Z err") == ["err"]


def test_shares_of_one_work_are_one_progress() -> None:
    shares = Shares(4)
    assert shares.merged(0, Progress("collect", 2, 10, "walk", 5.0)).total == 40
    both = shares.merged(1, Progress("collect", 3, 20, "walk", 9.0))
    assert (both.done, both.total, both.eta_s, both.detail["pods"]) == (5, 60, 9.0, "2 of 4")
    assert shares.merged(1, Progress("draw", 1, None)).total is None
    alone = Progress("train", 1, 3)
    assert Shares(1).merged(0, alone) is alone
