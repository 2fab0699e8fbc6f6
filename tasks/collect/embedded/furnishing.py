"""Puts furniture into a room: against walls, into corners, in the middle; doors stay free and reachable."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import cv2
import numpy as np

from tasks.collect.embedded.furniture.piece import Piece
from tasks.collect.embedded.furniture.suites import Suite, Workshop
from tasks.collect.embedded.furniture.wishes import WISHES
from tasks.collect.embedded.plans import WALL
from tasks.collect.embedded.rooms import FloorPlan, Opening, Rect
from tasks.collect.embedded.shell import holes_of

BODY = 0.24
"""Half the width that a walker needs, metres."""
CELL = 0.1
TRIES = 24
LOW = 0.95
"""Furniture up to this height may stand before any window, metres."""
Bodies = list[tuple[Rect, float, float]]
"""Footprint, underside and top of things."""


@dataclass(frozen=True)
class Placed:
    """A piece with its place in the building."""

    piece: Piece
    x: float
    z: float
    yaw: float

    @property
    def footprint(self) -> Rect:
        """The axis-aligned rectangle around it on the floor."""
        w, _, d = self.piece.size
        c, s = abs(np.cos(self.yaw)), abs(np.sin(self.yaw))
        half_x, half_z = (w * c + d * s) / 2, (w * s + d * c) / 2
        return Rect(self.x - half_x, self.z - half_z, self.x + half_x, self.z + half_z)


@dataclass
class Layout:
    """What stands in a room so far."""

    interior: Rect
    openings: list[list[Opening]]
    """Doors and windows in the room's four sides (order of Rect.sides)."""
    keep_free: list[Rect] = field(default_factory=list)
    taken: Bodies = field(default_factory=list)
    hung: list[tuple[int, float, float, float, float]] = field(default_factory=list)
    """Side, from, to, bottom, top of what hangs on walls."""
    placed: list[Placed] = field(default_factory=list)


def furnish(plan: FloorPlan, room: int, shop: Workshop, leaves: list[Rect]) -> list[Placed]:
    """Furniture of one room by its category's wishes; what finds no place in some tries is left out."""
    cell = plan.rooms[room].cell
    layout = Layout(cell.grown(-WALL / 2), [openings_in(plan, room, side) for side in cell.sides()])
    for number, holes in enumerate(layout.openings):
        layout.keep_free += [in_front(layout.interior, number, door, 0.8) for door in holes if door.bottom == 0.0]
    layout.taken += [(leaf, 0.0, 2.0) for leaf in leaves if leaf.overlaps(layout.interior)]
    for number, wish in enumerate(WISHES[plan.rooms[room].category]):
        # The first wish makes the room what it is.
        tries = TRIES if number else 4 * TRIES
        if shop.rng.random() > wish.chance:
            continue
        for choice in wish.choices:
            suite = choice(shop)
            if any(try_place(layout, suite, *spot) for spot in spots(layout, suite, wish.where, tries, shop.rng)):
                break
    return layout.placed


def openings_in(plan: FloorPlan, room: int, side: Opening) -> list[Opening]:
    """Doors, windows and the front door in one side of a room."""
    front = plan.entrance
    here = front is not None and front.rooms[0] == room and front.axis == side.axis and abs(front.at - side.at) < 1e-6
    return holes_of(plan, room, side) + ([front] if here and front else [])


def in_front(interior: Rect, side: int, door: Opening, depth: float) -> Rect:
    """The floor before a door that must stay free."""
    low, high = door.low - 0.08, door.high + 0.08
    x0, z0, x1, z1 = interior.x0, interior.z0, interior.x1, interior.z1
    return (
        Rect(low, z0, high, z0 + depth),
        Rect(low, z1 - depth, high, z1),
        Rect(x0, low, x0 + depth, high),
        Rect(x1 - depth, low, x1, high),
    )[side]


YAWS = (0.0, np.pi, np.pi / 2, -np.pi / 2)
"""Turn of a thing with its back to each side (order of Rect.sides)."""


def spots(
    layout: Layout, suite: Suite, where: str, tries: int, rng: np.random.Generator
) -> Iterator[tuple[float, float, int, str]]:
    """Places to try: x, z, side at the back, manner."""
    room = layout.interior
    for _ in range(tries):
        side = int(rng.integers(4))
        along_x = side < 2
        w, d = (suite.width, suite.depth) if along_x else (suite.depth, suite.width)
        if where in ("centre", "floor"):
            if w > room.width - 0.2 or d > room.depth - 0.2:
                continue
            spread = 0.35 if where == "centre" else 0.8
            x = room.centre[0] + float(rng.uniform(-0.5, 0.5)) * (room.width - w) * spread
            z = room.centre[1] + float(rng.uniform(-0.5, 0.5)) * (room.depth - d) * spread
            yield x, z, side, where
            continue
        gap = 0.035 if where != "hung" else 0.0
        length = (room.width if along_x else room.depth) - suite.width - 0.06
        if length < 0:
            continue
        corner = where == "corner" or (where == "wall" and rng.random() < 0.35)
        share = float(rng.integers(2)) if corner else float(rng.uniform())
        place = 0.03 + share * length + suite.width / 2
        back = gap + suite.depth / 2
        yield (
            (room.x0 + place, room.z0 + back, side, where), (room.x0 + place, room.z1 - back, side, where),
            (room.x0 + back, room.z0 + place, side, where), (room.x1 - back, room.z0 + place, side, where),
        )[side]  # fmt: skip


def try_place(layout: Layout, suite: Suite, x: float, z: float, side: int, where: str) -> bool:
    """Place a suite if it fits; whether it did."""
    yaw = YAWS[side]
    c, s = np.cos(yaw), np.sin(yaw)
    placed = [Placed(m.piece, x + m.x * c + m.z * s, z - m.x * s + m.z * c, yaw + m.yaw) for m in suite.members]
    if where == "hung":
        return hang(layout, placed[0], side)
    placed = [p for p in placed if p.piece.floor or p.piece.base < 0.3 or not before_opening(layout, p, side)]
    bodies = [(p.footprint, p.piece.base, p.piece.base + p.piece.size[1]) for p in placed if p.piece.floor]
    if where == "floor":
        fits = layout.interior.holds(placed[0].footprint)
    else:
        fits = stands(layout, placed, side, where) and walkable(layout, [rect for rect, _, _ in bodies])
    if fits:
        layout.taken += bodies
        layout.placed += placed
        hung = [p for p in placed if not p.piece.floor and p.piece.base > 0.3]
        layout.hung += [(side, *extent(p, side), p.piece.base, p.piece.base + p.piece.size[1]) for p in hung]
    return fits


def stands(layout: Layout, placed: list[Placed], side: int, where: str) -> bool:
    """Whether a suite lies in the room, clear of doors, of other things and (when tall) of windows behind it."""
    x, z = placed[0].x, placed[0].z
    rects = [p.footprint for p in placed if p.piece.floor]
    whole = Rect(min(r.x0 for r in rects), min(r.z0 for r in rects), max(r.x1 for r in rects), max(r.z1 for r in rects))
    if not layout.interior.holds(whole) or not layout.interior.holds(Rect(x, z, x, z)):
        return False
    padded = whole.grown(0.02)
    if any(padded.overlaps(free) for free in layout.keep_free) or any(padded.overlaps(t) for t, _, _ in layout.taken):
        return False
    if where == "centre":
        return True
    return not any(
        before_opening(layout, p, side)
        or hits_hung(layout, side, *extent(p, side), p.piece.base, p.piece.base + p.piece.size[1])
        for p in placed
    )


def before_opening(layout: Layout, placed: Placed, side: int) -> bool:
    """Whether a thing with its back to a wall would stand or hang before a window there, or over a door."""
    low, high = extent(placed, side)
    top = placed.piece.base + placed.piece.size[1]
    return any(
        low < hole.high + 0.05 and high > hole.low - 0.05 and top > max(hole.bottom + 0.25, LOW)
        for hole in layout.openings[side]
        if hole.bottom > 0 or placed.piece.base > 0.3
    )


def extent(placed: Placed, side: int) -> tuple[float, float]:
    """From where to where a thing reaches along a wall."""
    rect = placed.footprint
    return (rect.x0, rect.x1) if side < 2 else (rect.z0, rect.z1)


def hits_hung(layout: Layout, side: int, low: float, high: float, bottom: float, top: float) -> bool:
    """Whether a stretch of wall is used by something that hangs there."""
    return any(s == side and low < b and high > a and bottom < t and top > f for s, a, b, f, t in layout.hung)


def hang(layout: Layout, thing: Placed, side: int) -> bool:
    """Hang a thing on a wall if nothing is there or stands before it."""
    low, high = extent(thing, side)
    bottom, top = thing.piece.base, thing.piece.base + thing.piece.size[1]
    if any(
        low < h.high + 0.1 and high > h.low - 0.1 and bottom < h.top + 0.06 and top > h.bottom - 0.06
        for h in layout.openings[side]
    ):
        return False
    if hits_hung(layout, side, low - 0.08, high + 0.08, bottom - 0.05, top + 0.05):
        return False
    space = thing.footprint.grown(0.3)
    if any(space.overlaps(rect) and top_of > bottom - 0.03 for rect, _, top_of in layout.taken):
        return False
    layout.hung.append((side, low, high, bottom, top))
    layout.placed.append(thing)
    return True


def walkable(layout: Layout, more: list[Rect]) -> bool:
    """Whether, with `more` on the floor, all doors still reach each other and no large part of the floor is cut off."""
    room = layout.interior
    shape = (int(room.depth / CELL) + 1, int(room.width / CELL) + 1)
    free = np.ones(shape, dtype=np.uint8)
    for rect in (*(t for t, bottom, _ in layout.taken if bottom < 1.2), *more):
        grown = rect.grown(BODY)
        free[
            span(grown.z0 - room.z0, grown.z1 - room.z0, shape[0]),
            span(grown.x0 - room.x0, grown.x1 - room.x0, shape[1]),
        ] = 0
    edge = round(BODY / CELL)
    free[:edge], free[-edge:], free[:, :edge], free[:, -edge:] = 0, 0, 0, 0
    # What stands before a door is free by construction; without it a door in a corner would count as blocked.
    for rect in layout.keep_free:
        inner = rect.grown(-BODY)
        free[
            span(inner.z0 - room.z0, inner.z1 - room.z0, shape[0]),
            span(inner.x0 - room.x0, inner.x1 - room.x0, shape[1]),
        ] = 1
    _, labels, stats, _ = cv2.connectedComponentsWithStats(free, connectivity=4)
    reached = set()
    for rect in layout.keep_free:
        row, column = int((rect.centre[1] - room.z0) / CELL), int((rect.centre[0] - room.x0) / CELL)
        reached.add(int(labels[min(row, shape[0] - 1), min(column, shape[1] - 1)]))
    areas = stats[1:, cv2.CC_STAT_AREA]
    return len(reached) == 1 and 0 not in reached and bool(areas.max() >= 0.85 * areas.sum())


def span(low: float, high: float, count: int) -> slice:
    """Cells between two lengths."""
    return slice(max(int(np.floor(low / CELL)), 0), max(min(int(np.ceil(high / CELL)), count), 0))
