"""The evaluation as one HTML file that needs no network: figures, plots, cases, and tables down to the view."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

import numpy as np

from tasks.evaluate import plots
from tasks.evaluate.breakdown import Group, group, grouped
from tasks.evaluate.record import BASELINE
from tasks.evaluation import MODEL, Evaluation, Figures
from tasks.report import ARROWS, NAMES, figure, signed, walkers_table, written
from tasks.scores import ScoreBook
from tasks.summary import METRICS

BY_GROUP = tuple(m for m in ("kld", "kld_visible", "pck05", "pck10", "brier", "identity") if m in METRICS)
MOST_VIEWS = 400
"""Rows of the table by view; the Parquet file has all."""

STYLE = """
:root { color-scheme: light; --ink: #1c2028; --faint: #6b7480; --rule: #e2e5ea; --blue: #2676c7; --paper: #fff; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1340px; padding: 28px 24px 80px; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; }
h1 { font-size: 27px; margin: 0 0 2px; } h2 { font-size: 19px; margin: 42px 0 10px; }
p.lead { color: var(--faint); margin: 0 0 18px; max-width: 80ch; } code { font-size: 12.5px; color: var(--faint); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px; }
.tile { border: 1px solid var(--rule); border-radius: 10px; padding: 12px 14px; }
.tile b { display: block; font-size: 25px; font-variant-numeric: tabular-nums; } .tile span { color: var(--faint); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 13px; }
th, td { padding: 5px 8px; text-align: right; border-bottom: 1px solid var(--rule); white-space: nowrap; }
th:first-child, td:first-child { text-align: left; } 
th { color: var(--faint); font-weight: 600; white-space: normal; vertical-align: bottom; }
tr.model td { font-weight: 700; background: #eef5fc; } tr.interval td { color: var(--faint); font-size: 12px; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(440px, 1fr)); gap: 18px; }
figure { margin: 0; border: 1px solid var(--rule); border-radius: 10px; padding: 12px; }
figure img { width: 100%; height: auto; max-height: 720px; object-fit: contain; display: block; }
figcaption { font-size: 13.5px; color: var(--faint); }
.cases figure { margin-bottom: 18px; } details { margin: 14px 0; } summary { cursor: pointer; font-weight: 600; }
"""


def evaluation_page(
    evaluation: Evaluation, book: ScoreBook, pictures: Sequence[Path], cost: Mapping[str, float] | None = None
) -> str:
    """The page. Without `cost` it follows from the scores alone, so that equal evaluations have equal pages."""
    parts = [
        f"<h1>Evaluation of {escape(evaluation.checkpoint[:23])}</h1>",
        f'<p class="lead">{escape(measured(evaluation))}</p>',
        tiles(evaluation, cost or {}),
        "<h2>The model beside the baselines</h2>",
        metrics(evaluation),
        "<h2>Plots</h2>",
        f'<div class="plots">{"".join(drawn(evaluation, book))}</div>',
        "<h2>Best, median and worst view</h2>",
        f'<div class="cases">{"".join(picture(path) for path in pictures)}</div>',
        *closed_loop(evaluation),
        "<h2>By stratum</h2>",
        strata(evaluation),
        "<h2>By scene, episode and view</h2>",
        *breakdowns(book),
        f"<p><code>{evaluation.checkpoint}<br>{evaluation.dataset}<br>plan {evaluation.plan}</code></p>",
    ]
    head = "<meta charset=utf-8><meta name=viewport content='width=device-width'><title>Evaluation</title>"
    body = "".join(parts)
    return f"<!doctype html><html lang=en><head>{head}<style>{STYLE}</style></head><body>{body}</body></html>\n"


def measured(evaluation: Evaluation) -> str:
    """What was asked, in a sentence."""
    return (
        f"{evaluation.views} views of {evaluation.scenes} scenes of the split {evaluation.split}, {evaluation.pairs} "
        "pairs of a view and an earlier keyframe. "
        f"Intervals cover {100 * evaluation.confidence:g} %, by bootstrap over scenes. "
        f"A blind guess names the right keyframe in {evaluation.chance:.3f} of the cases."
    )


def tiles(evaluation: Evaluation, cost: Mapping[str, float]) -> str:
    """The figures that are read first."""
    shown = [
        (METRICS[m].label, written(evaluation.model[m].value)) for m in ("kld", "pck10", "ap_none", "brier", "identity")
    ]
    if "latency" in cost:
        shown.append((f"ms a view (95 %: {1000 * cost['latency_p95']:.0f})", f"{1000 * cost['latency']:.0f}"))
        shown.append(("MB of weights or GPU", f"{cost['memory'] / 1e6:.1f}"))
    boxes = (f"<div class=tile><b>{value}</b><span>{escape(label)}</span></div>" for label, value in shown)
    return f'<div class="tiles">{"".join(boxes)}</div>'


def metrics(evaluation: Evaluation) -> str:
    """Every metric of every system; the model's intervals below its row."""
    names = [m for m in METRICS if m in evaluation.model]
    header = ["", *(f"{METRICS[m].label}{ARROWS[METRICS[m].better]}" for m in names)]
    rows = [("model", [NAMES[MODEL], *(written(evaluation.model[m].value) for m in names)])]
    for side, end in (("from", "low"), ("to", "high")):
        cells = [written(getattr(evaluation.model[m], end)) for m in names]
        rows.append(("interval", [f"{100 * evaluation.confidence:g} % {side}", *cells]))
    others = {name: figures for name, figures in evaluation.systems.items() if name != MODEL}
    rows += [("", [NAMES.get(name, name), *(figure(figures, m) for m in names)]) for name, figures in others.items()]
    return table(header, rows)


def drawn(evaluation: Evaluation, book: ScoreBook) -> list[str]:
    """The plots with what they show."""
    return [
        plot(plots.calibration_curves(book), "Calibration: on the dotted line, what is said is what is found."),
        plot(
            plots.error_curves(book),
            "How far the predicted mode lies from the true one; the lines are PCK .05, .1, .2.",
        ),
        plot(plots.kld_spread(book), "Mean KLD of each view; a steep end means that a few views are lost."),
        plot(plots.differences(evaluation, BASELINE), "Paired by view, with intervals; grey ones hold zero."),
    ]


def plot(svg: str, caption: str) -> str:
    """A plot as an image, so that the ids of several SVGs cannot meet."""
    data = base64.b64encode(svg.encode()).decode()
    return framed(f"data:image/svg+xml;base64,{data}", caption)


def picture(path: Path) -> str:
    """A drawn case."""
    data = base64.b64encode(path.read_bytes()).decode()
    return framed(f"data:image/png;base64,{data}", path.stem.replace("-", " "))


def framed(source: str, caption: str) -> str:
    """An image with its caption."""
    told = escape(caption)
    return f'<figure><img alt="{told}" src="{source}"><figcaption>{told}</figcaption></figure>'


def closed_loop(evaluation: Evaluation) -> list[str]:
    """The walks that follow the maps, beside those that bound them."""
    if not (rows := walkers_table(evaluation)):
        return []
    told = "habitat-lab's measures over the same episodes; an agent turns to where the map of the next waypoint says."
    body = [("model" if number == 0 else "", row) for number, row in enumerate(rows[1:])]
    return ["<h2>Walking in a closed loop</h2>", f'<p class="lead">{told}</p>', table(rows[0], body)]


def strata(evaluation: Evaluation) -> str:
    """The model in each manner of walking, with its intervals, beside the baseline."""
    names = [m for m in BY_GROUP if m in evaluation.model]
    header = ["", *(METRICS[m].label for m in names)]
    rows = []
    for name, found in sorted(evaluation.strata.items()):
        rows.append(("model", [name, *(signed_free(found[MODEL], m) for m in names)]))
        rows.append(("", [f"  {NAMES.get(BASELINE, BASELINE)}", *(figure(found.get(BASELINE, {}), m) for m in names)]))
    return table(header, rows)


def breakdowns(book: ScoreBook) -> list[str]:
    """Tables that open on a click: scenes and episodes from the worst on, then single views."""
    plan = book.plan
    scenes, episodes = (grouped(book, MODEL, by, BY_GROUP) for by in (plan.scene, plan.episode))
    worst = np.argsort(-np.nanmean(np.where(plan.valid, book.systems[MODEL].kld, np.nan), axis=1), kind="stable")
    views = [
        group(book, MODEL, f"{plan.episode[row]} frame {plan.frame[row]}", np.array([row]), BY_GROUP)
        for row in worst[:MOST_VIEWS]
    ]
    return [
        fold(f"{len(scenes)} scenes, worst first", groups(scenes), True),
        fold(f"{len(episodes)} episodes, worst first", groups(episodes)),
        fold(
            f"{len(views)} of {len(plan.scene)} views, worst first (views.parquet has all, by keyframe)", groups(views)
        ),
    ]


def groups(found: Sequence[Group]) -> str:
    """One row a group."""
    header = ["", "views", *(METRICS[m].label for m in BY_GROUP)]
    return table(header, [("", [g.name, str(g.views), *(written(g.figures[m]) for m in BY_GROUP)]) for g in found])


def fold(title: str, content: str, opened: bool = False) -> str:
    """A part that opens on a click."""
    return f"<details{' open' if opened else ''}><summary>{escape(title)}</summary>{content}</details>"


def table(header: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]]) -> str:
    """Rows with their class."""
    top = "".join(f"<th>{escape(cell)}</th>" for cell in header)
    body = "".join(
        f'<tr class="{kind}">{"".join(f"<td>{escape(cell)}</td>" for cell in cells)}</tr>' for kind, cells in rows
    )
    return f'<div class="scroll"><table><tr>{top}</tr>{body}</table></div>'


def signed_free(figures: Figures, metric: str) -> str:
    """A figure with its interval, without the sign that differences have."""
    return signed(figures[metric]).replace("+", "") if metric in figures else written(None)
