"""How far a piece of work is: a bar on a terminal, plain lines in a log, JSON lines for a launcher."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol, TextIO

LINE_SECONDS = 2.0
JSON_SECONDS = 0.25
ETA_AFTER_SECONDS = 0.5
"""A rate measured over less than this says nothing."""


@dataclass
class Track:
    """One piece of work that is under way."""

    label: str
    total: int
    unit: str
    paint: Callable[[Track, bool], None]
    clock: Callable[[], float] = time.monotonic
    done: int = 0
    detail: dict[str, Any] = field(default_factory=dict)
    started: float = 0.0

    def advance(self, n: int = 1, **detail: Any) -> None:
        """Note that `n` more units are done; `detail` says how it goes, such as `loss=0.31`."""
        self.done += n
        self.detail |= detail
        self.paint(self, False)

    @property
    def seconds(self) -> float:
        """Since the start."""
        return self.clock() - self.started

    @property
    def eta_s(self) -> float | None:
        """Seconds to go at the mean rate so far; `None` = too early to say."""
        if self.done <= 0 or self.seconds < ETA_AFTER_SECONDS:
            return None
        return max(0.0, self.seconds / self.done * (self.total - self.done))


class Rendering(Protocol):
    """A way to show a track."""

    def open(self, track: Track) -> contextlib.AbstractContextManager[Callable[[Track, bool], None]]:
        """A painter for one track, called at each advance, and once more with True when it is over."""


class Progress:
    """What a stage reports its progress to."""

    def __init__(self, rendering: Rendering, clock: Callable[[], float] = time.monotonic) -> None:
        self.rendering = rendering
        self.clock = clock

    @contextlib.contextmanager
    def track(self, label: str, total: int, unit: str) -> Iterator[Track]:
        """A piece of work of `total` units; call `.advance()` on what this gives."""
        blank = Track(label, total, unit, paint=lambda track, last: None, clock=self.clock)
        with self.rendering.open(blank) as paint:
            blank.paint, blank.started = paint, blank.clock()
            paint(blank, False)
            yield blank
            paint(blank, True)


class JsonLines:
    """One JSON object a line, at most four a second, which launchers parse."""

    def __init__(self, stream: TextIO | None = None, every: float = JSON_SECONDS) -> None:
        self.stream = stream or sys.stdout
        self.every = every

    @contextlib.contextmanager
    def open(self, track: Track) -> Iterator[Callable[[Track, bool], None]]:
        """A painter of lines."""
        yield paced(self.every, self._line)

    def _line(self, track: Track, last: bool) -> None:
        eta = track.eta_s
        said = {
            "label": track.label,
            "done": track.done,
            "total": track.total,
            "unit": track.unit,
            "eta_s": None if eta is None else round(eta, 1),
            "detail": track.detail,
        }
        print(json.dumps({"progress": said}, default=str), file=self.stream, flush=True)


class PlainLines:
    """A line at the start, at the end, and at most one every two seconds between."""

    def __init__(self, stream: TextIO | None = None, every: float = LINE_SECONDS) -> None:
        self.stream = stream or sys.stderr
        self.every = every

    @contextlib.contextmanager
    def open(self, track: Track) -> Iterator[Callable[[Track, bool], None]]:
        """A painter of lines."""
        yield paced(self.every, self._line)

    def _line(self, track: Track, last: bool) -> None:
        share = f" ({100 * track.done // track.total} %)" if track.total else ""
        left = f"in {clock_time(track.seconds)}" if last else f"{clock_time(track.eta_s)} to go"
        words = [f"{track.label}: {track.done} of {track.total} {track.unit}{share}, {left}", described(track.detail)]
        print(" · ".join(word for word in words if word), file=self.stream, flush=True)


class Bar:
    """A bar with the time to go, on a terminal."""

    @contextlib.contextmanager
    def open(self, track: Track) -> Iterator[Callable[[Track, bool], None]]:
        """A painter of one bar."""
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
        from rich.progress import Progress as RichProgress

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn(track.unit),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[detail]}", style="dim"),
        )
        with RichProgress(*columns, console=Console(stderr=True)) as bars:
            bar = bars.add_task(track.label, total=track.total, detail="")
            yield lambda now, last: bars.update(bar, completed=now.done, detail=described(now.detail))


def paced(every: float, line: Callable[[Track, bool], None]) -> Callable[[Track, bool], None]:
    """`line`, called at most once in `every` seconds, but always for the first time and the last."""
    next_at = -1.0

    def paint(track: Track, last: bool) -> None:
        nonlocal next_at
        now = track.clock()
        if last or next_at < 0 or now >= next_at:
            next_at = now + every
            line(track, last)

    return paint


def described(detail: dict[str, Any]) -> str:
    """`loss 0.312 · phase joint`."""
    return " · ".join(
        f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}" for key, value in detail.items()
    )


def clock_time(seconds: float | None) -> str:
    """`1:02:03`, `2:03`, or `?`."""
    if seconds is None:
        return "?"
    minutes, left = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{left:02d}" if hours else f"{minutes}:{left:02d}"


def open_progress() -> Progress:
    """The rendering that suits this process: `BACKSIGHT_PROGRESS=json`, a terminal, or plain lines."""
    if os.environ.get("BACKSIGHT_PROGRESS") == "json":
        return Progress(JsonLines())
    return Progress(Bar() if sys.stderr.isatty() else PlainLines())
