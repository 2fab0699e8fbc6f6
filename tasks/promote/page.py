"""The verdict as a page: the ruling, the reason, what was asked and what was found, the table."""

from __future__ import annotations

import math

from tasks.evaluation import Evaluation
from tasks.promote.gate import Decision, Stop, Trial, ratio
from tasks.promote.guards import LABELS, State
from tasks.promote.spec import SHARES, Policy
from tasks.promote.verdict import Verdict
from tasks.report import metrics_markdown, signed
from tasks.spec import ManifestId
from tasks.summary import METRICS

STOPS = {
    Stop.WIN: "won",
    Stop.LOSS: "lost",
    Stop.FUTILITY: "given up: even a lucky rest of the sample would not have been enough",
    Stop.END: "ended without an answer",
}

STATES = {State.HOLDS: "✓ holds", State.LOST: "✗ lost", State.UNPROVEN: "? not proven"}


def verdict_page(verdict: Verdict, id: ManifestId, mine: Evaluation, champion: Evaluation | None) -> str:
    """Markdown for people; the same facts as `verdict.json`."""
    decision = verdict.decision
    lines = [f"# {decision.ruling.value}: {verdict.registered}", "", decision.reason, ""]
    if rows := findings(decision, verdict.policy):
        lines += ["| | gain | needed | |", "| --- | --- | --- | --- |", *(f"| {' | '.join(row)} |" for row in rows), ""]
    if decision.sealed is not None:
        label = METRICS[verdict.policy.primary].label
        lines += [f"On the sealed scenes, opened for this verdict: {label} gain {signed(decision.sealed)}.", ""]
    if decision.trial:
        lines += [course(decision.trial), "", *table(decision.trial), ""]
    lines += [metrics_markdown(mine, champion), ""]
    lines += [f"- {name}: `{value}`" for name, value in named(verdict, id).items()]
    return "\n".join(lines) + "\n"


def findings(decision: Decision, policy: Policy) -> list[list[str]]:
    """The primary metric and each guard: name, gain with its interval, what was needed, what is known."""
    if decision.gain is None or decision.trial is None:
        return []
    won = decision.trial.stop is Stop.WIN
    needed = f"{100 * policy.minimum_gain:g} % of its error" if policy.minimum_gain else "0"
    rows = [
        [
            f"{METRICS[policy.primary].label} (primary)",
            signed(decision.gain),
            f"more than {needed}; the typical view {100 * decision.trial.reserve:.0f} % more",
            "✓ proven" if won else "not proven",
        ]
    ]
    for name, gain in decision.guards.items():
        unit = " of the rival's" if name in SHARES else ""
        least = f"at least -{policy.guards[name]:g}{unit}"
        rows.append([f"{LABELS[name]} (guard)", signed(gain), least, STATES[decision.states[name]]])
    return rows


def course(trial: Trial) -> str:
    """What the sequential test did, in two sentences."""
    used = f"{len(trial.order)} of {trial.planned} scenes"
    return (
        f"The test {STOPS[trial.stop]} after {trial.looks[-1].scenes} scenes; the figures are of {used}. "
        f"A promotion needs evidence of {ratio(trial.needed)} : 1, a night's share of the chance of a false one being "
        f"{trial.level:.2g}. Evidence counts what the typical view saves beyond {100 * trial.reserve:.0f} %, a reserve "
        "for losses too rare for the sample to show; the lower bound of the plain mean must be above the minimum too."
    )


def table(trial: Trial) -> list[str]:
    """Every look."""
    lines = ["| scenes | evidence of a gain | evidence of none | mean gain |", "| ---: | ---: | ---: | ---: |"]
    for look in trial.looks:
        gain = "–" if look.gain is None else f"{look.gain:+.4f}"
        lines.append(f"| {look.scenes} | {odds(look.evidence)} | {odds(look.against)} | {gain} |")
    return lines


def odds(logarithm: float) -> str:
    """`12 : 1`, or `0.4 : 1` below even."""
    return f"{ratio(logarithm)} : 1" if logarithm > math.log(10) else f"{math.exp(logarithm):.1f} : 1"


def named(verdict: Verdict, id: ManifestId) -> dict[str, str]:
    """What the verdict speaks of, by name."""
    return {
        "verdict": id,
        "challenger": verdict.checkpoint,
        "champion": verdict.champion or f"none yet; {verdict.rival} instead",
        "evaluation": verdict.evaluation,
        "dataset": verdict.dataset,
    }
