"""What is shown of a running task on Prefect's page."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import httpx
from hypothesis import given
from hypothesis import strategies as st

from flows.board import EVERY_SECONDS, Board, described_in_full, percent, result_markdown, slug
from flows.launch import LogLine, Progress
from flows.live import LiveQuality


@dataclass
class PaperBars:
    drawn: list[tuple[str, float, str]] = field(default_factory=list)
    broken: bool = False

    def create(self, key: str, percent: float, description: str) -> str:
        self.update(key, percent, description)
        return key

    def update(self, bar: str, percent: float, description: str) -> None:
        if self.broken:
            raise httpx.ConnectError("no server")
        self.drawn.append((bar, percent, description))


@dataclass
class Scene:
    said: list[str] = field(default_factory=list)
    warned: list[str] = field(default_factory=list)
    bars: PaperBars = field(default_factory=PaperBars)
    pages: list[str] = field(default_factory=list)
    now: float = 0.0

    def board(self) -> Board:
        return Board("collect", self.said.append, self.warned.append, self.bars, lambda: self.now, self.publish)

    def publish(self, key: str, page: str, title: str) -> None:
        assert key == "collect-live" and title in page
        self.pages.append(page)


def test_lines_are_logged_and_blank_ones_are_not() -> None:
    scene = Scene()
    for text in ("hello", "", "  ", "there"):
        scene.board().show(LogLine(text))
    assert scene.said == ["hello", "there"]


def test_a_bar_is_drawn_at_once_then_at_most_once_a_second_and_when_it_is_full() -> None:
    scene = Scene()
    board = scene.board()
    for done, now in [(0, 0.0), (1, 0.2), (2, 0.9), (3, 1.1), (4, 1.2), (10, 1.3)]:
        scene.now = now
        board.show(Progress("walks", done, 10, "walk", 3.0))
    assert [share for _, share, _ in scene.bars.drawn] == [0, 30, 100]
    assert {bar for bar, _, _ in scene.bars.drawn} == {"collect-walks"}
    assert "to go" not in scene.bars.drawn[-1][2]


@given(st.lists(st.floats(0, 0.5), max_size=60))
def test_no_bar_moves_more_than_once_a_second_before_it_is_full(pauses: list[float]) -> None:
    scene, moved = Scene(), []
    board = scene.board()
    for pause in pauses:
        scene.now += pause
        board.show(Progress("walks", 1, 10))
        moved += [scene.now] * (len(scene.bars.drawn) - len(moved))
    assert all(later - earlier >= EVERY_SECONDS for earlier, later in pairwise(moved))


def test_each_piece_of_work_has_a_bar_of_its_own() -> None:
    scene = Scene()
    board = scene.board()
    board.show(Progress("scenes", 1, 2))
    board.show(Progress("collect walks", 1, 2))
    assert [bar for bar, _, _ in scene.bars.drawn] == ["collect-scenes", "collect-walks"]


def test_a_silent_server_is_told_once_and_stops_nothing() -> None:
    scene = Scene(bars=PaperBars(broken=True))
    board = scene.board()
    for now in range(5):
        scene.now = float(now * 2)
        board.show(Progress("walks", now, 10))
    assert len(scene.warned) == 1 and "goes on" in scene.warned[0]
    scene.bars.broken = False
    scene.now = 20.0
    board.show(Progress("walks", 6, 10))
    assert scene.bars.drawn == [("collect-walks", 60.0, "walks: 6 of 10")]


def test_the_description_names_work_time_and_detail() -> None:
    report = Progress("walks", 12, 40, "scene", 34.2, {"loss": 0.31})
    assert described_in_full(report) == "walks: 12 of 40 scene · 0:34 to go · loss 0.31"
    assert described_in_full(Progress("walks", 12)) == "walks: 12"


def test_the_page_of_live_quality_comes_every_now_and_then_and_names_what_is_unusual() -> None:
    scene = Scene()
    board = scene.board()
    for step in range(60):
        scene.now = float(step)
        loss = 50.0 if step == 40 else 2.0 + 0.01 * (step % 7)
        board.show(Progress("train", step, 60, "steps", detail={"loss": loss, "episode": "b1"}))
    board.show(Progress("train", 60, 60, "steps", detail={"loss": float("nan")}))
    assert len(scene.pages) == 4, "at 15, 30, 45 s and at the end"
    assert "| 0 of 31 | - |" in scene.pages[1]
    assert "| 1 of 46 | 50 at 40 steps of train |" in scene.pages[2] and "episode" not in scene.pages[2]
    assert "| 2 of 61 | nan at 60 steps of train |" in scene.pages[3]


def test_reports_without_figures_make_no_page() -> None:
    scene = Scene()
    scene.board().show(Progress("walks", 10, 10, detail={"episode": "b1"}))
    assert scene.pages == []


def test_a_loss_that_falls_as_losses_do_is_not_unusual() -> None:
    live = LiveQuality()
    for step in range(300):
        live.hear({"loss": 3 * 0.97**step + 0.3 + 0.05 * ((step * 37) % 11) / 11}, str(step))
    assert live.figures["loss"].unusual == 0


@given(done=st.floats(0, 1e9), total=st.none() | st.floats(0, 1e9))
def test_a_share_is_a_percentage(done: float, total: float | None) -> None:
    assert 0 <= percent(Progress("x", done, total)) <= 100


@given(st.text())
def test_a_slug_is_what_prefect_takes(text: str) -> None:
    assert set(slug(text)) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")


def test_the_result_page_names_outputs_metrics_and_the_run() -> None:
    page = result_markdown("collect: succeeded", {"dataset": "dataset/ab"}, {"episodes": 12.0}, "http://m/#/1")
    assert "| dataset | `dataset/ab` |" in page and "| episodes | 12 |" in page
    assert page.endswith("[The run in MLflow](http://m/#/1)")
    assert "MLflow" not in result_markdown("t", {}, {}, None)
