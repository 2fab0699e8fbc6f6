"""The plan of a scene from above: rooms, walls, doors, furniture, the walk, and the cameras of a view's keyframes."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from model.draw.canvas import as_image, new_figure
from model.draw.palette import FAINT, INK, Colour, keyframe_colour, unit

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Float = NDArray[np.float64]

FLOORS: tuple[Colour, ...] = (
    (243, 238, 230), (232, 240, 238), (238, 236, 245), (245, 240, 222), (234, 241, 228), (247, 234, 232),
    (230, 238, 246),
)  # fmt: skip
WALL: Colour = (74, 80, 92)
FURNITURE: Colour = (211, 207, 200)

UNDRAWN = {"floor", "ceiling", "wall", "doorway", "door", "front door", "window", "rug"}
HANGING = 0.3
"""What begins higher above the floor than this, in metres, hangs on a wall or from the ceiling, and is left out."""

WALL_THICKNESS, WEDGE = 0.12, 0.9
"""Metres."""

WIDTH, LINE = 9.0, 110
"""Of the figure in inches, and of its caption in characters."""


@dataclass(frozen=True)
class Sheet:
    """Where the plan is drawn: turned by a quarter if that makes it lie flat."""

    axes: Axes
    turned: bool

    def place(self, points: ArrayLike) -> Float:
        """[..., 2] points or directions (x, z) in metres -> (right, down) on the sheet."""
        points = np.asarray(points, dtype=np.float64)
        return np.stack([points[..., 1], -points[..., 0]], axis=-1) if self.turned else points

    def fill(self, corners: ArrayLike, colour: Colour, order: float, **style: Any) -> None:
        """A filled polygon [n, 2]."""
        from matplotlib.patches import Polygon

        self.axes.add_patch(Polygon(self.place(corners), facecolor=unit(colour), zorder=order, **style))


def scene_plan(
    scene: Mapping[str, Any],
    poses: Float | None = None,
    keyframes: Sequence[int] = (),
    current: int = 0,
    hfov: float = 90.0,
    caption: str = "",
    names: bool = False,
) -> Image.Image:
    """A scene of `scenes.json` with a walk's camera poses [n, 4, 4] (OpenCV, metres), seen from above.

    `keyframes` and `current` are frame numbers of the walk: each gets a wedge of its field of view (degrees), keyframes
    in their colours and numbered, the current view in black. The walk after the current view is dotted. A pose of NaN
    is left out. Without poses the scene alone is drawn; with `names` its furniture is named.
    """
    poses = np.empty((0, 4, 4)) if poses is None else poses
    walk = poses[:, [0, 2], 3]
    outline = np.array([corner for room in scene["rooms"] for corner in room["polygon"]] or walk)
    extent = np.ptp(outline, axis=0)
    lines = textwrap.wrap(caption, LINE)
    height = WIDTH * (extent.min() + 0.9) / (extent.max() + 0.5)
    figure, axes = new_figure(WIDTH, min(12.0, max(2.5, height)) + 0.22 * len(lines))
    sheet = Sheet(axes, turned=bool(extent[1] > extent[0]))
    _rooms(sheet, scene)
    _furniture(sheet, scene, names)
    _walls(sheet, scene)
    if len(walk):
        _walk(sheet, walk, current)
        for slot, frame in enumerate(keyframes):
            _camera(sheet, poses[frame], hfov, keyframe_colour(slot), str(slot + 1), 9 + slot)
        _camera(sheet, poses[current], hfov, INK, "now", 9 + len(keyframes))
    corners = sheet.place(outline)
    low, high = corners.min(axis=0) - 0.25, np.add(corners.max(axis=0), (0.25, 0.65))
    _scale_bar(axes, low[0] + 0.2, high[1] - 0.2)
    axes.set_title("\n".join(lines), loc="left", fontsize=10, color=unit(INK))
    axes.set(xlim=(low[0], high[0]), ylim=(high[1], low[1]), aspect="equal")
    axes.set_axis_off()
    return as_image(figure)


def _rooms(sheet: Sheet, scene: Mapping[str, Any]) -> None:
    categories = sorted({room["category"] for room in scene["rooms"]})
    for room in scene["rooms"]:
        corners = np.array(room["polygon"])
        sheet.fill(corners, FLOORS[categories.index(room["category"]) % len(FLOORS)], order=1)
        x, y = sheet.place((corners.min(axis=0) + corners.max(axis=0)) / 2)
        sheet.axes.text(x, y, room["name"], ha="center", va="center", fontsize=8, color=unit(FAINT), zorder=6)


def _walls(sheet: Sheet, scene: Mapping[str, Any]) -> None:
    for x0, z0, x1, z1 in scene["walls"]:
        sheet.fill(_strip((x0, z0), (x1, z1), ends=WALL_THICKNESS / 2), WALL, order=4)
    for door in scene["doors"]:
        sheet.fill(_strip(door["start"], door["end"], ends=0.0), (255, 255, 255), order=4.5)


def _strip(start: ArrayLike, end: ArrayLike, ends: float) -> Float:
    """[4, 2] corners of a wall's rectangle around its middle line, `ends` metres longer at both ends."""
    first, last = np.array(start, dtype=np.float64), np.array(end, dtype=np.float64)
    along = (last - first) / max(1e-9, float(np.linalg.norm(last - first)))
    across = np.array([-along[1], along[0]]) * WALL_THICKNESS / 2
    first, last = first - along * ends, last + along * ends
    return np.stack([first - across, last - across, last + across, first + across])


def _furniture(sheet: Sheet, scene: Mapping[str, Any], names: bool) -> None:
    floor = min((room.get("floor", 0.0) for room in scene["rooms"]), default=0.0)
    for item in scene["objects"]:
        (x, y, z), (width, height, depth) = item["centre"], item["size"]
        if item["category"] in UNDRAWN or y - height / 2 - floor > HANGING:
            continue
        cosine, sine = np.cos(item["yaw"]), np.sin(item["yaw"])
        square = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * [width / 2, depth / 2]
        # A turn about +y takes the thing's x axis to (cos, -sin) and its z axis to (sin, cos) in (x, z).
        corners = square @ np.array([[cosine, -sine], [sine, cosine]]) + [x, z]
        sheet.fill(corners, FURNITURE, order=3, edgecolor="white", lw=0.8)
        if names:
            right, down = sheet.place((x, z))
            across, along = np.ptp(sheet.place(corners), axis=0)
            _name(sheet.axes, item["category"], right, down, upright=bool(along > across))


def _name(axes: Axes, text: str, x: float, y: float, upright: bool) -> None:
    """A small name, a word a line, written along the thing's longer side."""
    style: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": 5.5, "color": unit(INK), "zorder": 3.2}
    axes.text(x, y, text.replace(" ", "\n"), rotation=90 if upright else 0, linespacing=0.9, alpha=0.75, **style)


def _walk(sheet: Sheet, walk: Float, current: int) -> None:
    places, axes = sheet.place(walk), sheet.axes
    axes.plot(*places[: current + 1].T, color=unit(INK), lw=1.6, alpha=0.75, zorder=7, solid_joinstyle="round")
    axes.plot(*places[current:].T, color=unit(INK), lw=1.6, alpha=0.6, ls=(0, (1, 1.5)), zorder=7)
    axes.plot(*places[-1], "X", color=unit(INK), mec="white", mew=0.8, ms=9, zorder=8)


def _camera(sheet: Sheet, pose: Float, hfov: float, colour: Colour, name: str, order: float) -> None:
    """A wedge of the field of view from a dot, and in its middle the name: cameras at one place may look apart."""
    from matplotlib.patches import Wedge

    if np.isnan(pose).any():
        return
    (x, y), gaze = sheet.place(pose[[0, 2], 3]), sheet.place(pose[[0, 2], 2])
    right, down = gaze / np.linalg.norm(gaze)
    angle = float(np.degrees(np.arctan2(down, right)))
    fill: dict[str, Any] = {"facecolor": unit(colour), "alpha": 0.35, "lw": 0, "zorder": 3.5}
    sheet.axes.add_patch(Wedge((x, y), WEDGE, angle - hfov / 2, angle + hfov / 2, **fill))
    sheet.axes.plot(x, y, "o", color=unit(colour), mec="white", mew=0.8, ms=6, zorder=order)
    badge: dict[str, Any] = {"boxstyle": "round,pad=0.25", "fc": unit(colour), "ec": "white", "lw": 0.8}
    letters: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": 7, "fontweight": "bold", "color": "white"}
    x, y = x + 0.62 * WEDGE * right, y + 0.62 * WEDGE * down
    sheet.axes.text(x, y, name, bbox=badge, zorder=order + 0.5, **letters)


def _scale_bar(axes: Axes, x: float, y: float) -> None:
    axes.plot([x, x + 2], [y, y], color=unit(FAINT), lw=2, solid_capstyle="butt", zorder=6)
    axes.text(x + 2.1, y, "2 m", color=unit(FAINT), fontsize=8, va="center", zorder=6)
