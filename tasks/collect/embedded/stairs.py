"""Stairs between two floors: a well along their common outer wall, with a landing at either end of one flight."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tasks.collect.embedded.plans import DOOR_COST, DOOR_HEIGHT, FRONT_DOOR, WALL, meet, outer_edges
from tasks.collect.embedded.rooms import FloorPlan, Opening, Rect, RoomPlan, snap

RISER, TREAD = 0.175, 0.26
"""Height and depth of a step at most and about, metres."""
WIDTH = 1.25
"""Of the flight between its walls, metres."""
LANDING = 1.3
"""Length of either landing, metres."""
SLAB = 0.3
"""Between the ceiling below and the floor above, metres."""
DOOR = 0.9


@dataclass(frozen=True)
class Stairs:
    """One flight along x. Heights are those of a ramp over the steps' edges, as a navmesh has them."""

    well: Rect
    """Cell of the well, up to the middle of its walls."""
    foot: float
    """x where the flight begins, metres."""
    head: float
    """x where it ends; it may lie on either side of `foot`."""
    rise: float
    """Metres from floor to floor."""

    @property
    def steps(self) -> int:
        """How many risers."""
        return int(np.ceil(self.rise / RISER))

    def height(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """[n] metres above the lower floor at places x in the well."""
        return self.rise * np.clip((x - self.foot) / (self.head - self.foot), 0.0, 1.0)


@dataclass(frozen=True)
class Upstairs:
    """The second floor."""

    plan: FloorPlan
    obstacles: tuple[Rect, ...]
    stairs: Stairs


def joined(rng: np.random.Generator, lower: FloorPlan, upper: FloorPlan) -> tuple[FloorPlan, FloorPlan, Stairs] | None:
    """Both plans with the well as their last room, the upper one moved over the lower; None where no wall is free."""
    doors = [facade_door(rng, plan) for plan in (lower, upper)]
    if doors[0] is None or doors[1] is None:
        return None
    rise = snap(lower.height + SLAB)
    run = snap(int(np.ceil(rise / RISER)) * TREAD)
    upward = 1.0 if rng.random() < 0.5 else -1.0
    below, at = doors[0].middle[0], lower.bounds.z1
    dx, dz = snap(below + upward * (run + LANDING) - doors[1].middle[0]), snap(at - upper.bounds.z1)
    ends = sorted((below - upward * LANDING / 2, below + upward * (run + 1.5 * LANDING)))
    well = Rect(snap(ends[0] - WALL / 2), at, snap(ends[1] + WALL / 2), snap(at + WIDTH + WALL))
    foot = below + upward * LANDING / 2
    stairs = Stairs(well, snap(foot), snap(foot + upward * run), rise)
    above = replace(moved(upper, dx, dz), entrance=None)
    return with_well(lower, doors[0], well), with_well(above, doors[1].moved(dx, dz), well), stairs


def facade_door(rng: np.random.Generator, plan: FloorPlan) -> Opening | None:
    """A doorway in an outer wall on the plan's high-z side, from a hallway or living room where one has such a wall."""
    found = []
    for i, room in enumerate(plan.rooms):
        for edge in outer_edges(i, plan.rooms):
            on_side = edge.axis == "x" and abs(edge.at - plan.bounds.z1) < 1e-6
            if on_side and edge.length >= DOOR + 0.5:
                cost = 0.0 if room.category == "hallway" else DOOR_COST.get(room.category, 2.0)
                found.append((cost + rng.uniform(0, 0.5), i, edge))
    if not found:
        return None
    _, room_index, edge = min(found, key=lambda entry: entry[:2])
    low = snap(edge.low + 0.25 + rng.uniform() * (edge.length - DOOR - 0.5))
    return replace(edge, rooms=(room_index, len(plan.rooms)), low=low, high=snap(low + DOOR), top=DOOR_HEIGHT)


def moved(plan: FloorPlan, dx: float, dz: float) -> FloorPlan:
    """A plan elsewhere."""
    return replace(
        plan,
        rooms=tuple(replace(room, cell=room.cell.moved(dx, dz)) for room in plan.rooms),
        doors=tuple(door.moved(dx, dz) for door in plan.doors),
        windows=tuple(window.moved(dx, dz) for window in plan.windows),
        entrance=plan.entrance.moved(dx, dz) if plan.entrance else None,
    )


def with_well(plan: FloorPlan, door: Opening, well: Rect) -> FloorPlan:
    """A floor with the well as its last room, and nothing else in the wall behind it."""
    wall = Opening("x", well.z0, well.x0 - FRONT_DOOR, well.x1 + FRONT_DOOR)
    front = plan.entrance if plan.entrance and not meet(plan.entrance, wall) else None
    return replace(
        plan,
        rooms=(*plan.rooms, RoomPlan("staircase", well)),
        doors=(*plan.doors, door),
        windows=tuple(window for window in plan.windows if not meet(window, wall)),
        entrance=front,
    )
