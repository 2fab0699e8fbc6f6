"""Floor plans by seed: rooms that tile a footprint, doors between them, windows to the outside. Metres, (x, z)."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np

from tasks.collect.embedded.kinds import KINDS, Kind, roomier
from tasks.collect.embedded.layouts import LAYOUTS
from tasks.collect.embedded.program import DOOR_COST, OPEN_PAIRS, room_program
from tasks.collect.embedded.rooms import FloorPlan, Opening, RoomPlan, shared_edge, snap

WALL = 0.12
"""Thickness of a wall; a room's interior is its cell shrunk by half of it."""
DOOR_HEIGHT = 2.05
FRONT_DOOR = 1.0
LEAST_SIDE = 1.6
"""Rooms narrower than this are planned again."""


def floor_plan(rng: np.random.Generator, fewest: int, most: int, kind: Kind = KINDS["homes"]) -> FloorPlan:
    """A plan with `fewest`..`most` rooms in which every room can be reached from every other."""
    while True:
        categories, areas = room_program(rng, int(rng.integers(fewest, most + 1)))
        cells = [roomier(cell, kind) for cell in LAYOUTS[categories.count("hallway")](rng, areas)]
        rooms = tuple(RoomPlan(category, cell) for category, cell in zip(categories, cells, strict=True))
        doors = passages(rng, rooms)
        if doors is not None and min(min(room.cell.width, room.cell.depth) for room in rooms) > LEAST_SIDE - 1e-6:
            height = snap(rng.uniform(2.5, 2.95) + kind.lift)
            front = entrance(rng, rooms)
            return centred(FloorPlan(rooms, doors, windows(rng, rooms, height, front), front, height))


def centred(plan: FloorPlan) -> FloorPlan:
    """The same plan with its footprint's middle at the origin."""
    bounds = plan.bounds
    dx, dz = -snap((bounds.x0 + bounds.x1) / 2), -snap((bounds.z0 + bounds.z1) / 2)
    rooms = tuple(replace(room, cell=room.cell.moved(dx, dz)) for room in plan.rooms)
    doors = tuple(door.moved(dx, dz) for door in plan.doors)
    windows = tuple(window.moved(dx, dz) for window in plan.windows)
    front = plan.entrance.moved(dx, dz) if plan.entrance else None
    return replace(plan, rooms=rooms, doors=doors, windows=windows, entrance=front)


def passages(rng: np.random.Generator, rooms: tuple[RoomPlan, ...]) -> tuple[Opening, ...] | None:
    """Doors that connect all rooms (cheapest spanning tree), and some more that close loops; None where none do."""
    edges = []
    for a, b in combinations(range(len(rooms)), 2):
        edge = shared_edge(rooms[a].cell, rooms[b].cell)
        if edge is not None and edge.length >= 1.35:
            edges.append((door_cost(rooms[a].category, rooms[b].category) + rng.uniform(0, 1.5), a, b, edge))
    parent = list(range(len(rooms)))

    def root(i: int) -> int:
        while parent[i] != i:
            i = parent[i]
        return i

    chosen = []
    for cost, a, b, edge in sorted(edges, key=lambda e: e[:3]):
        joins = root(a) != root(b)
        parent[root(a)] = root(b)
        again = 0.75 if cost < 2.5 else 0.3 if cost < 6.5 else 0.0
        if joins or rng.random() < again:
            chosen.append(passage(rng, rooms, a, b, edge))
    connected = len({root(i) for i in range(len(rooms))}) == 1
    return tuple(chosen) if connected else None


def door_cost(a: str, b: str) -> float:
    """How unusual a door between rooms of two categories is."""
    if "hallway" in (a, b):
        return 0.0
    if frozenset((a, b)) in OPEN_PAIRS:
        return 1.0
    return DOOR_COST.get(a, 2.0) + DOOR_COST.get(b, 2.0)


def passage(rng: np.random.Generator, rooms: tuple[RoomPlan, ...], a: int, b: int, edge: Opening) -> Opening:
    """A door, or a wide opening between rooms that often flow into one another, somewhere on their shared edge."""
    pair = frozenset((rooms[a].category, rooms[b].category))
    wide = pair in OPEN_PAIRS and edge.length >= 2.4 and rng.random() < 0.6
    width = snap(rng.uniform(1.4, min(2.4, edge.length - 0.7))) if wide else snap(rng.uniform(0.85, 1.0))
    margin = 0.22
    low = snap(edge.low + margin + rng.uniform(0, 1) * (edge.length - width - 2 * margin))
    top = DOOR_HEIGHT + (0.2 if wide else 0.0)
    return replace(
        edge, rooms=(a, b), low=low, high=snap(low + width), bottom=0.0, top=top, leaf=not wide and rng.random() < 0.75
    )


def entrance(rng: np.random.Generator, rooms: tuple[RoomPlan, ...]) -> Opening | None:
    """A front door into the hallway, else into the living room, where an outer wall is long enough."""
    names = [room.category for room in rooms]
    room = names.index("hallway" if "hallway" in names else "living room")
    edges = [edge for edge in outer_edges(room, rooms) if edge.length >= 1.25]
    if not edges:
        return None
    edge = edges[int(rng.integers(len(edges)))]
    low = snap(edge.low + 0.1 + rng.uniform(0, 1) * (edge.length - 0.2 - FRONT_DOOR))
    return replace(edge, rooms=(room, -1), low=low, high=snap(low + FRONT_DOOR), top=DOOR_HEIGHT)


def windows(
    rng: np.random.Generator, rooms: tuple[RoomPlan, ...], height: float, front: Opening | None
) -> tuple[Opening, ...]:
    """Windows in walls that face the outside, clear of the front door; their second room is -1."""
    found = []
    for i, room in enumerate(rooms):
        for edge in outer_edges(i, rooms):
            found += windows_of(rng, i, room.category, edge, height)
    return tuple(window for window in found if front is None or not meet(window, front))


def meet(a: Opening, b: Opening) -> bool:
    """Whether two openings lie in the same wall less than 30 cm apart."""
    in_line = a.axis == b.axis and abs(a.at - b.at) < 1e-6
    return in_line and a.low < b.high + 0.3 and b.low < a.high + 0.3


def windows_of(rng: np.random.Generator, i: int, category: str, edge: Opening, height: float) -> list[Opening]:
    """None, one or two windows in one outer wall."""
    small = category in ("bathroom", "storage room", "laundry room")
    if edge.length < 1.2 or rng.random() < (0.4 if small else 0.12):
        return []
    count = 2 if edge.length > 4.6 and not small else 1
    sill = 1.35 if small else snap(rng.choice([0.45, 0.9, 0.9]))
    top = min(height - 0.25, 2.15)
    found = []
    for n in range(count):
        low, high = edge.low + edge.length * n / count, edge.low + edge.length * (n + 1) / count
        width = snap(min(0.7 if small else rng.uniform(1.0, 2.0), high - low - 0.6))
        middle = (low + high) / 2 + rng.uniform(-0.15, 0.15)
        start = snap(middle - width / 2)
        found.append(replace(edge, rooms=(i, -1), low=start, high=snap(start + width), bottom=sill, top=top))
    return found


def outer_edges(i: int, rooms: tuple[RoomPlan, ...]) -> list[Opening]:
    """The parts of a cell's four sides that no other cell shares."""
    cell, edges = rooms[i].cell, []
    shared = [shared_edge(cell, other.cell) for j, other in enumerate(rooms) if j != i]
    for side in cell.sides():
        taken = sorted((s.low, s.high) for s in shared if s and s.axis == side.axis and abs(s.at - side.at) < 1e-6)
        low = side.low
        for start, end in [*taken, (side.high, side.high)]:
            if start - low > 0.6:
                edges.append(replace(side, low=low, high=start))
            low = max(low, end)
    return edges
