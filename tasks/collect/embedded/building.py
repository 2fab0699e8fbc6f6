"""A building by seed: plan, style, furniture, light; as scene graph, triangles and footprints of what is in the way."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tasks.collect.embedded import pictures as art
from tasks.collect.embedded import shell
from tasks.collect.embedded.baked import BakedMesh, Sheet
from tasks.collect.embedded.furnishing import Placed, furnish
from tasks.collect.embedded.furniture.suites import Workshop
from tasks.collect.embedded.kinds import KINDS, Kind, dressed
from tasks.collect.embedded.lighting import RoomLight, bake
from tasks.collect.embedded.meshes import Quads, Solids
from tasks.collect.embedded.plans import WALL, floor_plan
from tasks.collect.embedded.rooms import FloorPlan, Opening, Rect
from tasks.collect.embedded.style import RoomStyle, room_styles, scaled
from tasks.collect.seeds import generator
from tasks.collect.simulator import Door, Room, SceneGraph, SceneObject

OUTDOOR_VIEWS = 3


@dataclass(frozen=True)
class Building:
    """All that the embedded simulator knows of a scene."""

    plan: FloorPlan
    styles: tuple[RoomStyle, ...]
    graph: SceneGraph
    mesh: BakedMesh
    obstacles: tuple[Rect, ...]
    """Footprints of what stands on the floor."""


@dataclass
class Site:
    """A building while it is built."""

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


def build(seed: int, rooms: tuple[int, int] = (4, 10), kind: Kind = KINDS["homes"]) -> Building:
    """The building of a seed, with `rooms` = (fewest, most) rooms."""
    rng = generator("building", seed)
    plan = floor_plan(rng, *rooms, kind)
    styles = [dressed(style, kind) for style in room_styles(rng, [room.category for room in plan.rooms])]
    site = Site(plan, styles, rng, kind)
    for i in range(len(plan.rooms)):
        surfaces(site, i)
    leaves = [leaf for door in plan.doors for leaf in hang_door(site, door)]
    for window in plan.windows:
        set_window(site, window)
    if plan.entrance:
        set_front_door(site, plan.entrance)
    drawn = [art.outdoors(rng) for _ in range(OUTDOOR_VIEWS)]
    drawn += [art.painting(rng) for _ in range(2 * len(plan.rooms) + 2)]
    walls = list(range(OUTDOOR_VIEWS, len(drawn)))
    for i in range(len(plan.rooms)):
        for placed in furnish(plan, i, Workshop(rng, site.styles[i], walls), leaves):
            stand(site, placed, i)
        lamp(site, i)
    quads = Quads.joined([*site.quads, site.solids.quads()])
    mesh = triangles(quads, bake(quads, [room_light(site, i) for i in range(len(plan.rooms))]), np.stack(drawn))
    return Building(plan, tuple(site.styles), scene_graph(site), mesh, tuple(site.obstacles))


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


def triangles(quads: Quads, light: NDArray[np.float64], pictures: NDArray[np.uint8]) -> BakedMesh:
    """Two triangles a quad, cut along the diagonal whose ends differ less in light."""
    first = np.arange(len(quads.ids))[:, None] * 4
    grey = light.sum(axis=2)
    along = np.abs(grey[:, 0] - grey[:, 2]) <= np.abs(grey[:, 1] - grey[:, 3])
    faces = np.where(
        along[:, None], first + np.array([0, 1, 2, 0, 2, 3]), first + np.array([1, 2, 3, 1, 3, 0])
    ).reshape(-1, 3)
    return BakedMesh(
        quads.corners.reshape(-1, 3).astype(np.float32),
        quads.uv.reshape(-1, 2).astype(np.float32),
        np.repeat(quads.layer, 4),
        np.round(light.reshape(-1, 3) * 255).astype(np.uint8),
        np.repeat(quads.ids, 4),
        faces,
        (Sheet(pictures),),
    )


def scene_graph(site: Site) -> SceneGraph:
    """Rooms, doors, objects, and the walls as segments."""
    rooms, walls = [], set()
    for i, room in enumerate(site.plan.rooms):
        corners = room.cell.grown(-WALL / 2).corners
        rooms.append(Room(i, room.category, room.category, tuple((round(x, 4), round(z, 4)) for x, z in corners)))
        for side in room.cell.sides():
            gaps = sorted((hole.low, hole.high) for hole in shell.holes_of(site.plan, i, side) if hole.bottom == 0.0)
            low = side.low
            for start, end in [*gaps, (side.high, side.high)]:
                if start > low:
                    (x0, z0), (x1, z1) = Opening(side.axis, side.at, low, start).ends
                    walls.add((x0, z0, x1, z1))
                low = end
    return SceneGraph(tuple(rooms), tuple(site.doors), tuple(site.objects), tuple(sorted(walls)))
