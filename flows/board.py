"""What a flow run shows on Prefect's page while a task runs: log lines, and one bar for each piece of work."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from flows.launch import LogLine, Notice, Progress, Report
from flows.live import LiveQuality
from tasks.progress import clock_time, described

EVERY_SECONDS = 1.0
"""Least time between two changes of one bar."""
LIVE_SECONDS = 15.0
"""Least time between two issues of the page of live quality."""


class Bars(Protocol):
    """Where bars are drawn."""

    def create(self, key: str, percent: float, description: str) -> Any:
        """A new bar; gives what `update` needs to find it again."""

    def update(self, bar: Any, percent: float, description: str) -> None:
        """Move a bar."""


class PrefectBars:
    """Bars as Prefect's progress artifacts of the current flow run."""

    def create(self, key: str, percent: float, description: str) -> Any:
        """A new progress artifact."""
        from prefect.artifacts import create_progress_artifact

        return create_progress_artifact(percent, key=key, description=description)

    def update(self, bar: Any, percent: float, description: str) -> None:
        """Change a progress artifact."""
        from prefect.artifacts import update_progress_artifact

        update_progress_artifact(bar, progress=percent, description=description)


def publish_page(key: str, page: str, title: str) -> None:
    """One more issue of a page, as a Markdown artifact of the current flow run."""
    from prefect.artifacts import create_markdown_artifact

    create_markdown_artifact(page, key=key, description=title)


@dataclass
class Board:
    """Shows a task's reports. A server that does not answer costs bars, never the work that they show."""

    stage: str
    say: Callable[[str], None]
    warn: Callable[[str], None]
    bars: Bars = field(default_factory=PrefectBars)
    clock: Callable[[], float] = time.monotonic
    publish: Callable[[str, str, str], None] = publish_page
    live: LiveQuality = field(default_factory=LiveQuality)
    _told: float = 0.0
    _drawn: dict[str, tuple[Any, float]] = field(default_factory=dict)
    _silent: bool = False

    def show(self, report: Report) -> None:
        """Log a line, or move a bar: at once when it is new or full, else at most once a second."""
        if isinstance(report, Notice):
            self.warn(report.sentence)
            return
        if isinstance(report, LogLine):
            if report.text.strip():
                self.say(report.text)
            return
        self._tell_quality(report)
        bar, last = self._drawn.get(report.label, (None, -EVERY_SECONDS))
        if bar is not None and not finished(report) and self.clock() - last < EVERY_SECONDS:
            return
        self._drawn[report.label] = (self._draw(bar, report), self.clock())

    def _tell_quality(self, report: Progress) -> None:
        """Take in the report's figures; every now and then, and at the end, issue the page that tells how they go."""
        at = f"{report.done:g} {report.unit} of {report.label}"
        if not self.live.hear(report.detail, at):
            return
        if not finished(report) and self.clock() - self._told < LIVE_SECONDS:
            return
        self._told = self.clock()
        title = f"Live quality of {self.stage}"
        with self._forgiving():
            self.publish(slug(f"{self.stage}-live"), self.live.markdown(title, at), title)

    def _draw(self, bar: Any, report: Progress) -> Any:
        with self._forgiving():
            if bar is None:
                key = slug(report.label if self.stage in report.label else f"{self.stage}-{report.label}")
                return self.bars.create(key, percent(report), described_in_full(report))
            self.bars.update(bar, percent(report), described_in_full(report))
        return bar

    @contextmanager
    def _forgiving(self) -> Iterator[None]:
        """A server that does not answer is told of once."""
        import httpx
        from prefect.exceptions import PrefectHTTPStatusError

        try:
            yield
        except (httpx.HTTPError, PrefectHTTPStatusError) as error:
            if not self._silent:
                self.warn(f"Prefect's server took no progress ({type(error).__name__}): the work goes on without bars.")
            self._silent = True


def percent(report: Progress) -> float:
    """0 to 100; 0 where the total is not known."""
    return min(100.0, 100.0 * report.done / report.total) if report.total else 0.0


def finished(report: Progress) -> bool:
    """Whether nothing is left to do."""
    return report.total is not None and report.done >= report.total


def described_in_full(report: Progress) -> str:
    """`walks: 12 of 40 scene · 0:34 to go · loss 0.31`."""
    total = "" if report.total is None else f" of {report.total:g}"
    words = [f"{report.label}: {report.done:g}{total} {report.unit}".rstrip()]
    if report.eta_s is not None and not finished(report):
        words.append(f"{clock_time(report.eta_s)} to go")
    return " · ".join([*words, *filter(None, [described(dict(report.detail))])])


def slug(text: str) -> str:
    """A key as Prefect's artifacts want it: small letters, digits and dashes."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def result_markdown(title: str, facts: Mapping[str, str], metrics: Mapping[str, float], link: str | None) -> str:
    """How a stage ended, for Prefect's page."""
    rows = [f"| {name} | `{value}` |" for name, value in facts.items()]
    rows += [f"| {name} | {value:.4g} |" for name, value in metrics.items()]
    page = [f"### {title}", "", "| | |", "| --- | --- |", *rows]
    return "\n".join([*page, "", f"[The run in MLflow]({link})"] if link else page)
