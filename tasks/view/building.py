"""The plan of a building, floor by floor, and some views into its rooms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from model.draw.overlay import enlarge
from model.draw.palette import FAINT, INK, PAPER, font
from model.draw.plan import UNDRAWN, scene_plan
from tasks.collect.camera import Camera, camera_pose
from tasks.collect.simulator import Observation, Points, Simulator
from tasks.collect.storeys import captions, floors_of

WIDTH, MARGIN, GAP, HEADER = 1300, 30, 10, 64
CAMERA = Camera(320, 240, 90.0)
EYE, PITCH = 1.4, -0.1
"""Metres above the floor, and radians."""
COLUMNS = 4
STEP = 0.5
"""Metres by which feet and the floor of their room may differ."""
SMALLEST = 0.005
"""Share of a picture from which on a thing counts as seen."""


def building_sheet(scene: dict[str, Any], title: str, views: Sequence[tuple[str, Any]] = ()) -> Image.Image:
    """The plan of a scene of scenes.json, one below the other for each floor, then `views` (name, [H, W, 3])."""
    floors = floors_of(scene)
    drawn = [scene_plan(floor, names=True, caption=said) for floor, said in zip(floors, captions(floors), strict=True)]
    plans = [enlarge(np.asarray(plan), WIDTH - 2 * MARGIN) for plan in drawn]
    tile = (WIDTH - 2 * MARGIN - (COLUMNS - 1) * GAP) // COLUMNS
    pictures = [(name, enlarge(picture, tile)) for name, picture in views]
    row = pictures[0][1].height + 24 if pictures else 0
    height = HEADER + MARGIN + sum(plan.height + GAP for plan in plans) + -(-len(pictures) // COLUMNS) * row + MARGIN
    sheet = Image.new("RGB", (WIDTH, height), PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((MARGIN, MARGIN), title, INK, font(24, bold=True))
    draw.text((MARGIN, MARGIN + 34), facts(scene), FAINT, font(15))
    y = HEADER + MARGIN
    for plan in plans:
        sheet.paste(plan, (MARGIN, y))
        y += plan.height + GAP
    for place, (name, picture) in enumerate(pictures):
        x, top = MARGIN + place % COLUMNS * (tile + GAP), y + place // COLUMNS * row
        sheet.paste(picture, (x, top))
        draw.text((x, top + picture.height + 2), name, FAINT, font(13))
    return sheet


def facts(scene: dict[str, Any]) -> str:
    """A line of figures."""
    area = sum(polygon_area(np.array(room["polygon"])) for room in scene["rooms"])
    things = sum(thing["category"] not in UNDRAWN for thing in scene["objects"])
    counts = (
        f"{len(scene['rooms'])} rooms",
        f"{area:.0f} m²",
        f"{things} pieces of furniture",
        f"{len(scene['doors'])} doors",
    )
    return "  ·  ".join(counts)


def polygon_area(corners: Points) -> float:
    """Square metres of a polygon [n, 2] (Gauss's area formula)."""
    x, z = corners.T
    return float(abs(np.dot(x, np.roll(z, -1)) - np.dot(z, np.roll(x, -1))) / 2)


def room_views(simulator: Simulator, count: int) -> list[tuple[str, Any]]:
    """`count` pictures of the simulator's scene, from places far apart, each looking where it sees most things."""
    rng = np.random.default_rng(0)
    views = []
    for place in spread_out(simulator.navigable_points(40 * count, rng, 0.3), count):
        eye = place + np.array([0.0, EYE, 0.0])
        seen = [simulator.render(camera_pose(eye, float(h), PITCH), CAMERA) for h in np.arange(8) * np.pi / 4]
        best = max(seen, key=lambda one: (things_seen(one), float(np.median(one.depth))))
        views.append((room_name(simulator, place), best.rgb))
    return views


def room_name(simulator: Simulator, place: Points) -> str:
    """Name of the room in which someone stands at `place` ([3], metres); empty in a doorway or on stairs."""
    x, y, z = place.tolist()
    here = (room for room in simulator.graph.rooms if room.contains(x, z) and abs(room.floor - y) < STEP)
    return next((room.name for room in here), "")


def things_seen(seen: Observation) -> int:
    """Things that cover enough of a picture to be made out."""
    _, pixels = np.unique(seen.semantic[seen.semantic > 0], return_counts=True)
    return int((pixels >= SMALLEST * seen.semantic.size).sum())


def spread_out(points: Points, count: int) -> Points:
    """[count, 3] of points [n, 3], each the farthest from those chosen before it."""
    chosen = [0]
    far = np.full(len(points), np.inf)
    while len(chosen) < min(count, len(points)):
        far = np.minimum(far, np.linalg.norm(points - points[chosen[-1]], axis=1))
        chosen.append(int(np.argmax(far)))
    return points[chosen]
