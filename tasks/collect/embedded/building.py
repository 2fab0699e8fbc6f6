"""A building by seed: plan, style, furniture, light; as scene graph, triangles and footprints of what is in the way."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.collect.embedded import shell
from tasks.collect.embedded.baked import BakedMesh, Sheet
from tasks.collect.embedded.kinds import KINDS, Kind, dressed
from tasks.collect.embedded.lighting import bake
from tasks.collect.embedded.meshes import Quads
from tasks.collect.embedded.plans import WALL, floor_plan
from tasks.collect.embedded.rooms import FloorPlan, Opening, Rect
from tasks.collect.embedded.site import Site, draw_pictures, fit_out, put_up, room_light
from tasks.collect.embedded.stairs import Upstairs
from tasks.collect.embedded.style import RoomStyle, room_styles
from tasks.collect.seeds import generator
from tasks.collect.simulator import Room, SceneGraph


@dataclass(frozen=True)
class Building:
    """All that the embedded simulator knows of a scene."""

    plan: FloorPlan
    styles: tuple[RoomStyle, ...]
    graph: SceneGraph
    mesh: BakedMesh
    obstacles: tuple[Rect, ...]
    """Footprints of what stands on the floor."""
    upstairs: Upstairs | None = None
    """The second floor, where there is one."""


def build(seed: int, rooms: tuple[int, int] = (4, 10), kind: Kind = KINDS["homes"]) -> Building:
    """The building of a seed, with `rooms` = (fewest, most) rooms."""
    if kind.floors > 1:
        from tasks.collect.embedded.duplex import build_duplex

        return build_duplex(seed, rooms, kind)
    rng = generator("building", seed)
    plan = floor_plan(rng, *rooms, kind)
    styles = [dressed(style, kind) for style in room_styles(rng, [room.category for room in plan.rooms])]
    site = Site(plan, styles, rng, kind)
    leaves = put_up(site)
    pictures, paintings = draw_pictures(rng, len(plan.rooms))
    fit_out(site, paintings, leaves)
    quads = Quads.joined([*site.quads, site.solids.quads()])
    mesh = triangles(quads, bake(quads, [room_light(site, i) for i in range(len(plan.rooms))]), pictures)
    return Building(plan, tuple(site.styles), scene_graph(site), mesh, tuple(site.obstacles))


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
