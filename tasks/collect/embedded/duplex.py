"""Homes on two floors: two plans, one above the other, and a well with stairs along their common outer wall."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tasks.collect.embedded import shell
from tasks.collect.embedded.building import Building, scene_graph, triangles
from tasks.collect.embedded.kinds import Kind, dressed
from tasks.collect.embedded.lighting import RoomLight, bake
from tasks.collect.embedded.materials import LAYER
from tasks.collect.embedded.meshes import Floats, Quads, Solids
from tasks.collect.embedded.plans import WALL, floor_plan
from tasks.collect.embedded.rooms import FloorPlan
from tasks.collect.embedded.site import Site, draw_pictures, fit_out, put_up, room_light
from tasks.collect.embedded.stairs import Stairs, Upstairs, joined
from tasks.collect.embedded.style import room_styles
from tasks.collect.seeds import generator
from tasks.collect.simulator import SceneGraph

FEWEST = 4
"""Rooms of a floor."""


def build_duplex(seed: int, rooms: tuple[int, int], kind: Kind) -> Building:
    """The two-floor building of a seed; `rooms` = (fewest, most) on both floors together."""
    rng = generator("building", seed)
    lower, upper, stairs = plans(rng, rooms, kind)
    sites = [site_of(rng, plan, kind) for plan in (lower, upper)]
    leaves = [put_up(site) for site in sites]
    climb(sites[0], stairs, upper)
    pictures, paintings = draw_pictures(rng, len(lower.rooms) + len(upper.rooms) - 2)
    for site, open_leaves in zip(sites, leaves, strict=True):
        fit_out(site, paintings, open_leaves)
    parts = [Quads.joined([*site.quads, site.solids.quads()]) for site in sites]
    wells = [well_light(stairs, plan, y) for plan, y in ((upper, 0.0), (upper, -stairs.rise))]
    lights = [
        bake(quads, [*(room_light(site, i) for i in site.lived_in), well])
        for quads, site, well in zip(parts, sites, wells, strict=True)
    ]
    quads = Quads.joined([parts[0], lifted(parts[1], stairs.rise, len(sites[0].objects))])
    mesh = triangles(quads, np.concatenate(lights), pictures)
    graph = stacked(scene_graph(sites[0]), scene_graph(sites[1]), stairs.rise)
    styles = tuple(style for site in sites for style in site.styles)
    upstairs = Upstairs(upper, tuple(sites[1].obstacles), stairs)
    return Building(lower, styles, graph, mesh, tuple(sites[0].obstacles), upstairs)


def plans(rng: np.random.Generator, rooms: tuple[int, int], kind: Kind) -> tuple[FloorPlan, FloorPlan, Stairs]:
    """Two plans that have an outer wall for the stairs."""
    each = max(FEWEST, rooms[0] // 2), max(FEWEST, rooms[1] // 2)
    while True:
        found = joined(rng, floor_plan(rng, *each, kind), floor_plan(rng, *each, kind))
        if found is not None:
            return found


def site_of(rng: np.random.Generator, plan: FloorPlan, kind: Kind) -> Site:
    """An empty floor with a style for each room."""
    styles = [dressed(style, kind) for style in room_styles(rng, [room.category for room in plan.rooms])]
    return Site(plan, styles, rng, kind)


def climb(site: Site, stairs: Stairs, upper: FloorPlan) -> None:
    """The well's floor, walls over both floors, ceiling, flight and upper landing, all of them the lower floor's."""
    room, style = len(site.plan.rooms) - 1, site.styles[-1]
    well, inner, top = stairs.well, stairs.well.grown(-WALL / 2), stairs.rise + upper.height
    (x, z), w, d = well.centre, inner.width, inner.depth
    ids = {
        "floor": site.register("floor", "floor", room, (x, 0, z), (w, 0, d)),
        "ceiling": site.register("ceiling", "ceiling", room, (x, top, z), (w, 0, d)),
        "wall": site.register("wall", f"{style.paint} wall", room, (x, top / 2, z), (w, top, d)),
        "stairs": site.register("stairs", "stairs", room, (x, stairs.rise / 2, z), (w, stairs.rise, d)),
    }
    above = [door for door in upper.doors if door.rooms[1] == len(upper.rooms) - 1]
    doors = [*site.plan.doors[-1:], *(replace(d, bottom=stairs.rise, top=stairs.rise + d.top) for d in above)]
    look = (style.wall_layer, style.wall)
    site.quads.append(
        shell.level(well, 0.0, True, 0.3, style.floor_scale, (style.floor_layer, style.floor), (ids["floor"], room))
    )
    site.quads.append(
        shell.level(well, top, False, 0.9, 1.5, (LAYER["plaster"], shell.CEILING), (ids["ceiling"], room))
    )
    for number, side in enumerate(well.sides()):
        inward = 1.0 if number % 2 == 0 else -1.0
        at = side.at + inward * WALL / 2
        holes = doors if number == 0 else []
        site.quads.append(shell.wall(side, inward, at, top, holes, look, (ids["wall"], room)))
    site.solids.place(flight(stairs, style.wood), 0.0, 0.0, 0.0, ids["stairs"], room)
    lamp(site, stairs, top)


def flight(stairs: Stairs, wood: tuple[float, float, float]) -> Solids:
    """Solid steps and, behind the last of them, the upper landing."""
    parts, well = Solids(), stairs.well
    edges = np.linspace(stairs.foot, stairs.head, stairs.steps)
    far = well.x1 if stairs.head > stairs.foot else well.x0
    z, d = well.centre[1], well.depth
    for i, (a, b) in enumerate(zip(edges, [*edges[1:], far], strict=True)):
        height = stairs.rise * (i + 1) / stairs.steps
        parts.box((a + b) / 2, 0.0, z, abs(b - a), height, d, wood, LAYER["planks"])
    return parts


def lamp(site: Site, stairs: Stairs, top: float) -> None:
    """A flat lamp over the well's middle."""
    (x, z) = stairs.well.centre
    room = len(site.plan.rooms) - 1
    number = site.register("ceiling lamp", "ceiling lamp", room, (x, top - 0.04, z), (0.4, 0.08, 0.4))
    parts = Solids()
    parts.box(0, top - 0.08, 0, 0.4, 0.079, 0.4, (1.0, 0.97, 0.9), 0, 0.9)
    site.solids.place(parts, x, z, 0.0, number, room)


def well_light(stairs: Stairs, upper: FloorPlan, y: float) -> RoomLight:
    """Light of the well, seen from a floor whose own height is `-y` above the lower one."""
    inner, top = stairs.well.grown(-WALL / 2), stairs.rise + upper.height + y
    (x, z), third = inner.centre, inner.width / 3
    return RoomLight(
        inner,
        top,
        ambient=np.array([0.60, 0.60, 0.61]),
        lamps=np.array([[x - third, top - 0.15, z], [x + third, top - 0.15, z]]),
        lamp_colour=0.7 * np.array([1.0, 0.95, 0.86]),
        windows=np.zeros((0, 7)),
        shadows=np.zeros((0, 5)),
    )


def lifted(quads: Quads, rise: float, ids: int) -> Quads:
    """The upper floor's quads in their place, with ids after the lower floor's."""
    corners: Floats = quads.corners + np.array([0.0, rise, 0.0])
    return replace(quads, corners=corners, ids=quads.ids + ids)


def stacked(lower: SceneGraph, upper: SceneGraph, rise: float) -> SceneGraph:
    """One graph of both floors: ids of rooms and objects go on where the lower floor's end."""
    rooms, ids = len(lower.rooms), len(lower.objects)
    objects = [
        replace(
            thing,
            id=thing.id + ids,
            room=thing.room + rooms,
            centre=(thing.centre[0], round(thing.centre[1] + rise, 3), thing.centre[2]),
        )
        for thing in upper.objects
    ]
    doors = [
        replace(door, id=door.id + ids, rooms=(door.rooms[0] + rooms, door.rooms[1] + rooms)) for door in upper.doors
    ]
    return SceneGraph(
        (*lower.rooms, *(replace(room, id=room.id + rooms, floor=rise) for room in upper.rooms)),
        (*lower.doors, *doors), (*lower.objects, *objects), lower.walls, upper.walls,
    )  # fmt: skip
