"""The plots of the evaluation's page, as SVG text that is the same for equal scores."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from model.draw.palette import FAINT, INK, RULE, keyframe_colour, unit
from tasks.evaluate.breakdown import calibration
from tasks.evaluation import MODEL, Evaluation
from tasks.report import NAMES
from tasks.scores import ScoreBook
from tasks.summary import METRICS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COMPARED = ("slot_mean", "copy_previous", "oracle_10cm")
"""Systems that are drawn beside the model, where the evaluation has them."""


def calibration_curves(book: ScoreBook) -> str:
    """How often a place is in view, against how probable the system says it is."""
    figure, axes = canvas(5.2, 4.6)
    axes.plot([0, 1], [0, 1], color=unit(FAINT), lw=1, ls=":")
    for name, colour in systems(book.systems):
        curve = calibration(book.plan, book.systems[name])
        wide = 2.6 if name == MODEL else 1.4
        label = f"{NAMES.get(name, name)} (error {curve.error:.3f})"
        axes.plot(curve.said, curve.found, "o-", color=colour, lw=wide, ms=4 + wide, label=label)
    axes.set_xlabel("probability of being in view, as said", color=unit(INK))
    axes.set_ylabel("share that is in view", color=unit(INK))
    axes.set_xlim(-0.03, 1.03)
    axes.set_ylim(-0.03, 1.03)
    axes.set_aspect("equal")
    axes.legend(frameon=False, fontsize=8, loc="upper left")
    return svg(figure)


def error_curves(book: ScoreBook) -> str:
    """Share of the visible pairs whose mode lies within a distance of the target's: PCK over its threshold."""
    figure, axes = canvas(5.2, 4.6)
    counted = book.plan.valid & book.plan.visible
    at = np.linspace(0, 0.3, 121)
    for name, colour in systems(book.systems):
        distance = np.sort(book.systems[name].distance[counted])
        share = np.searchsorted(distance, at, side="right") / max(1, len(distance))
        axes.plot(at, share, color=colour, lw=2.6 if name == MODEL else 1.4, label=NAMES.get(name, name))
    for threshold in (0.05, 0.1, 0.2):
        axes.axvline(threshold, color=unit(RULE), lw=1, zorder=0)
    axes.set_xlabel("distance of the modes, share of the diagonal", color=unit(INK))
    axes.set_ylabel("share of visible pairs (PCK)", color=unit(INK))
    axes.set_ylim(0, 1.02)
    axes.margins(x=0.01)
    axes.legend(frameon=False, fontsize=8, loc="lower right")
    return svg(figure)


def differences(evaluation: Evaluation, against: str) -> str:
    """Paired differences from a baseline with their intervals, each so that right of zero is better."""
    found = {
        m: e for m, e in evaluation.differences.get(against, {}).items() if e.value is not None and e.low is not None
    }
    figure, axes = canvas(5.2, 0.6 + 0.36 * max(3, len(found)))
    for row, (metric, e) in enumerate(reversed(found.items())):
        assert e.value is not None and e.low is not None and e.high is not None
        better = METRICS[metric].better or 1
        low, high = sorted((better * e.low, better * e.high))
        sure = low > 0 or high < 0
        colour = unit(keyframe_colour(2 if low > 0 else 4)) if sure else unit(FAINT)
        axes.plot([low, high], [row, row], color=colour, lw=3, solid_capstyle="round")
        axes.plot(better * e.value, row, "o", color=colour, ms=6)
    axes.axvline(0, color=unit(INK), lw=1)
    axes.set_yticks(range(len(found)), [METRICS[m].label for m in reversed(found)])
    axes.set_xlabel(f"better than the {NAMES.get(against, against)} by", color=unit(INK))
    axes.set_ylim(-0.7, max(1, len(found)) - 0.3)
    return svg(figure)


def kld_spread(book: ScoreBook) -> str:
    """The views' mean KLD, sorted: where the hard ones begin."""
    figure, axes = canvas(5.2, 4.6)
    for name, colour in systems(book.systems):
        each = np.sort(np.nanmean(np.where(book.plan.valid, book.systems[name].kld, np.nan), axis=1))
        wide = 2.6 if name == MODEL else 1.4
        axes.plot(np.linspace(0, 100, len(each)), each, color=colour, lw=wide, label=NAMES.get(name, name))
    axes.set_xlabel("views, from the easiest to the hardest, %", color=unit(INK))
    axes.set_ylabel("mean KLD, nats", color=unit(INK))
    axes.set_yscale("symlog", linthresh=0.1)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_ylim(bottom=0)
    axes.margins(x=0.01)
    axes.legend(frameon=False, fontsize=8, loc="upper left")
    return svg(figure)


def systems(found: Mapping[str, object]) -> list[tuple[str, tuple[float, float, float]]]:
    """The systems that are drawn, with their colours; the model last, so that it lies on top."""
    shown = [name for name in COMPARED if name in found]
    colours = [unit(keyframe_colour(number)) for number in (3, 1, 5)]
    return [*zip(shown, colours, strict=False), (MODEL, unit(keyframe_colour(0)))]


def canvas(width: float, height: float) -> tuple[Figure, Axes]:
    """Axes in the house's colours."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    axes = figure.add_subplot()
    axes.grid(True, color=unit(RULE), lw=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left", "bottom"]].set_visible(False)
    axes.tick_params(colors=unit(FAINT), labelsize=9, length=0, which="both")
    return figure, axes


def svg(figure: Figure) -> str:
    """The figure as SVG, without date and with the same ids every time."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    stream = io.StringIO()
    with rc_context({"svg.hashsalt": "backsight"}):
        FigureCanvasSVG(figure).print_svg(stream, metadata={"Date": None})
    return stream.getvalue()
