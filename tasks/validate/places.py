"""Whether what is seen lies where the scene has it: ties labels, depth, pose and intrinsics to the world."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from tasks.validate.walks import Walk

POINTS_A_SIDE = 16
"""Points of a frame that are looked up: a grid of at most so many a side."""


@dataclass(frozen=True)
class Boxes:
    """The objects of one scene by id; row 0 and rows of unknown ids hold NaN."""

    centre: NDArray[np.float32]
    """[ids, 3] metres, world."""
    half: NDArray[np.float32]
    """[ids, 3] half of width, height and depth in the object's own frame."""
    yaw: NDArray[np.float32]
    """[ids] turn about +y in radians."""

    @classmethod
    def of(cls, scene: dict[str, Any]) -> Self:
        """The objects of a scene of scenes.json."""
        # A door's leaf swings out of its frame, so doors say nothing here.
        doors = {door["id"] for door in scene.get("doors", ())}
        objects = [thing for thing in scene.get("objects", ()) if thing["id"] not in doors]
        count = 1 + max((thing["id"] for thing in objects), default=0)
        boxes = cls(*(np.full(shape, np.nan, np.float32) for shape in ((count, 3), (count, 3), (count,))))
        for thing in objects:
            boxes.centre[thing["id"]] = thing["centre"]
            boxes.half[thing["id"]] = np.asarray(thing["size"]) / 2
            boxes.yaw[thing["id"]] = thing["yaw"]
        return boxes

    def hold(
        self, ids: NDArray[np.intp], points: NDArray[np.floating[Any]], slack: float
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """[P] whether an id has a box, and whether its point ([P, 3]) lies within `slack` metres of that box."""
        row = np.where(ids < len(self.yaw), ids, 0)
        away = points - self.centre[row]
        cosine, sine = np.cos(self.yaw)[row], np.sin(self.yaw)[row]
        x = np.abs(away[:, 0] * cosine - away[:, 2] * sine)
        z = np.abs(away[:, 0] * sine + away[:, 2] * cosine)
        reach = self.half[row] + np.float32(slack)
        return ~np.isnan(cosine), (x <= reach[:, 0]) & (np.abs(away[:, 1]) <= reach[:, 1]) & (z <= reach[:, 2])


def in_place(walk: Walk, boxes: Boxes, slack: float) -> float:
    """Share of a walk's points that lie in the box of their object; NaN where the scene describes no object seen."""
    height, width = walk.depth.shape[1:]
    stride = max(1, -(-max(height, width) // POINTS_A_SIDE))
    grid = np.s_[:, stride // 2 :: stride, stride // 2 :: stride]
    ys, xs = np.mgrid[stride // 2 : height : stride, stride // 2 : width : stride].reshape(2, -1)
    pixels = np.stack([xs + 0.5, ys + 0.5, np.ones(len(xs))])
    depth = walk.depth[grid].reshape(len(walk.depth), -1)
    turned = walk.pose[:, :3, :3] @ np.linalg.inv(walk.intrinsics)
    rays = turned.astype(np.float32) @ pixels.astype(np.float32)
    points = rays * (depth[:, None] / np.float32(1000)) + walk.pose[:, :3, 3:].astype(np.float32)
    valid = depth > 0
    ids = walk.semantic[grid].reshape(len(walk.depth), -1)[valid].astype(np.intp)
    known, held = boxes.hold(ids, np.moveaxis(points, 1, -1)[valid], slack)
    return float(held[known].mean()) if known.any() else float("nan")
