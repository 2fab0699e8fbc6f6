"""Builds one floor: surfaces, doors, windows, furniture, lamps, light; each thing with its id."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tasks.collect.embedded import pictures as art
from tasks.collect.embedded import shell
from tasks.collect.embedded.furnishing import Placed, furnish
from tasks.collect.embedded.furniture.suites import Workshop
from tasks.collect.embedded.kinds import KINDS, Kind
from tasks.collect.embedded.lighting import RoomLight
from tasks.collect.embedded.meshes import Quads, Solids
from tasks.collect.embedded.plans import WALL
from tasks.collect.embedded.rooms import FloorPlan, Opening, Rect
from tasks.collect.embedded.style import RoomStyle, scaled
from tasks.collect.simulator import Door, SceneObject

OUTDOOR_VIEWS = 3
STAIRCASE = "staircase"
"""Category of the room that joins two floors."""


@dataclass
class Site:
    """One floor of a building while it is built; its own floor lies at y = 0."""

    plan: FloorPlan
    styles: list[RoomStyle]
    rng: np.random.Generator
    kind: Kind = KINDS["homes"]
    solids: Solids = field(default_factory=Solids)
    quads: list[Quads] = field(default_factory=list)
    objects: list[SceneObject] = field(default_factory=list)
    doors: list[Door] = field(default_factory=list)
    obstacles: list[Rect] = field(default_factory=list)
    shadows: list[tuple[int, Rect, float]] = field(default_factory=list)

    def register(
        self,
        category: str,
        name: str,
        room: int,
        centre: tuple[float, float, float],
        size: tuple[float, float, float],
        yaw: float = 0.0,
    ) -> int:
        """Give an object the next id (from 1)."""
        number = len(self.objects) + 1
        rounded = tuple(round(float(v), 3) for v in centre), tuple(round(float(v), 3) for v in size)
        self.objects.append(SceneObject(number, category, name, room, *rounded, round(float(yaw), 4)))  # type: ignore[arg-type]
        return number

    @property
    def lived_in(self) -> list[int]:
        """The rooms that are built and furnished as rooms are: all but a staircase."""
        return [i for i, room in enumerate(self.plan.rooms) if room.category != STAIRCASE]


def put_up(site: Site) -> list[Rect]:
    """Floors, walls, doors and windows; returns where door leaves stand open."""
    for i in site.lived_in:
        surfaces(site, i)
    leaves = [leaf for door in site.plan.doors for leaf in hang_door(site, door)]
    for window in site.plan.windows:
        set_window(site, window)
    if site.plan.entrance:
        set_front_door(site, site.plan.entrance)
    return leaves


def fit_out(site: Site, paintings: list[int], leaves: list[Rect]) -> None:
    """Furniture and lamps; `paintings` are pictures that may hang on walls."""
    for i in site.lived_in:
        for placed in furnish(site.plan, i, Workshop(site.rng, site.styles[i], paintings), leaves):
            stand(site, placed, i)
        lamp(site, i)


def draw_pictures(rng: np.random.Generator, rooms: int) -> tuple[NDArray[np.uint8], list[int]]:
    """[P, S, S, 3] pictures for windows and walls of so many rooms, and which of them are for walls."""
    drawn = [art.outdoors(rng) for _ in range(OUTDOOR_VIEWS)]
    drawn += [art.painting(rng) for _ in range(2 * rooms + 2)]
    return np.stack(drawn), list(range(OUTDOOR_VIEWS, len(drawn)))


def surfaces(site: Site, room: int) -> None:
    """Floor, ceiling and walls, each one object of its room."""
    cell, height = site.plan.rooms[room].cell.grown(-WALL / 2), site.plan.height
    (x, z), w, d = cell.centre, cell.width, cell.depth
    ids = {
        "floor": site.register("floor", "floor", room, (x, 0, z), (w, 0, d)),
        "ceiling": site.register("ceiling", "ceiling", room, (x, height, z), (w, 0, d)),
        "wall": site.register("wall", f"{site.styles[room].paint} wall", room, (x, height / 2, z), (w, height, d)),
    }
    site.quads += shell.room_surfaces(site.plan, room, site.styles[room], ids, site.solids)


def hang_door(site: Site, door: Opening) -> list[Rect]:
    """Frame and leaf of a passage; the leaf's footprint. It swings into the larger room, to the nearer corner."""
    a, b = door.rooms
    yaw = 0.0 if door.axis == "x" else np.pi / 2
    x, z = door.middle
    category = "door" if door.leaf else "doorway"
    number = site.register(category, category, a, (x, door.top / 2, z), (door.length, door.top, WALL), yaw)
    site.doors.append(Door(number, (a, b), *door.ends))
    tone = site.styles[a].wood if site.rng.random() < 0.4 else shell.TRIM
    site.solids.place(shell.frame(door, shell.TRIM), x, z, yaw, number, a)
    posts = [Rect(*sorted_box(door, end)) for end in (-1, 1)]
    site.obstacles += posts
    if not door.leaf:
        return []
    cells = [site.plan.rooms[i].cell for i in (a, b)]
    target = cells[0] if min(cells[0].width, cells[0].depth) > min(cells[1].width, cells[1].depth) else cells[1]
    low, high, middle = (
        (target.x0, target.x1, target.centre[1]) if door.axis == "x" else (target.z0, target.z1, target.centre[0])
    )
    near_low = door.low - low < high - door.high
    inward = 1.0 if middle > door.at else -1.0
    hinge = (-1.0 if near_low else 1.0) * (1.0 if door.axis == "x" else -1.0)
    site.solids.place(shell.door_leaf(door, hinge, inward, tone), x, z, yaw, number, b if target is cells[1] else a)
    along = door.low + 0.05 if near_low else door.high - 0.05
    reach = sorted((door.at, door.at + inward * (door.length + WALL / 2)))
    spread = (along - 0.03, along + 0.03)
    leaf = (
        Rect(spread[0], reach[0], spread[1], reach[1])
        if door.axis == "x"
        else Rect(reach[0], spread[0], reach[1], spread[1])
    )
    site.obstacles.append(leaf)
    return [leaf]


def sorted_box(door: Opening, end: int) -> tuple[float, float, float, float]:
    """Footprint (x0, z0, x1, z1) of one jamb."""
    low, high = (door.low - 0.04, door.low + shell.JAMB) if end < 0 else (door.high - shell.JAMB, door.high + 0.04)
    near, far = door.at - WALL / 2 - 0.02, door.at + WALL / 2 + 0.02
    return (low, near, high, far) if door.axis == "x" else (near, low, far, high)


def inward_yaw(site: Site, opening: Opening) -> float:
    """Turn that makes +z point from an outer wall into its room."""
    x, z = site.plan.rooms[opening.rooms[0]].cell.centre
    if opening.axis == "x":
        return 0.0 if z > opening.at else np.pi
    return np.pi / 2 if x > opening.at else -np.pi / 2


def set_window(site: Site, window: Opening) -> None:
    """Frame, glass and view of a window."""
    yaw, (x, z) = inward_yaw(site, window), window.middle
    height = window.top - window.bottom
    number = site.register(
        "window", "window", window.rooms[0], (x, window.bottom + height / 2, z), (window.length, height, WALL), yaw
    )
    tint = shell.TRIM if site.rng.random() < 0.7 else site.styles[window.rooms[0]].wood
    for parts in (
        shell.frame(window, tint, outer=0.04),
        shell.pane(window, int(site.rng.integers(OUTDOOR_VIEWS)), tint),
    ):
        site.solids.place(parts, x, z, yaw, number, window.rooms[0])


def set_front_door(site: Site, front: Opening) -> None:
    """The closed front door, on the inside of its wall."""
    room = front.rooms[0]
    yaw, (x, z) = inward_yaw(site, front), front.middle
    x, z = x + np.sin(yaw) * WALL / 2, z + np.cos(yaw) * WALL / 2
    number = site.register("front door", "front door", room, (x, 1.06, z), (1.06, 2.12, 0.1), yaw)
    site.solids.place(shell.front_door(scaled(site.styles[room].wood, np.full(3, 0.9))), x, z, yaw, number, room)
    half = 0.53 if front.axis == "x" else 0.1, 0.1 if front.axis == "x" else 0.53
    site.obstacles.append(Rect(x - half[0], z - half[1], x + half[0], z + half[1]))


def stand(site: Site, placed: Placed, room: int) -> None:
    """Make a placed piece an object of the scene."""
    piece, (w, h, d) = placed.piece, placed.piece.size
    number = site.register(
        piece.category, piece.name, room, (placed.x, piece.base + h / 2, placed.z), (w, h, d), placed.yaw
    )
    site.solids.place(piece.solids, placed.x, placed.z, placed.yaw, number, room)
    if piece.floor:
        site.obstacles.append(placed.footprint)
        site.shadows.append((room, placed.footprint.grown(-0.03), 0.5))


def lamp(site: Site, room: int) -> None:
    """A flat lamp on the ceiling's middle."""
    (x, z), height = site.plan.rooms[room].cell.centre, site.plan.height
    number = site.register("ceiling lamp", "ceiling lamp", room, (x, height - 0.04, z), (0.4, 0.08, 0.4))
    parts = Solids()
    parts.box(0, height - 0.08, 0, 0.4, 0.079, 0.4, (1.0, 0.97, 0.9), 0, 0.9)
    site.solids.place(parts, x, z, 0.0, number, room)


def room_light(site: Site, room: int) -> RoomLight:
    """A room's lamps (on or off by chance), windows and shadows."""
    rng, interior, height = site.rng, site.plan.rooms[room].cell.grown(-WALL / 2), site.plan.height
    rows = []
    for window in site.plan.windows:
        if window.rooms[0] == room:
            yaw, (x, z) = inward_yaw(site, window), window.middle
            tall = window.top - window.bottom
            rows.append((x, window.bottom + tall / 2, z, np.sin(yaw), 0.0, np.cos(yaw), window.length * tall))
    bright = float(rng.uniform(0.5, 1.0)) if rows else 1.0
    x, z = interior.centre
    return RoomLight(
        interior,
        height,
        ambient=np.array([0.60, 0.60, 0.61]) * rng.uniform(0.85, 1.1) * site.kind.light,
        lamps=np.array([[x, height - 0.15, z]]),
        lamp_colour=bright * np.array([1.0, 0.95, 0.86]),
        windows=np.array(rows).reshape(-1, 7),
        shadows=np.array([(r.x0, r.z0, r.x1, r.z1, dark) for i, r, dark in site.shadows if i == room]).reshape(-1, 5),
    )
