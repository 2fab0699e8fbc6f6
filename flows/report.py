"""The night's report, as text for the terminal and as markdown for Prefect's and MLflow's pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flows.record import NightRecord, Turn
from tasks.report import metrics_markdown, metrics_table

if TYPE_CHECKING:
    from tasks.evaluation import Evaluation
    from tasks.promote.verdict import Verdict
    from tasks.store import ArtefactStore

TURNS = {Turn.RAN: "ran", Turn.KNOWN: "known, nothing launched"}


@dataclass(frozen=True)
class NightReport:
    """A record with what it points at."""

    record: NightRecord
    evaluation: Evaluation
    champion: Evaluation | None
    """The champion's, when the night began."""
    verdict: Verdict
    links: Mapping[str, str]
    """Name of a page -> its address."""

    def text(self) -> str:
        """At most 100 columns."""
        rows = [(line.step, TURNS[line.turn], seconds(line.seconds)) for line in self.record.lines]
        lines = [self.title, *(f"  {step:<18} {turn:<24} {took:>9}" for step, turn, took in rows), ""]
        lines += [metrics_table(self.evaluation, self.champion), self.ruling, "", cost(self.record)]
        return "\n".join([*lines, *(f"{name + ':':<9} {address}" for name, address in self.links.items())])

    def markdown(self, pictures: Sequence[tuple[str, str]] = ()) -> str:
        """The same, with pictures (title, address)."""
        rows = [
            f"| {line.step} | {TURNS[line.turn]} | {seconds(line.seconds)} | `{line.product[:24]}` |"
            for line in self.record.lines
        ]
        table = ["| stage | | time | product |", "| --- | --- | ---: | --- |", *rows]
        links = " · ".join(f"[{name}]({address})" for name, address in self.links.items())
        shown = [f"![{title}]({address})" for title, address in pictures]
        parts = [f"## {self.title}", "\n".join(table), metrics_markdown(self.evaluation, self.champion)]
        return "\n\n".join([*parts, self.ruling, cost(self.record), links, *shown])

    @property
    def title(self) -> str:
        """Which night it was."""
        return f"Night of preset {self.record.preset}, seed {self.record.seed}"

    @property
    def ruling(self) -> str:
        """The verdict in a sentence."""
        decision = self.verdict.decision
        return f"verdict: {decision.ruling}. {decision.reason}"


def seconds(value: float) -> str:
    """`63.2 s`, or nothing where nothing ran."""
    return f"{value:.1f} s" if value else ""


def cost(record: NightRecord) -> str:
    """What orchestration itself took of the night."""
    if record.all_known:
        return f"Nothing was launched: every stage's outcome was known. The night took {record.wall:.1f} s."
    share = record.worked / record.wall
    return (
        f"cost: stages worked {record.worked:.1f} s of the night's {record.wall:.1f} s, a share of {share:.2f}; "
        f"the other {record.wall - record.worked:.1f} s went into launching, waiting and reporting."
    )


def read_report(store: ArtefactStore, record: NightRecord, links: Mapping[str, str]) -> NightReport:
    """The report of a recorded night."""
    from tasks.evaluation import read_evaluation
    from tasks.promote.settle import read_verdict

    verdict = read_verdict(store, required(record, "promote"))
    rival = verdict.champion_evaluation
    return NightReport(
        record=record,
        evaluation=read_evaluation(store, required(record, "evaluate")),
        champion=read_evaluation(store, rival) if rival else None,
        verdict=verdict,
        links=links,
    )


def required(record: NightRecord, step: str) -> str:
    """The product of a step that every night has."""
    product = record.product(step)
    if product is None:
        raise LookupError(f"the record of a finished night lacks the step {step}")
    return product
