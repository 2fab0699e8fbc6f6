"""From logs that carry a time before each line to the lines that are new: what lets a follower come and go."""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from flows.launch.contract import Progress

KEPT_LINES = 200
STAMP = re.compile(r"(?P<whole>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.(?P<fraction>\d{1,9}))?(?P<zone>Z|[+-]\d\d:\d\d)")


@dataclass
class TimedLines:
    """How far one container's log was read.

    A container writes two streams, which the platform stamps apart: a line may come after one of a later time. So the
    log is read again from a second before the last line on, and lines that were given are known by time and text.
    """

    last: str = ""
    """Latest time of a line that was read, as `utc` writes it."""
    given: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Lines since the horizon, and how often each was given."""
    tail: deque[str] = field(default_factory=lambda: deque(maxlen=KEPT_LINES))

    def new(self, text: str) -> list[str]:
        """The lines that no earlier call gave, without their times; `text` may begin with lines known already.

        A line without a time is none of the container's: the platform says that way that it cannot read the log.
        """
        fresh, here, horizon = [], Counter[tuple[str, str]](), self.horizon
        for stamped in text.splitlines():
            stamp, _, line = stamped.partition(" ")
            at = utc(stamp)
            if at is None or at < horizon:
                continue
            here[at, line] += 1
            if here[at, line] > self.given[at, line]:
                self.given[at, line] += 1
                fresh.append(line.rstrip("\r"))
                self.last = max(self.last, at)
        self.given = Counter({known: times for known, times in self.given.items() if known[0] >= self.horizon})
        self.tail.extend(fresh)
        return fresh

    @property
    def horizon(self) -> str:
        """The whole second before which nothing new is expected."""
        if not self.last:
            return ""
        return (datetime.fromisoformat(self.last[:19]) - timedelta(seconds=1)).isoformat()

    @property
    def since(self) -> str | None:
        """From which second on the log is to be asked for."""
        return f"{self.horizon}Z" if self.last else None


def utc(stamp: str) -> str | None:
    """A time such that texts compare as times do; None for what is none. Nodes write theirs in their own time zone."""
    found = STAMP.fullmatch(stamp)
    if found is None:
        return None
    whole, zone = found["whole"], found["zone"]
    if zone != "Z":
        whole = datetime.fromisoformat(whole + zone).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{whole}.{found['fraction'] or '':0<9}"


@dataclass
class Shares:
    """The progress of pods that share one work, as one."""

    pods: int
    told: dict[str, dict[int, Progress]] = field(default_factory=dict)

    def merged(self, index: int, report: Progress) -> Progress:
        """What all pods have done together, once one of them has told something new."""
        if self.pods == 1:
            return report
        known = self.told.setdefault(report.label, {})
        known[index] = report
        return Progress(
            label=report.label,
            done=sum(part.done for part in known.values()),
            total=total(known.values(), self.pods),
            unit=report.unit,
            eta_s=max((part.eta_s for part in known.values() if part.eta_s is not None), default=None),
            detail={**report.detail, "pods": f"{len(known)} of {self.pods}"},
        )


def total(parts: Iterable[Progress], pods: int) -> float | None:
    """All the work, where every pod that has told knows its own: those that have not are taken to have as much."""
    known = [part.total for part in parts]
    if not known or None in known:
        return None
    return sum(t for t in known if t is not None) / len(known) * pods
