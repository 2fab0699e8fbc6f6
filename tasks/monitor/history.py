"""A history of events as a Parquet file: what `backsight monitor history` writes and `simulate` replays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, fields
from math import isfinite, isnan
from pathlib import Path
from typing import Any

from tasks.errors import DataError, UsageError
from tasks.monitor.events import HOUR, Action, Decision, Event, NightAsked, NightEnded, Window
from tasks.monitor.policy import TriggerPolicy
from tasks.monitor.trigger import FIRST, decide

KINDS: dict[str, type[Window] | type[NightAsked] | type[NightEnded]] = {
    "window": Window,
    "night": NightAsked,
    "ended": NightEnded,
}


def write_history(events: Sequence[Event], path: Path) -> None:
    """One row an event, in the order given; columns that an event does not have are null."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = {kind: name for name, kind in KINDS.items()}
    rows = [{"event": names[type(event)], **asdict(event)} for event in events]
    columns = sorted({name for row in rows for name in row})
    pq.write_table(pa.table({name: [row.get(name) for row in rows] for name in columns}), path)


def read_history(path: Path) -> list[Event]:
    """The events of a file, in its order. A file without the column `event` holds windows alone.

    Raises `UsageError` for a file that is not there, `DataError` for one that is no history.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not path.is_file():
        raise UsageError(f"There is no history {path}: give a Parquet file with a row a window.")
    try:
        rows = pq.read_table(path).to_pylist()
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(f"{path} is no whole Parquet file: write it anew with `backsight monitor history`.") from error
    if not rows:
        raise DataError(f"{path} holds no event: there is nothing to replay.")
    return [read_event(row, f"{path}, row {number}") for number, row in enumerate(rows)]


def read_event(row: dict[str, Any], place: str) -> Event:
    """One event; a `DataError` names the row and what is wrong with it."""
    kind = KINDS.get(row.get("event") or "window")
    if kind is None:
        raise DataError(f"{place}: '{row['event']}' is no event; there are {', '.join(KINDS)}.")
    given = {name: value for name, value in row.items() if value is not None and name != "event"}
    known = {field.name for field in fields(kind)}
    if strange := sorted(given.keys() - known):
        raise DataError(f"{place}: a {row.get('event') or 'window'} has no {strange[0]}.")
    if "at" in given and hasattr(given["at"], "timestamp"):
        given["at"] = given["at"].timestamp()
    for name, value in given.items():
        if isinstance(value, float) and not isfinite(value):
            told = "not a number" if isnan(value) else "infinite"
            raise DataError(f"{place}: {name} is {told}; leave it empty where it was not measured.")
    for name in ("drift", "drift_p", "loss_se", "episodes", "hours"):
        if given.get(name, 0) < 0:
            raise DataError(f"{place}: {name} is {given[name]}, which cannot be negative.")
    try:
        return kind(**given)
    except TypeError as error:
        lacks = str(error).partition("argument")[2].strip(": s") or str(error)
        raise DataError(f"{place}: {lacks} is missing.") from error


def replay(policy: TriggerPolicy, events: Sequence[Event]) -> Iterator[Decision]:
    """The decisions on a history, one an event.

    Where the history tells of no end of a night, one that this policy starts ends by itself after
    `retraining_hours` without a new champion.
    """
    state, told = FIRST, any(isinstance(event, NightEnded) for event in events)
    for event in events:
        flight = state.flight
        if not told and flight is not None and event.at - flight.since >= policy.retraining_hours * HOUR:
            end = NightEnded(flight.since + policy.retraining_hours * HOUR, flight.name, policy.retraining_hours, False)
            state = decide(policy, state, end).after
        decision = decide(policy, state, event)
        state = decision.after
        yield decision


def fired(decisions: Sequence[Decision]) -> list[Decision]:
    """Those that start something."""
    return [decision for decision in decisions if decision.action is not Action.NONE]
