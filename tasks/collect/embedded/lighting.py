"""Light baked into a building's corners: lamps, windows, a sky of diffuse light, and darkness where surfaces meet."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tasks.collect.embedded.meshes import Floats, Quads
from tasks.collect.embedded.rooms import Rect


@dataclass(frozen=True)
class RoomLight:
    """The light of one room."""

    interior: Rect
    height: float
    ambient: Floats
    """[3] diffuse light in 0..1."""
    lamps: Floats
    """[L, 3] places, metres."""
    lamp_colour: Floats
    """[3]."""
    windows: Floats
    """[N, 7] middle 3, inward normal 3, area in square metres."""
    shadows: Floats
    """[M, 5] footprints on the floor: x0, z0, x1, z1, darkness 0..1."""


def bake(quads: Quads, lights: list[RoomLight]) -> Floats:
    """[N, 4, 3] tint times light of every corner, 0..1."""
    light = np.ones((len(quads.ids), 4, 3))
    for number, room in enumerate(lights):
        here = quads.rooms == number
        points, normals = quads.corners[here].reshape(-1, 3), quads.normals[here].reshape(-1, 3)
        light[here] = received(room, points, normals).reshape(-1, 4, 3)
    light = light * (1 - quads.glow[:, None, None]) + quads.glow[:, None, None]
    return np.clip(quads.tint[:, None] * light, 0, 1)


def received(room: RoomLight, points: Floats, normals: Floats) -> Floats:
    """[P, 3] light that reaches points with these normals ([P, 3] each)."""
    sky = 0.86 + 0.14 * normals[:, 1]
    light = room.ambient * (sky * crevices(room, points, normals))[:, None]
    for lamp in room.lamps:
        way = lamp - points
        far = np.linalg.norm(way, axis=1) + 1e-6
        facing = np.clip((way * normals).sum(axis=1) / far, 0, 1)
        light += room.lamp_colour * (0.9 * (0.25 + 0.75 * facing) / (1 + 0.16 * far**2))[:, None]
    for window in room.windows:
        way = window[:3] - points
        far = np.linalg.norm(way, axis=1) + 1e-6
        facing = np.clip(0.15 + (way * normals).sum(axis=1) / far, 0, 1)
        leaving = np.clip(-(way @ window[3:6]) / far, 0, 1)
        light += np.array([0.92, 0.97, 1.05]) * (1.1 * window[6] * facing * leaving / (1.5 + far**2))[:, None]
    # A soft shoulder instead of clipping keeps texture in bright spots.
    return light / (1 + np.maximum(light - 0.75, 0))


def crevices(room: RoomLight, points: Floats, normals: Floats) -> Floats:
    """[P] 0..1: how much of the diffuse light gets into corners and beside furniture."""
    x, y, z = points.T
    box, open_share = room.interior, np.ones(len(points))
    for distance, own in (
        (x - box.x0, normals[:, 0]), (box.x1 - x, -normals[:, 0]),
        (z - box.z0, normals[:, 2]), (box.z1 - z, -normals[:, 2]),
        (y, normals[:, 1]), (room.height - y, -normals[:, 1]),
    ):  # fmt: skip
        near = 0.26 * np.exp(-np.maximum(distance, 0) / 0.25)
        open_share *= 1 - np.where(own > 0.7, 0.0, near)
    ground = np.flatnonzero((y < 0.03) & (normals[:, 1] > 0.7))
    for x0, z0, x1, z1, darkness in room.shadows:
        dx = np.maximum(np.maximum(x0 - x[ground], x[ground] - x1), 0)
        dz = np.maximum(np.maximum(z0 - z[ground], z[ground] - z1), 0)
        open_share[ground] *= 1 - darkness * np.exp(-np.hypot(dx, dz) / 0.18)
    return open_share
