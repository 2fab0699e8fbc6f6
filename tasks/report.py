"""The table that a person reads at the end: a checkpoint's figures beside the baselines and the previous champion."""

from __future__ import annotations

from collections.abc import Sequence

from tasks.evaluation import MODEL, Evaluation, Figures
from tasks.summary import METRICS, Estimate

SHOWN = {
    "kld": "KLD",
    "kld_visible": "KLD vis",
    "cc": "CC",
    "nss": "NSS",
    "pck05": "PCK.05",
    "pck10": "PCK.1",
    "ap_none": "AP none",
    "brier": "Brier",
    "identity": "ident",
    "miou": "mIoU",
}
"""Metrics of the table, in its order, with labels so short that a line stays within 100 columns."""

HEADLINE = ("kld", "ap_none")
"""Metrics whose paired differences stand below the table."""

ARROWS = {-1: "↓", 0: "", 1: "↑"}

NAMES = {
    MODEL: "this model",
    "champion": "champion before",
    "uniform": "uniform",
    "train_mean": "train-mean map",
    "slot_mean": "mean map by slot",
    "always_none": "always none",
    "centre": "centre prior",
    "copy_previous": "copy previous",
    "appearance": "DINO cosine",
    "reprojection": "own geometry",
    "oracle_05cm": "oracle 5 cm, 1°",
    "oracle_10cm": "oracle 10 cm, 2°",
    "oracle_25cm": "oracle 25 cm, 5°",
    "oracle": "oracle",
}
ABSENT = "–"

WALKERS = {
    MODEL: "follows this model's maps",
    "true_maps": "follows the true maps",
    "oracle": "shortest way",
    "random": "by chance",
    "still": "stands still",
}
"""Agents of the closed loop."""

MEASURES = {
    "success": "success↑",
    "spl": "SPL↑",
    "ndtw": "nDTW↑",
    "distance_to_goal": "metres left↓",
    "steps": "actions",
}
"""Their measures (habitat-lab's, and nDTW), in the order of the table."""


def walkers_table(evaluation: Evaluation) -> list[list[str]]:
    """Header and rows of the closed loop, with intervals; nothing where none was walked."""
    if not evaluation.navigation:
        return []
    rows = [
        [WALKERS.get(agent, agent), *(signed(figures[m]).replace("+", "") for m in MEASURES)]
        for agent, figures in evaluation.navigation.items()
    ]
    return [["", *MEASURES.values()], *rows]


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
    header = ["", *(f"{label}{ARROWS[METRICS[m].better]}" for m, label in SHOWN.items())]
    systems = {MODEL: evaluation.model}
    if champion is not None and champion.checkpoint != evaluation.checkpoint:
        systems["champion"] = champion.model
    systems |= {name: figures for name, figures in evaluation.systems.items() if name != MODEL}
    rows = [[NAMES.get(name, name), *(figure(figures, m) for m in SHOWN)] for name, figures in systems.items()]
    return [header, rows[0], *interval_rows(evaluation), *rows[1:]]


def interval_rows(evaluation: Evaluation) -> list[list[str]]:
    """The ends of the model's intervals, one row each."""
    found = [evaluation.model[m] for m in SHOWN]
    confidence = f"{100 * evaluation.confidence:g} %"
    return [
        [f"  {confidence} from", *(written(e.low) for e in found)],
        [f"  {' ' * len(confidence)}   to", *(written(e.high) for e in found)],
    ]


def figure(figures: Figures, metric: str) -> str:
    """A figure with as many digits as its column needs."""
    return written(figures[metric].value if metric in figures else None)


def written(value: float | None) -> str:
    """Three digits after the point below 1 (no leading zero), two above; a dash for what is undefined."""
    if value is None:
        return ABSENT
    text = f"{value:.3f}".replace("-0.000", "0.000")
    return text.replace("0.", ".", 1) if text.lstrip("-").startswith("0.") else f"{value:.2f}"


def padded(row: Sequence[str], first: int, widths: Sequence[int]) -> str:
    """A line: the name to the left, figures to the right."""
    return row[0].ljust(first) + "".join("  " + text.rjust(width) for text, width in zip(row[1:], widths, strict=True))


def footer(evaluation: Evaluation) -> list[str]:
    """What was measured, and the paired differences from the baselines that say something."""
    measured = (
        f"{evaluation.views} views, {evaluation.pairs} pairs, {evaluation.scenes} scenes of {evaluation.split}; "
        f"in view {percent(evaluation.model['base_rate'])} of pairs; identity by chance {evaluation.chance:.3f}"
    )
    if not evaluation.differences:
        return [measured]
    confidence = f"{100 * evaluation.confidence:g} %"
    return [
        measured,
        f"paired differences, {confidence} intervals by bootstrap over scenes:",
        *(versus(name, figures) for name, figures in evaluation.differences.items()),
    ]


def versus(baseline: str, figures: Figures) -> str:
    """The model's paired differences from one baseline."""
    told = ", ".join(f"{METRICS[m].label} {signed(figures[m])}" for m in HEADLINE)
    return f"  this model − {NAMES.get(baseline, baseline)}: {told}"


def percent(estimate: Estimate) -> str:
    """A share as a whole percentage."""
    return ABSENT if estimate.value is None else f"{100 * estimate.value:.0f} %"


def signed(estimate: Estimate) -> str:
    """A difference with its interval."""
    if estimate.value is None:
        return ABSENT
    spread = "" if estimate.low is None else f" [{estimate.low:+.3f}, {estimate.high:+.3f}]"
    return f"{estimate.value:+.3f}{spread}"
