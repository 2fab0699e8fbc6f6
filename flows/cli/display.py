"""How a watched flow run looks: bars on a terminal, plain lines elsewhere. Both are fed with snapshots."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TextIO

from flows.cli.snapshot import Bar, Run, Snapshot

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

LINE_SECONDS = 5.0
"""Least time between two plain lines about one bar."""

WORTH_TELLING = frozenset({"Running", "Failed", "Crashed", "Cancelled", "Cancelling"})


class Display(Protocol):
    """Shows a run as it goes."""

    def show(self, snapshot: Snapshot) -> None:
        """Bring what is seen up to date."""


@dataclass
class PlainLines:
    """A line for each thing that happened."""

    stream: TextIO = field(default_factory=lambda: sys.stderr)
    clock: Callable[[], float] = time.monotonic
    told: dict[str, tuple[float, str]] = field(default_factory=dict)
    """Bar -> when it was last told, and how it read."""
    states: dict[str, str] = field(default_factory=dict)

    def show(self, snapshot: Snapshot) -> None:
        """Print what is new."""
        for line in snapshot.lines:
            self._print(line)
        for run in (snapshot.run, *snapshot.children):
            self._show_state(run)
            for bar in run.bars:
                self._show_bar(run, bar)

    def _show_state(self, run: Run) -> None:
        if self.states.get(run.id) != run.state:
            self.states[run.id] = run.state
            if run.state in WORTH_TELLING:
                self._print(f"{run.name}: {run.state.lower()}")

    def _show_bar(self, run: Run, bar: Bar) -> None:
        at, read = self.told.get(bar.id, (-LINE_SECONDS, ""))
        due = bar.percent >= 100 or self.clock() - at >= LINE_SECONDS
        if bar.description != read and due:
            self.told[bar.id] = (self.clock(), bar.description)
            self._print(f"{run.flow} {bar.percent:3.0f} % · {bar.description}")

    def _print(self, line: str) -> None:
        print(line, file=self.stream, flush=True)


@dataclass
class Bars:
    """One bar for each progress artifact, log lines above them."""

    rich: Progress
    rows: dict[str, TaskID] = field(default_factory=dict)

    def show(self, snapshot: Snapshot) -> None:
        """Move the bars."""
        for line in snapshot.lines:
            self.rich.console.print(line, markup=False, highlight=False)
        for run in (snapshot.run, *snapshot.children):
            for bar in run.bars:
                self._show_bar(run, bar)

    def _show_bar(self, run: Run, bar: Bar) -> None:
        if bar.id not in self.rows:
            self.rows[bar.id] = self.rich.add_task(run.flow, total=100, told="")
        self.rich.update(self.rows[bar.id], completed=bar.percent, told=bar.description)


@contextmanager
def suitable_display() -> Iterator[Display]:
    """Bars where stderr is a terminal, plain lines otherwise."""
    if not sys.stderr.isatty():
        yield PlainLines()
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    columns = (
        TextColumn("{task.description:<9}"),
        BarColumn(bar_width=24),
        TaskProgressColumn(),
        TextColumn("{task.fields[told]}", style="dim", markup=False),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        yield Bars(progress)
