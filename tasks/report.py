"""The table that a person reads at the end: a checkpoint's figures beside the baselines and the previous champion."""

from __future__ import annotations

from collections.abc import Sequence

from tasks.evaluation import MODEL, Evaluation, Figures
from tasks.summary import METRICS, Estimate

SHOWN = ("kld", "kld_visible", "cc", "nss", "pck05", "pck10", "ap_none", "brier", "identity", "miou")
"""Metrics of the table, in its order; at this choice it is at most 100 columns wide."""

NAMES = {
    MODEL: "this model",
    "champion": "champion before",
    "uniform": "uniform",
    "train_mean": "train-mean map",
    "slot_mean": "mean map by slot",
    "always_none": "always none",
    "centre": "centre prior",
    "copy_previous": "copy previous",
    "oracle_noisy": "oracle + noise",
    "oracle": "oracle",
}
ABSENT = "–"


def metrics_table(evaluation: Evaluation, champion: Evaluation | None = None) -> str:
    """Plain text of at most 100 columns: one row a system, the interval below the model, the differences at the end."""
    header, *rows = cells(evaluation, champion)
    first, *widths = [max(len(row[i]) for row in (header, *rows)) for i in range(len(header))]
    lines = [padded(row, first, widths) for row in (header, *rows)]
    rule = "─" * len(lines[0])
    return "\n".join([rule, lines[0], rule, *lines[1:], rule, *footer(evaluation)])


def metrics_markdown(evaluation: Evaluation, champion: Evaluation | None = None) -> str:
    """The same table for Prefect's and MLflow's pages."""
    header, *rows = cells(evaluation, champion)
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *([marked(row) for row in rows])]
    return "\n".join([*("| " + " | ".join(line) + " |" for line in lines), "", *footer(evaluation)])


def marked(row: Sequence[str]) -> list[str]:
    """The model's own row in bold."""
    return [f"**{c}**" for c in row] if row[0] == NAMES[MODEL] else list(row)


def cells(evaluation: Evaluation, champion: Evaluation | None) -> list[list[str]]:
    """Header and rows of the table as text."""
    header = ["", *(f"{METRICS[m].label} {'↓' if METRICS[m].better < 0 else '↑'}" for m in SHOWN)]
    systems = {MODEL: evaluation.model}
    if champion is not None and champion.checkpoint != evaluation.checkpoint:
        systems["champion"] = champion.model
    systems |= {name: figures for name, figures in evaluation.systems.items() if name != MODEL}
    rows = [[NAMES.get(name, name), *(figure(figures, m) for m in SHOWN)] for name, figures in systems.items()]
    rows.insert(1, ["  95 % interval" if evaluation.confidence == 0.95 else "  interval", *bounds(evaluation.model)])
    return [header, *rows]


def figure(figures: Figures, metric: str) -> str:
    """A figure with as many digits as its column needs."""
    found = figures.get(metric, Estimate(value=None)).value
    return ABSENT if found is None else short(found)


def bounds(figures: Figures) -> list[str]:
    """The model's intervals, written low..high."""
    found = [figures.get(m, Estimate(value=None)) for m in SHOWN]
    return [ABSENT if e.low is None or e.high is None else f"{short(e.low)}–{short(e.high)}" for e in found]


def short(value: float) -> str:
    """Three digits after the point below 1 (no leading zero), two below 100."""
    text = f"{value:.3f}" if abs(value) < 1 else f"{value:.2f}"
    return text.replace("0.", ".", 1) if abs(value) < 1 else text


def padded(row: Sequence[str], first: int, widths: Sequence[int]) -> str:
    """A line: the name to the left, figures to the right."""
    return row[0].ljust(first) + "".join(" " + text.rjust(width) for text, width in zip(row[1:], widths, strict=True))


def footer(evaluation: Evaluation) -> list[str]:
    """What was measured, and the paired differences from the baseline that says something."""
    lines = [
        f"{evaluation.views} views, {evaluation.pairs} pairs, {evaluation.scenes} scenes of {evaluation.split}; "
        f"in view {percent(evaluation.model['base_rate'])} of pairs; identity by chance {evaluation.chance:.3f}"
    ]
    for baseline, figures in evaluation.differences.items():
        told = ", ".join(f"{METRICS[m].label} {signed(figures[m])}" for m in ("kld", "ap_none"))
        lines.append(f"this model − {NAMES.get(baseline, baseline)}: {told} (paired, bootstrap over scenes)")
    return lines


def percent(estimate: Estimate) -> str:
    """A share as a whole percentage."""
    return ABSENT if estimate.value is None else f"{100 * estimate.value:.0f} %"


def signed(estimate: Estimate) -> str:
    """A difference with its interval."""
    if estimate.value is None:
        return ABSENT
    spread = "" if estimate.low is None else f" [{estimate.low:+.3f}, {estimate.high:+.3f}]"
    return f"{estimate.value:+.3f}{spread}"
