"""`backsight monitor simulate | explain | history`: what the trigger would do, did, and on which grounds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from tasks.monitor.events import Decision
    from tasks.monitor.log import DecisionLog


@click.group()
def monitor() -> None:
    """Look into the decisions on when to train again."""


@monitor.command()
@click.argument("history", type=click.Path(path_type=Path), required=False)
@click.option("--seeds", type=click.IntRange(1, 100_000), help="Synthetic histories of each kind instead of a file.")
@click.option("--preset", default="tiny", show_default=True, help="Whose section `monitor.trigger` is the policy.")
@click.option(
    "--noise", type=click.FloatRange(0.0, 1.0), default=0.03, show_default=True, help="Standard error of the loss."
)
@click.option("--all", "everything", is_flag=True, help="Replay: print all decisions, not those alone that start work.")
def simulate(history: Path | None, seeds: int | None, preset: str, noise: float, everything: bool) -> int:
    """Replay events through the trigger, recorded or synthetic.

    HISTORY: a Parquet file with a row an event, as `monitor history` writes it; in its place, --seeds.
    """
    from tasks.errors import UsageError
    from tasks.preset import load_preset

    if (history is None) == (seeds is None):
        raise UsageError("Give either a history (`simulate history.parquet`) or --seeds 1000, and not both.")
    policy = load_preset(preset).monitor.trigger
    if history is None:
        from tasks.monitor.histories import Noise
        from tasks.monitor.simulate import run

        rows = run(policy, Noise(loss=noise), seeds or 0)
        click.echo("| history | asked | found | met |\n| --- | --- | --- | --- |")
        for row in rows:
            click.echo(f"| {row.scenario} | {row.asked} | {row.got} | {'yes' if row.met else 'NO'} |")
        return 0 if all(row.met for row in rows) else 1
    from tasks.monitor.history import fired, read_history, replay
    from tasks.monitor.page import line

    decisions = list(replay(policy, read_history(history)))
    for decision in decisions if everything else fired(decisions):
        click.echo(line(decision))
    counts = ", ".join(f"{rule} {count}" for rule, count in sorted(_counted(decisions).items()))
    click.echo(f"{len(decisions)} events: {counts}")
    return 0


def _counted(decisions: list[Decision]) -> dict[str, int]:
    from collections import Counter

    return Counter(decision.rule.name for decision in decisions)


@monitor.command()
@click.option("--number", type=click.IntRange(0), help="Number of the decision.  [default: the last]")
@click.option("--last", type=click.IntRange(1), help="List so many of the last decisions, one a line.")
def explain(number: int | None, last: int | None) -> None:
    """Say why the trigger did or did not fire.

    Read from the decisions in the store: the last one, or the one of --number.
    """
    from itertools import islice

    from tasks.errors import UsageError
    from tasks.monitor.page import explain as told
    from tasks.monitor.page import line

    entries = _log().entries()
    if last is not None:
        for logged in islice(entries, last):
            click.echo(f"{logged.number:>5}  {line(logged.decision)}")
        return
    chosen = next((e for e in entries if number is None or e.number == number), None)
    if chosen is None:
        what = "No decision has been taken yet" if number is None else f"There is no decision {number}"
        raise UsageError(f"{what}: `backsight run monitor --watch` takes one on the newest data.")
    click.echo(told(chosen))


@monitor.command()
@click.argument("path", type=click.Path(path_type=Path))
def history(path: Path) -> None:
    """Write the events that the trigger has heard to PATH.

    A Parquet file with a row an event, which `monitor simulate` replays.
    """
    from tasks.errors import UsageError
    from tasks.monitor.history import write_history

    events = [logged.decision.event for logged in _log().entries()][::-1]
    if not events:
        raise UsageError("No decision has been taken yet: there is no history to write.")
    write_history(events, path)
    click.echo(f"{len(events)} events: {path}")


def _log() -> DecisionLog:
    from flows.retraining import decisions
    from tasks.store import open_store

    return decisions(open_store())
