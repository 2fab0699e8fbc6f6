"""Lineage as a picture: seeds at the top, verdicts at the bottom, the artefact that was asked about in the middle."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from model.draw.canvas import as_image
from model.draw.palette import FAINT, INK, KEYFRAMES, unit
from tasks.lineage.graph import Lineage, Node, depths
from tasks.lineage.text import short

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from PIL import Image

WIDTH, HEIGHT, GAP_X, GAP_Y = 3.0, 0.62, 0.3, 0.42
"""Of a box and of the spaces between, inches."""
MOST_ABREAST = 5
LONGEST_LINE = 46

COLOURS = {
    "seeds": KEYFRAMES[3],
    "dataset": KEYFRAMES[2],
    "shard": KEYFRAMES[3],
    "episode": KEYFRAMES[3],
    "checkpoint": KEYFRAMES[0],
    "evaluation": KEYFRAMES[1],
    "verdict": KEYFRAMES[4],
    "ledger": KEYFRAMES[6],
}


@dataclass(frozen=True)
class Box:
    """One box of the picture."""

    id: str
    kind: str
    title: str
    below: str
    """The small line."""
    bold: bool = False


def draw(lineage: Lineage) -> Image.Image:
    """The picture. Layers with many artefacts show the first and how many more there are."""
    from matplotlib.figure import Figure

    layer = layers(lineage)
    boxes = {id: box_of(lineage.nodes[id], id == lineage.root) for id in layer}
    edges = reduced(lineage, layer)
    if lineage.seeds:
        add_seeds(lineage, boxes, layer, edges)
    rows, place = arranged(boxes, layer)
    wide = max(len(row) for row in rows)
    size = (wide * (WIDTH + GAP_X) + 0.6, len(rows) * (HEIGHT + GAP_Y) + 0.5)
    figure = Figure(figsize=size, dpi=144, facecolor="white")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, size[0])
    axes.set_ylim(size[1], 0)
    axes.axis("off")
    centres = {
        id: (size[0] / 2 + x * (WIDTH + GAP_X), 0.25 + HEIGHT / 2 + y * (HEIGHT + GAP_Y))
        for id, (x, y) in place.items()
    }
    for upper, lower in edges:
        if upper in centres and lower in centres:
            connect(axes, centres[upper], centres[lower])
    for row in rows:
        for box in row:
            paint(axes, box, centres[box.id])
    return as_image(figure)


def layers(lineage: Lineage) -> dict[str, int]:
    """Node -> its row: ancestors above 0, the root at 0, descendants below."""
    up = {id: -depth for id, depth in depths(lineage.root, lineage.back).items()}
    return {**depths(lineage.root, lineage.forward), **up}


def reduced(lineage: Lineage, layer: Mapping[str, int]) -> list[tuple[str, str]]:
    """(upper, lower) for each step from one artefact to the next, without those that a longer way implies."""
    edges = {(parent, child) for child, parents in lineage.back.items() for parent in parents}
    edges |= {(parent, child) for parent, children in lineage.forward.items() for child in children}
    below: dict[str, set[str]] = defaultdict(set)
    for upper, lower in edges:
        below[upper].add(lower)
    reached: dict[str, set[str]] = {}
    for id in sorted(layer, key=lambda id: -layer[id]):
        reached[id] = set().union(*({child} | reached.get(child, set()) for child in below[id]))
    kept = {
        (upper, lower)
        for upper, lower in edges
        if not any(lower in reached.get(other, ()) for other in below[upper] if other != lower)
    }
    return sorted(kept)


def box_of(node: Node, bold: bool) -> Box:
    """What a box says."""
    told = [*(mark.upper() for mark in node.marks), *node.facts[:3]]
    return Box(node.id, node.kind, short(node.id), clipped(" · ".join(told)), bold)


def add_seeds(lineage: Lineage, boxes: dict[str, Box], layer: dict[str, int], edges: list[tuple[str, str]]) -> None:
    """One box for the seeds of each collection, above the dataset that they made."""
    for dataset in sorted({seed.dataset for seed in lineage.seeds}):
        mine = [seed for seed in lineage.seeds if seed.dataset == dataset]
        id, below = f"seeds/{dataset}", dataset if dataset in layer and dataset in lineage.back else lineage.root
        first, last = mine[0].episode, mine[-1].episode
        told = first if len(mine) == 1 else f"{first} … {last}"
        boxes[id] = Box(id, "seeds", f"{len(mine)} episodes, collection seed {mine[0].collection}", clipped(told))
        layer[id] = layer[below] - 1
        edges.append((id, below))


def arranged(
    boxes: Mapping[str, Box], layer: Mapping[str, int]
) -> tuple[list[list[Box]], dict[str, tuple[float, int]]]:
    """The rows from top to bottom, and each box's place: offset from the middle in boxes, row."""
    rows: list[list[Box]] = []
    place: dict[str, tuple[float, int]] = {}
    for depth in sorted(set(layer.values())):
        row = sorted(
            (boxes[id] for id in layer if layer[id] == depth), key=lambda box: (not box.bold, box.kind, box.id)
        )
        if len(row) > MOST_ABREAST:
            rest = len(row) - MOST_ABREAST + 1
            row = [*row[: MOST_ABREAST - 1], Box(f"more/{depth}", "more", f"and {rest} more", "")]
        for x, box in enumerate(row):
            place[box.id] = (x - (len(row) - 1) / 2, len(rows))
        rows.append(row)
    return rows, place


def connect(axes: Axes, upper: tuple[float, float], lower: tuple[float, float]) -> None:
    """A curve from the lower edge of one box to the upper edge of another."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    (x, y), (u, v) = (upper[0], upper[1] + HEIGHT / 2), (lower[0], lower[1] - HEIGHT / 2)
    middle = (y + v) / 2
    path = Path([(x, y), (x, middle), (u, middle), (u, v)], [Path.MOVETO, Path.CURVE4, Path.CURVE4, Path.CURVE4])
    axes.add_patch(PathPatch(path, fill=False, edgecolor=unit(FAINT), lw=1.1, zorder=1))


def paint(axes: Axes, box: Box, centre: tuple[float, float]) -> None:
    """A box with its two lines."""
    from matplotlib.patches import FancyBboxPatch

    colour = unit(COLOURS.get(box.kind, FAINT))
    corner = (centre[0] - WIDTH / 2, centre[1] - HEIGHT / 2)
    face = (*colour, 0.16) if box.bold else (1.0, 1.0, 1.0, 1.0)
    axes.add_patch(
        FancyBboxPatch(
            corner, WIDTH, HEIGHT, boxstyle="round,pad=0,rounding_size=0.08", lw=2.4 if box.bold else 1.2,
            edgecolor=colour, facecolor=face, zorder=2,
        )
    )  # fmt: skip
    lift = 0.11 if box.below else 0.0
    weight = "bold" if box.kind != "more" else "normal"
    axes.text(
        centre[0],
        centre[1] - lift,
        box.title,
        ha="center",
        va="center",
        fontsize=8.5,
        weight=weight,
        color=unit(INK),
        zorder=3,
    )
    axes.text(centre[0], centre[1] + 0.13, box.below, ha="center", va="center", fontsize=6.8, color=unit(INK), zorder=3)


def clipped(text: str) -> str:
    """As much as a box is wide."""
    return text if len(text) <= LONGEST_LINE else f"{text[: LONGEST_LINE - 1]}…"
