"""Parsing of what tasks write, and the diagnosis of how they ended."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.launch.contract import Cause, JobState, LogLine, Progress
from flows.launch.diagnosis import Remains, diagnose
from flows.launch.lines import Tail, last_lines, parse


@given(
    label=st.text(),
    done=st.integers(0, 10**6),
    total=st.none() | st.integers(0, 10**6),
    eta=st.none() | st.floats(0, 1e6),
)
def test_progress_survives_the_wire(label: str, done: int, total: int | None, eta: float | None) -> None:
    told = {"label": label, "done": done, "total": total, "unit": "step", "eta_s": eta, "detail": {}}
    assert parse(json.dumps({"progress": told})) == Progress(label, done, total, "step", eta, {})


@pytest.mark.parametrize("line", ["", "plain", '{"progress": 3}', '{"progress": {"label": "x"}}', '{"progress": {'])
def test_what_only_looks_like_progress_stays_a_line(line: str) -> None:
    assert parse(line) == LogLine(line)


@given(text=st.binary(max_size=200), cuts=st.lists(st.integers(0, 200), max_size=5))
def test_a_tail_gives_every_line_once_however_the_file_grows(text: bytes, cuts: list[int], tmp_path_factory) -> None:  # noqa: ANN001
    path: Path = tmp_path_factory.mktemp("tail") / "log"
    path.touch()
    tail, lines, written = Tail(path), [], 0
    for cut in [*sorted(cuts), len(text)]:
        with path.open("ab") as file:
            file.write(text[written : max(cut, written)])
        written = max(cut, written)
        lines += tail.new_lines()
    lines += tail.last_line()
    whole = text.split(b"\n")
    expected = [*(part.decode(errors="replace").rstrip("\r") for part in whole[:-1])]
    expected += [whole[-1].decode(errors="replace")] if whole[-1] else []
    assert lines == expected


def test_the_last_lines_of_a_long_file(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("\n".join(map(str, range(100_000))))
    assert last_lines(path, count=2) == ["99998", "99999"]


def remains(exit_code: int | None, *lines: str, **more: object) -> Remains:
    return Remains("joint", 12.0, exit_code, lines, **more)  # type: ignore[arg-type]


def test_the_kernels_kill_is_out_of_memory() -> None:
    assert diagnose(remains(137, kernel_killed=True)).cause is Cause.OUT_OF_MEMORY
    assert diagnose(remains(137, kernel_killed=False)).cause is Cause.KILLED
    assert diagnose(remains(1, "error: no", kernel_killed=True)).cause is Cause.TASK


def test_a_killed_rank_is_named() -> None:
    told = diagnose(remains(1, "traceback : Signal 9 (SIGKILL) received by PID 4711"))
    assert told.cause is Cause.KILLED and "SIGKILL" in (told.sentence or "")


def test_a_ranks_error_line_is_found_behind_torchruns_prefix() -> None:
    assert diagnose(remains(1, "[rank0]:error: Shard 3 is truncated.", "noise")).sentence == "Shard 3 is truncated."


def test_a_result_written_before_the_deadline_counts() -> None:
    assert diagnose(remains(0, has_result=True, stopped_for=Cause.DEADLINE)).state is JobState.SUCCEEDED


@given(
    exit_code=st.none() | st.integers(0, 255),
    lines=st.lists(st.text()),
    has_result=st.booleans(),
    said=st.none() | st.text(min_size=1),
)
def test_every_end_has_a_verdict_and_every_failure_a_sentence(
    exit_code: int | None, lines: list[str], has_result: bool, said: str | None
) -> None:
    told = diagnose(remains(exit_code, *lines, has_result=has_result, said=said))
    succeeded = exit_code in (0, None) and has_result and said is None
    assert (told.state is JobState.SUCCEEDED) == succeeded
    assert bool(told.sentence) != succeeded
