"""Progress as JSON lines, plain lines and a bar."""

from __future__ import annotations

import io
import json

import pytest

from tasks.progress import Bar, JsonLines, PlainLines, Progress, Rendering, Track, clock_time, open_progress


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def walk(rendering: Rendering, steps: int, seconds: float) -> None:
    clock = Clock()
    with Progress(rendering, clock).track("frames", steps, "frames") as track:
        for i in range(steps):
            clock.now += seconds
            track.advance(loss=1 / (i + 1))


def test_json_lines_are_few_and_complete() -> None:
    out = io.StringIO()
    walk(JsonLines(out), steps=100, seconds=0.05)
    lines = [json.loads(line)["progress"] for line in out.getvalue().splitlines()]
    assert lines[0]["done"] == 0 and lines[-1]["done"] == 100
    assert len(lines) <= 5 / 0.25 + 2
    half = next(line for line in lines if line["done"] >= 50)
    assert half["eta_s"] == pytest.approx((100 - half["done"]) * 0.05, abs=0.06)
    assert set(half) == {"label", "done", "total", "unit", "eta_s", "detail"}
    assert half["detail"]["loss"] == pytest.approx(1 / half["done"])
    assert lines[0]["eta_s"] is None


def test_plain_lines_come_every_two_seconds() -> None:
    out = io.StringIO()
    walk(PlainLines(out), steps=50, seconds=0.2)
    lines = out.getvalue().splitlines()
    assert lines[0] == "frames: 0 of 50 frames (0 %), ? to go"
    assert lines[-1] == "frames: 50 of 50 frames (100 %), in 0:10 · loss 0.02"
    assert len(lines) <= 10 / 2 + 2
    assert "10 of 50 frames (20 %), 0:08 to go" in lines[1]


def test_a_total_of_nothing_is_no_error() -> None:
    for rendering in (JsonLines(io.StringIO()), PlainLines(io.StringIO()), Bar()):
        with Progress(rendering).track("nothing", 0, "frames"):
            pass


def test_the_bar_shows_label_count_and_detail(capsys: pytest.CaptureFixture[str]) -> None:
    walk(Bar(), steps=7, seconds=1)
    shown = capsys.readouterr().err
    assert "frames" in shown and "7/7" in shown and "loss 0.1429" in shown


def test_a_failure_passes_through() -> None:
    with pytest.raises(KeyError), Progress(PlainLines(io.StringIO())).track("x", 1, "y"):
        raise KeyError


def test_the_launcher_chooses_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BACKSIGHT_PROGRESS", "json")
    assert isinstance(open_progress().rendering, JsonLines)
    monkeypatch.delenv("BACKSIGHT_PROGRESS")
    assert isinstance(open_progress().rendering, PlainLines)


@pytest.mark.parametrize(("seconds", "shown"), [(None, "?"), (0.4, "0:00"), (59.6, "1:00"), (3723, "1:02:03")])
def test_times_read_as_on_a_clock(seconds: float | None, shown: str) -> None:
    assert clock_time(seconds) == shown


def test_no_rate_before_something_is_done() -> None:
    assert Track("a", 5, "x", paint=lambda track, last: None).eta_s is None
