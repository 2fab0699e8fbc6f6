"""The training curve of a phase: every loss term over the steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model.draw.canvas import as_image, new_figure
from model.draw.palette import FAINT, INK, RULE, keyframe_colour, unit

TOTAL = "total"
SMOOTH = 0.03
"""Width of the smoothing, as a share of the curve's length."""


def training_curve(history: Sequence[Mapping[str, float]], title: str = "") -> Image.Image:
    """The terms of `history` on a logarithmic scale, smoothed, `total` bold above its raw values.

    Rows hold "step" and a value a term; a term may be missing from some rows.
    """
    figure, axes = new_figure(9, 4.6)
    steps, values = series(history, TOTAL)
    if len(steps):
        axes.plot(steps, values, color=unit(INK), lw=0.6, alpha=0.25)
        axes.plot(steps, smoothed(values), color=unit(INK), lw=2.4, label="total")
    curves = {
        name: series(history, name) for name in sorted({name for row in history for name in row} - {"step", TOTAL})
    }
    drawn = {name: (steps, smoothed(values)) for name, (steps, values) in curves.items() if len(steps)}
    # The legend lists the curves in the order in which they end.
    for number, name in enumerate(sorted(drawn, key=lambda name: -drawn[name][1][-1])):
        colour = unit(keyframe_colour(number))
        axes.plot(*drawn[name], color=colour, lw=1.4, ls="-" if number < 8 else "--", label=words(name))
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_title(title, loc="left", fontsize=12, fontweight="bold", color=unit(INK), pad=10)
    axes.set_xlabel("step", color=unit(FAINT))
    axes.grid(True, which="major", color=unit(RULE), lw=0.7)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(colors=unit(FAINT), labelsize=9, length=0, which="both")
    axes.margins(x=0.01)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, fontsize=9, labelcolor=unit(INK))
    return as_image(figure)


def series(history: Sequence[Mapping[str, float]], name: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Steps and values of the rows that hold a positive, finite `name`: others have no place on a logarithmic scale."""
    pairs = [(row["step"], row[name]) for row in history if name in row and 0 < row[name] < np.inf]
    steps, values = np.array(pairs, dtype=np.float64).reshape(-1, 2).T
    return steps, values


def smoothed(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Geometric mean under a Gaussian window, the ends renormalised."""
    if len(values) < 3:
        return values
    width = max(1.0, SMOOTH * len(values))
    reach = np.arange(-int(3 * width), int(3 * width) + 1)
    window = np.exp(-(reach**2) / (2 * width**2))
    total, weight = (np.convolve(v, window, mode="full") for v in (np.log(values), np.ones_like(values)))
    middle = slice(len(reach) // 2, len(reach) // 2 + len(values))
    return np.exp(total[middle] / weight[middle])


def words(name: str) -> str:
    """A term's name for people."""
    return name.replace("_", " ")
