"""Scenes of plain boxes whose pictures can be computed with a ray and a pencil."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.collect.camera import Camera
from tasks.collect.embedded.baked import BakedMesh
from tasks.collect.embedded.building import triangles
from tasks.collect.embedded.materials import PICTURES, SIDE
from tasks.collect.embedded.meshes import Quads, box_quads

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Box:
    """An upright box turned about +y, in one colour."""

    centre: tuple[float, float, float]
    size: tuple[float, float, float]
    yaw: float
    colour: tuple[float, float, float]
    id: int


def white_picture() -> NDArray[np.uint8]:
    return np.full((1, SIDE, SIDE, 3), 255, dtype=np.uint8)


def mesh_of(boxes: list[Box]) -> BakedMesh:
    """The boxes as the renderer takes them, unlit, with all six sides."""
    rows = np.array([(*b.centre, *b.size, b.yaw, PICTURES, *b.colour, b.id, 0, 1.0) for b in boxes])
    quads = Quads.joined([box_quads(rows), undersides(rows)])
    light = np.repeat(quads.tint[:, None], 4, axis=1)
    return triangles(quads, light, white_picture())


def undersides(rows: Floats) -> Quads:
    """The sixth side of boxes that stand on the floor, which buildings leave out."""
    lifted = rows.copy()
    lifted[:, 1] += 1000
    quads = box_quads(lifted)
    below = quads.normals[:, 0, 1] < -0.5
    picked = {name: getattr(quads, name)[below] for name in vars(quads)}
    picked["corners"] = picked["corners"] - np.array([0, 1000.0, 0])
    return Quads(**picked)


def traced(boxes: list[Box], pose: Floats, camera: Camera) -> tuple[Floats, NDArray[np.int64]]:
    """[H, W] z-depth and id by intersecting each pixel's ray with each box (slabs); 0 where nothing is hit."""
    f = camera.focal
    x = (np.arange(camera.width) + 0.5 - camera.width / 2) / f
    y = (np.arange(camera.height) + 0.5 - camera.height / 2) / f
    u, v = np.meshgrid(x, y)
    rays = np.stack([u, v, np.ones_like(u)], axis=-1) @ pose[:3, :3].T
    depth, ids = np.full(u.shape, np.inf), np.zeros(u.shape, dtype=np.int64)
    for box in boxes:
        c, s = np.cos(-box.yaw), np.sin(-box.yaw)
        turn = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
        eye = turn @ (pose[:3, 3] - np.array(box.centre))
        local = rays @ turn.T
        half = np.array(box.size) / 2
        with np.errstate(divide="ignore"):
            near = np.minimum((-half - eye) / local, (half - eye) / local).max(axis=-1)
            far = np.maximum((-half - eye) / local, (half - eye) / local).min(axis=-1)
        hit = (near < far) & (near > 0.02) & (near < depth)
        depth, ids = np.where(hit, near, depth), np.where(hit, box.id, ids)
    return np.where(np.isfinite(depth), depth, 0.0), ids
