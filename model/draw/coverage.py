"""How much of the space that was seen the keyframes of each sampler cover, over their number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PIL import Image

from model.draw.canvas import as_image, new_figure
from model.draw.palette import FAINT, INK, RULE, keyframe_colour, unit


def coverage_curves(curves: Mapping[str, Sequence[float]], title: str) -> Image.Image:
    """Sampler -> share of the voxels covered by 1, 2, ... keyframes."""
    figure, axes = new_figure(7.5, 4.2)
    best_last = sorted(curves, key=lambda name: -curves[name][-1])
    for number, name in enumerate(best_last):
        counts = range(1, len(curves[name]) + 1)
        axes.plot(counts, curves[name], color=unit(keyframe_colour(number)), lw=2, marker="o", ms=3.5, label=name)
    axes.set_title(title, loc="left", fontsize=12, fontweight="bold", color=unit(INK))
    axes.set_xlabel("keyframes", color=unit(FAINT))
    axes.set_ylabel("share of the space seen", color=unit(FAINT))
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.grid(True, color=unit(RULE), lw=0.7)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(colors=unit(FAINT), labelsize=9, length=0)
    axes.set_ylim(bottom=0)
    axes.legend(loc="lower right", frameon=False, fontsize=9, labelcolor=unit(INK))
    return as_image(figure)
