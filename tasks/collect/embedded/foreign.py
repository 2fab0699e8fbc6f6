"""Scenes that others made: any GLB, alone or under a stage config, with the axes that habitat-sim would give it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from tasks.collect.embedded.baked import BakedMesh
from tasks.collect.embedded.drawable import drawable
from tasks.collect.embedded.gltf import GltfFile, Primitive
from tasks.collect.embedded.ground import CLIMB, ground
from tasks.collect.embedded.navigation import CELL, NavigationGrid
from tasks.collect.simulator import Room, SceneGraph, SceneObject
from tasks.errors import DataError

SCAN_UP, SCAN_FRONT = (0.0, 0.0, 1.0), (0.0, 1.0, 0.0)
"""Axes of a file of which nothing is said: habitat-sim takes it for a z-up scan, whatever glTF says."""
COARSE = 2.0
"""Cells by which the drawn outline of the floor may leave its cells."""


def read_foreign(glb: Path, settings: dict[str, Any]) -> tuple[BakedMesh, SceneGraph, NavigationGrid]:
    """A scene from nothing but triangles: every node is a thing, all floor is one room.

    `settings` are those of its stage config (`up`, `front`, `units_to_meters`), empty for a GLB alone.
    """
    file = GltfFile(glb)
    turn = upright(settings.get("up", SCAN_UP), settings.get("front", SCAN_FRONT), glb)
    turn = turn * float(settings.get("units_to_meters", 1.0))
    parts = [turned(part, turn) for part in file.primitives()]
    nodes = list(dict.fromkeys(part.node for part in parts))
    numbers = {node: i + 1 for i, node in enumerate(nodes)}
    ids = np.concatenate([np.full(len(part.positions), numbers[part.node]) for part in parts])
    mesh = drawable(file, parts, ids)
    grid = ground(mesh.positions, mesh.faces, str(glb))
    things = [thing(numbers[node], [part for part in parts if part.node == node], grid.height) for node in nodes]
    return mesh, SceneGraph((floor_room(grid),), (), tuple(things), ()), grid


def upright(up: Any, front: Any, path: Path) -> NDArray[np.float64]:
    """[3, 3] turn that takes a file's `up` to +y and its `front` to -z."""
    above, ahead = np.asarray(up, dtype=np.float64), np.asarray(front, dtype=np.float64)
    if above.shape != (3,) or ahead.shape != (3,) or abs(np.linalg.det([above, ahead, np.cross(above, ahead)])) < 1e-6:
        raise DataError(f"{path}: up {up} and front {front} are no two directions at a right angle.")
    above, ahead = above / np.linalg.norm(above), ahead / np.linalg.norm(ahead)
    return np.stack([np.cross(ahead, above), above, -ahead])


def turned(part: Primitive, turn: NDArray[np.float64]) -> Primitive:
    """A primitive in our axes."""
    from dataclasses import replace

    return replace(part, positions=(part.positions @ turn.T).astype(np.float32))


def thing(number: int, parts: list[Primitive], floor: float) -> SceneObject:
    """A node as a thing; its category is its name without the numbers that modelling programs append.

    What does not rise above the floor (metres) is floor.
    """
    corners = np.concatenate([part.positions for part in parts])
    low, high = corners.min(axis=0).astype(float), corners.max(axis=0).astype(float)
    name = parts[0].name
    centre, size = ((low + high) / 2).round(4).tolist(), (high - low).round(4).tolist()
    category = name.split(".")[0].rstrip("_0123456789").replace("_", " ").lower() or "thing"
    if high[1] < floor + CLIMB:
        category = "floor"
    return SceneObject(number, category, name, 0, tuple(centre), tuple(size), 0.0)


def floor_room(grid: NavigationGrid) -> Room:
    """The room that is all floor: the outline of its largest connected part."""
    outlines, _ = cv2.findContours(grid.floor, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    if not outlines:
        return Room(0, "room", "room", ((0.0, 0.0), (0.0, 0.0), (0.0, 0.0)), grid.height)
    largest = cv2.approxPolyDP(max(outlines, key=cv2.contourArea), COARSE, True)[:, 0].astype(float)
    corners = (largest + 0.5) * CELL + [grid.x0, grid.z0]
    return Room(0, "room", "room", tuple((round(x, 3), round(z, 3)) for x, z in corners.tolist()), grid.height)
