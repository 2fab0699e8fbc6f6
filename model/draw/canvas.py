"""Matplotlib without its global state: a figure drawn in memory, given back as an image."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI = 144


def new_figure(width: float, height: float) -> tuple[Figure, Axes]:
    """A figure of so many inches with one axes; no pyplot, so that it works in threads and leaves nothing behind."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained", facecolor="white")
    return figure, figure.add_subplot()


def as_image(figure: Figure) -> Image.Image:
    """The drawn figure."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3].copy())
