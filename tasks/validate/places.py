"""Whether what is seen lies where the scene has it: ties labels, depth, pose and intrinsics to the world."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from tasks.validate.walks import Walk

POINTS_A_SIDE = 16
"""Points of a frame that are looked up: a grid of at most so many a side."""
EVERY = 2
"""Of so many frames one is looked at."""
HULLS = ("wall", "floor", "ceiling")
"""Categories whose box is about as large as their room: a point of theirs says less than one of a thing."""
LEAST_POINTS = 30
"""Points of things that a walk must show before they are judged apart from its walls."""
ASTRAY = 0.3
"""Metres by which the middle of an object may lie outside the rectangle around its room."""


@dataclass(frozen=True)
class Boxes:
    """The objects of one scene by id; row 0 and rows of unknown ids hold NaN."""

    centre: NDArray[np.float32]
    """[3, ids] metres, world."""
    half: NDArray[np.float32]
    """[3, ids] half of width, height and depth in the object's own frame."""
    yaw: NDArray[np.float32]
    """[ids] turn about +y in radians."""
    thing: NDArray[np.bool_]
    """[ids] whether it is no part of the building."""

    @classmethod
    def of(cls, scene: dict[str, Any]) -> Self:
        """The objects of a scene of scenes.json."""
        # A door's leaf swings out of its frame, so doors say nothing here.
        doors = {door["id"] for door in scene.get("doors", ())}
        objects = [thing for thing in scene.get("objects", ()) if thing["id"] not in doors]
        count = 1 + max((thing["id"] for thing in objects), default=0)
        centre, half, yaw = (np.full(shape, np.nan, np.float32) for shape in ((3, count), (3, count), (count,)))
        boxes = cls(centre, half, yaw, np.zeros(count, bool))
        if objects:
            ids = [thing["id"] for thing in objects]
            boxes.centre[:, ids] = np.array([thing["centre"] for thing in objects]).T
            boxes.half[:, ids] = np.array([thing["size"] for thing in objects]).T / 2
            boxes.yaw[ids] = [thing["yaw"] for thing in objects]
            boxes.thing[ids] = [thing["category"] not in HULLS for thing in objects]
        return boxes

    def hold(
        self, ids: NDArray[np.intp], points: NDArray[np.floating[Any]], slack: float
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """[N, P] whether an id has a box, and whether its point ([N, 3, P]) lies within `slack` metres of that box."""
        row = np.where(ids < len(self.yaw), ids, 0)
        x, y, z = (points[:, axis] - self.centre[axis][row] for axis in range(3))
        cosine, sine = np.cos(self.yaw)[row], np.sin(self.yaw)[row]
        reach = (self.half + np.float32(slack))[:, row]
        across, along = np.abs(x * cosine - z * sine), np.abs(x * sine + z * cosine)
        return ~np.isnan(cosine), (across <= reach[0]) & (np.abs(y) <= reach[1]) & (along <= reach[2])


def in_place(walk: Walk, boxes: Boxes, slack: float) -> float:
    """Share of a walk's points that lie in the box of their object; NaN where the scene describes no object seen.

    Where it is less for those of things alone (one that was moved drowns in walls and floors), the share of these.
    """
    height, width = walk.depth.shape[1:]
    stride = max(1, -(-max(height, width) // POINTS_A_SIDE))
    grid = np.s_[::EVERY, stride // 2 :: stride, stride // 2 :: stride]
    ys, xs = np.mgrid[stride // 2 : height : stride, stride // 2 : width : stride].reshape(2, -1)
    pixels = np.stack([xs + 0.5, ys + 0.5, np.ones(len(xs))])
    pose, depth, ids = walk.pose[::EVERY], walk.depth[grid], walk.semantic[grid]
    depth = depth.reshape(len(pose), 1, -1)
    turned = pose[:, :3, :3] @ np.linalg.inv(walk.intrinsics[::EVERY])
    rays = turned.astype(np.float32) @ pixels.astype(np.float32)
    points = rays * (depth / np.float32(1000)) + pose[:, :3, 3:].astype(np.float32)
    objects = ids.reshape(len(pose), -1).astype(np.intp)
    known, held = boxes.hold(objects, points, slack)
    known &= depth[:, 0] > 0
    if not known.any():
        return float("nan")
    held &= known
    things = known & boxes.thing[np.where(objects < len(boxes.thing), objects, 0)]
    shares = [np.count_nonzero(held) / np.count_nonzero(known)]
    if (count := np.count_nonzero(things)) >= LEAST_POINTS:
        shares.append(np.count_nonzero(held & things) / count)
    return float(min(shares))


def at_home(scene: dict[str, Any]) -> float:
    """Share of a scene's objects whose middle lies in the room that they are told to stand in; 1 where none is told."""
    rooms = {room["id"]: list(zip(*room["polygon"], strict=True)) for room in scene.get("rooms", ())}
    bounds = {id: (min(x), max(x), min(z), max(z)) for id, (x, z) in rooms.items()}
    told = [
        (thing["centre"], bounds[thing["room"]]) for thing in scene.get("objects", ()) if thing.get("room") in bounds
    ]
    inside = sum(
        west - ASTRAY <= x <= east + ASTRAY and north - ASTRAY <= z <= south + ASTRAY
        for (x, _, z), (west, east, north, south) in told
    )
    return inside / len(told) if told else 1.0
