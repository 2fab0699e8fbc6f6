"""What a building has before anyone moves in: floors, ceilings, walls with holes, skirting, doors, windows."""

from __future__ import annotations

import numpy as np

from tasks.collect.embedded.materials import LAYER, PICTURES
from tasks.collect.embedded.meshes import Colour, Floats, Quads, Solids, flat_quads
from tasks.collect.embedded.plans import WALL
from tasks.collect.embedded.rooms import FloorPlan, Opening, Rect
from tasks.collect.embedded.style import RoomStyle

TRIM = (0.92, 0.91, 0.88)
CEILING = (0.95, 0.95, 0.94)
JAMB = 0.03
"""How far a frame narrows its opening on each side, metres."""


def breaks(low: float, high: float, cuts: list[float], step: float) -> Floats:
    """Places at which a surface is divided, so that light baked at corners can fall off near edges; ends included."""
    inner = [low + 0.12, low + 0.4, high - 0.4, high - 0.12] if high - low > 1.0 else [(low + high) / 2]
    marks = sorted({round(v, 4) for v in (low, high, *inner, *cuts) if low - 1e-6 <= v <= high + 1e-6})
    places = [marks[0]]
    for mark in marks[1:]:
        pieces = max(1, int(np.ceil((mark - places[-1]) / step - 1e-6)))
        places += list(np.linspace(places[-1], mark, pieces + 1)[1:])
    return np.array(places)


def cells(a: Floats, b: Floats) -> Floats:
    """[n, 4, 2] corners of the rectangles between the breaks on two axes, counter-clockwise in (a, b)."""
    a0, b0 = (v.ravel() for v in np.meshgrid(a[:-1], b[:-1], indexing="ij"))
    a1, b1 = (v.ravel() for v in np.meshgrid(a[1:], b[1:], indexing="ij"))
    return np.stack([np.stack(p, axis=1) for p in ((a0, b0), (a1, b0), (a1, b1), (a0, b1))], axis=1)


def level(
    rect: Rect, y: float, facing_up: bool, step: float, scale: float, look: tuple[int, Colour], ids: tuple[int, int]
) -> Quads:
    """A horizontal surface; `look` = (layer, tint), `ids` = (object, room)."""
    flat = cells(breaks(rect.x0, rect.x1, [], step), breaks(rect.z0, rect.z1, [], step))
    if facing_up:
        flat = flat[:, ::-1]
    corners = np.stack([flat[..., 0], np.full(flat.shape[:2], y), flat[..., 1]], axis=-1)
    return flat_quads(corners, flat / scale, *look, *ids)


def wall(
    side: Opening,
    inward: float,
    at: float,
    height: float,
    holes: list[Opening],
    look: tuple[int, Colour],
    ids: tuple[int, int],
) -> Quads:
    """The inner face of one wall (at coordinate `at`, facing `inward` = +-1 on the other axis) without its holes."""
    low, high = side.low + WALL / 2, side.high - WALL / 2
    along = breaks(low - 0.01, high + 0.01, [v for hole in holes for v in (hole.low, hole.high)], 0.9)
    flat = cells(along, breaks(0.0, height, [v for hole in holes for v in (hole.bottom, hole.top)], 0.9))
    middle = flat.mean(axis=1)
    for hole in holes:
        a, y = middle.T
        outside = (a < hole.low) | (a > hole.high) | (y < hole.bottom) | (y > hole.top)
        flat, middle = flat[outside], middle[outside]
    uv = flat.copy()
    # Along the wall and up must turn into the normal: on x that is the normal's sign, on z its opposite.
    if inward * (1 if side.axis == "x" else -1) < 0:
        flat, uv = flat[:, ::-1], uv[:, ::-1]
    fixed = np.full(flat.shape[:2], at)
    first, last = (flat[..., 0], fixed) if side.axis == "x" else (fixed, flat[..., 0])
    return flat_quads(np.stack([first, flat[..., 1], last], axis=-1), uv, *look, *ids)


def holes_of(plan: FloorPlan, room: int, side: Opening) -> list[Opening]:
    """Doors and windows in one side of a room."""
    openings = (*plan.doors, *plan.windows)
    return [o for o in openings if room in o.rooms and o.axis == side.axis and abs(o.at - side.at) < 1e-6]


def room_surfaces(plan: FloorPlan, room: int, style: RoomStyle, ids: dict[str, int], solids: Solids) -> list[Quads]:
    """Floor, ceiling and four walls of a room as quads; its skirting goes to `solids`. `ids`: floor, ceiling, wall."""
    cell = plan.rooms[room].cell
    parts = [
        level(cell, 0.0, True, 0.3, style.floor_scale, (style.floor_layer, style.floor), (ids["floor"], room)),
        level(cell, plan.height, False, 0.9, 1.5, (LAYER["plaster"], CEILING), (ids["ceiling"], room)),
    ]
    for number, side in enumerate(cell.sides()):
        inward = 1.0 if number % 2 == 0 else -1.0
        at = side.at + inward * WALL / 2
        accent = number == style.accent_side
        look = (style.accent_layer, style.accent) if accent else (style.wall_layer, style.wall)
        holes = holes_of(plan, room, side)
        parts.append(wall(side, inward, at, plan.height, holes, look, (ids["wall"], room)))
        skirting(side, at + inward * 0.006, [hole for hole in holes if hole.bottom == 0.0], ids["wall"], room, solids)
    return parts


def skirting(side: Opening, at: float, doors: list[Opening], object_id: int, room: int, solids: Solids) -> None:
    """A low strip along a wall, interrupted by doors."""
    low = side.low + WALL / 2
    for start, end in [*sorted((d.low - 0.05, d.high + 0.05) for d in doors), (side.high - WALL / 2, side.high)]:
        if start > low:
            strip = Solids()
            strip.box(0, 0, 0, start - low, 0.07, 0.014, TRIM)
            piece = Opening(side.axis, at, low, start)
            solids.place(strip, *piece.middle, 0.0 if side.axis == "x" else np.pi / 2, object_id, room)
        low = end


def frame(opening: Opening, tint: Colour, outer: float = 0.0) -> Solids:
    """Jambs, lintel and (for windows) sill around an opening, in its own frame: x along the wall, z across it."""
    parts, width, top = Solids(), opening.length, opening.top
    depth = WALL + 0.03 + outer
    z = -outer / 2
    low = opening.bottom
    for sign in (-1, 1):
        parts.box(
            sign * (width / 2 + 0.02 - JAMB / 2),
            max(low - 0.04, 0),
            z,
            0.04 + JAMB,
            top + 0.04 - max(low - 0.04, 0),
            depth,
            tint,
        )
    parts.box(0, top - JAMB, z, width + 0.08, 0.04 + JAMB, depth, tint)
    if low > 0:
        parts.box(0, low - 0.04, z + 0.03, width + 0.14, 0.04 + JAMB, depth + 0.06, tint)
    return parts


def door_leaf(opening: Opening, hinge: float, inward: float, tint: Colour) -> Solids:
    """A leaf swung open by 90 degrees; `hinge` = -1 / 1 for the low / high end, `inward` = side (z) it swings to."""
    parts, length = Solids(), opening.length - 2 * JAMB
    x, z = hinge * (opening.length / 2 - JAMB - 0.02), inward * (length / 2 + WALL / 2)
    parts.box(x, 0.01, z, 0.04, opening.top - 0.05, length, tint, LAYER["wood"])
    parts.box(x - hinge * 0.03, 1.0, z + inward * (length / 2 - 0.1), 0.08, 0.03, 0.12, (0.75, 0.74, 0.70))
    return parts


def pane(opening: Opening, picture: int, tint: Colour) -> Solids:
    """A window's glass with the view behind it and its bars, in the opening's own frame facing +z."""
    parts, width, height = Solids(), opening.length, opening.top - opening.bottom
    parts.panel(0, opening.bottom - 0.02, -0.09, width + 0.06, height + 0.04, (1.0, 1.0, 1.0), PICTURES + picture, 1.0)
    parts.box(0, opening.bottom, -0.07, 0.05, height, 0.03, tint)
    if height > 1.0:
        parts.box(0, opening.bottom + height * 0.68, -0.07, width, 0.04, 0.03, tint)
    return parts


def front_door(tint: Colour) -> Solids:
    """A closed door with panels on the inside of an outer wall, facing +z."""
    parts = Solids()
    parts.box(0, 0, 0.025, 1.06, 2.12, 0.05, TRIM)
    parts.box(0, 0, 0.045, 0.92, 2.04, 0.05, tint, LAYER["wood"])
    for y in (0.25, 1.15):
        parts.box(0, y, 0.075, 0.6, 0.65, 0.012, tuple(0.85 * c for c in tint), LAYER["wood"])  # type: ignore[arg-type]
    parts.box(0.36, 1.0, 0.09, 0.1, 0.04, 0.05, (0.8, 0.75, 0.5))
    return parts
