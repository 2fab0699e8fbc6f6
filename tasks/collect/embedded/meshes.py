"""Quads: the one shape that buildings consist of, and the solids (boxes, round columns, blobs) that become quads."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Colour = tuple[float, float, float]

ROUND = 10
"""Sides of a round column."""
ROW = 14
"""Numbers of a solid: place 3, extents 3, yaw, layer, tint 3, object id, room, glow."""


@dataclass(frozen=True)
class Quads:
    """N quads, counter-clockwise seen from the front. Metres, y up."""

    corners: Floats
    """[N, 4, 3]."""
    normals: Floats
    """[N, 4, 3] unit vectors."""
    uv: Floats
    """[N, 4, 2] texture coordinates, 1 = one repeat."""
    layer: NDArray[np.int64]
    """[N] texture: an index of materials.NAMES, or PICTURES + index of a picture of this building."""
    tint: Floats
    """[N, 3] colour in 0..1 that multiplies the texture."""
    ids: NDArray[np.int64]
    """[N] object id."""
    rooms: NDArray[np.int64]
    """[N] index of the room whose light falls on it."""
    glow: Floats
    """[N] share of light that is its own (lamps, windows): 1 = not shaded at all."""

    @classmethod
    def joined(cls, parts: list[Quads]) -> Quads:
        """All quads of `parts` in order."""
        names = ("corners", "normals", "uv", "layer", "tint", "ids", "rooms", "glow")
        return cls(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})


def flat_quads(
    corners: Floats, uv: Floats, layer: int, tint: Colour, object_id: int, room: int, glow: float = 0.0
) -> Quads:
    """Quads of one surface that share everything but their corners ([N, 4, 3]) and texture coordinates ([N, 4, 2])."""
    count = len(corners)
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 3] - corners[:, 0])
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    return Quads(
        corners, np.repeat(normal[:, None], 4, axis=1), uv, np.full(count, layer), np.tile(tint, (count, 1)),
        np.full(count, object_id), np.full(count, room), np.full(count, glow),
    )  # fmt: skip


@dataclass
class Solids:
    """Collects boxes, columns and panels as rows of numbers, and turns all into quads at once (rows are cheap)."""

    boxes: list[tuple[float, ...]] = field(default_factory=list)
    columns: list[tuple[float, ...]] = field(default_factory=list)
    panels: list[tuple[float, ...]] = field(default_factory=list)

    def quads(self) -> Quads:
        """All solids as quads; undersides are left out, nobody sees them but those of raised boxes."""
        return Quads.joined(
            [make(np.array(rows, dtype=float).reshape(-1, ROW)) for make, rows in
             ((box_quads, self.boxes), (column_quads, self.columns), (panel_quads, self.panels))]
        )  # fmt: skip

    def place(self, other: Solids, x: float, z: float, yaw: float, object_id: int, room: int) -> None:
        """Add another's solids, turned about +y and moved, as one object."""
        c, s = np.cos(yaw), np.sin(yaw)
        for name in ("boxes", "columns", "panels"):
            for row in getattr(other, name):
                moved = (row[0] * c + row[2] * s + x, row[1], -row[0] * s + row[2] * c + z, *row[3:6], row[6] + yaw)
                getattr(self, name).append((*moved, *row[7:11], object_id, room, row[13]))

    def box(
        self,
        x: float,
        y: float,
        z: float,
        w: float,
        h: float,
        d: float,
        tint: Colour,
        layer: int = 0,
        glow: float = 0.0,
        yaw: float = 0.0,
    ) -> None:
        """A box of w x h x d metres whose underside's middle is at (x, y, z)."""
        self.boxes.append((x, y + h / 2, z, w, h, d, yaw, layer, *tint, 0, 0, glow))

    def column(
        self,
        x: float,
        y: float,
        z: float,
        radius: float,
        h: float,
        above: float,
        tint: Colour,
        layer: int = 0,
        glow: float = 0.0,
    ) -> None:
        """An upright round column from (x, y, z), its radius going from `radius` to `above`."""
        self.columns.append((x, y, z, radius, h, above, 0.0, layer, *tint, 0, 0, glow))

    def blob(self, x: float, y: float, z: float, radius: float, h: float, tint: Colour, layer: int = 0) -> None:
        """An upright ellipsoid standing at (x, y, z), as a stack of columns."""
        angle = np.linspace(0, np.pi, 6)
        heights, radii = (1 - np.cos(angle)) / 2 * h, np.sin(angle) * radius
        for i in range(5):
            self.column(x, y + heights[i], z, radii[i], heights[i + 1] - heights[i], radii[i + 1], tint, layer)

    def panel(
        self, x: float, y: float, z: float, w: float, h: float, tint: Colour, layer: int, glow: float = 0.0
    ) -> None:
        """One upright quad that faces +z and shows its texture exactly once; (x, y, z) = middle of its lower edge."""
        self.panels.append((x, y + h / 2, z, w, h, 0.0, 0.0, layer, *tint, 0, 0, glow))


BOX_FACES = np.array(
    [
        [[-1, -1, 1], [1, -1, 1], [1, 1, 1], [-1, 1, 1]],
        [[1, -1, -1], [-1, -1, -1], [-1, 1, -1], [1, 1, -1]],
        [[1, -1, 1], [1, -1, -1], [1, 1, -1], [1, 1, 1]],
        [[-1, -1, -1], [-1, -1, 1], [-1, 1, 1], [-1, 1, -1]],
        [[-1, 1, 1], [1, 1, 1], [1, 1, -1], [-1, 1, -1]],
        [[-1, -1, -1], [1, -1, -1], [1, -1, 1], [-1, -1, 1]],
    ],
    dtype=float,
)
"""[6, 4, 3] signs: front (+z), back, right, left, top, bottom."""


def turned(points: Floats, yaw: Floats) -> Floats:
    """Rows of points ([M, ..., 3]) turned about +y by `yaw` ([M], radians)."""
    shape = (len(yaw),) + (1,) * (points.ndim - 2)
    c, s = np.cos(yaw).reshape(shape), np.sin(yaw).reshape(shape)
    x, y, z = points[..., 0], points[..., 1], points[..., 2]
    return np.stack([x * c + z * s, y, -x * s + z * c], axis=-1)


def box_quads(rows: Floats) -> Quads:
    """Quads of boxes; rows [M, ROW] with centre and size. Texture repeats each metre."""
    half = rows[:, 3:6] / 2
    local = BOX_FACES[None] * half[:, None, None]
    corners = turned(local, rows[:, 6]) + rows[:, None, None, 0:3]
    flat = np.zeros((6, 3))
    flat[[0, 1], 2], flat[[2, 3], 0], flat[[4, 5], 1] = (1, -1), (1, -1), (1, -1)
    normals = turned(np.tile(flat[None, :, None], (len(rows), 1, 4, 1)), rows[:, 6])
    across = np.where(np.abs(flat[:, 0]) > 0.5, 2, 0)
    up = np.where(np.abs(flat[:, 1]) > 0.5, 2, 1)
    along = np.take_along_axis(local, np.broadcast_to(across[None, :, None, None], (*local.shape[:3], 1)), axis=3)
    above = np.take_along_axis(local, np.broadcast_to(up[None, :, None, None], (*local.shape[:3], 1)), axis=3)
    uv = np.concatenate([along, above], axis=3) + 0.5
    seen = np.ones((len(rows), 6), dtype=bool)
    seen[:, 5] = rows[:, 1] - half[:, 1] > 0.3
    return picked(corners, normals, uv, rows, 6, seen)


def column_quads(rows: Floats) -> Quads:
    """Quads of upright round columns; rows [M, ROW] with foot; radius below, height, radius above."""
    angle = np.arange(ROUND + 1) * 2 * np.pi / ROUND
    ring = np.stack([np.sin(angle), np.zeros(ROUND + 1), np.cos(angle)], axis=1)
    low = ring[None] * rows[:, None, 3:4]
    high = ring[None] * rows[:, None, 5:6] + np.array([0, 1, 0]) * rows[:, None, 4:5]
    sides = np.stack([low[:, :-1], low[:, 1:], high[:, 1:], high[:, :-1]], axis=2)
    slope = (rows[:, 3] - rows[:, 5]) / np.maximum(rows[:, 4], 1e-6)
    outward = ring[None] + np.array([0, 1, 0]) * slope[:, None, None]
    outward /= np.linalg.norm(outward, axis=2, keepdims=True)
    side_normals = np.stack([outward[:, :-1], outward[:, 1:], outward[:, 1:], outward[:, :-1]], axis=2)
    pairs = np.array([[0, 1, 2, 3], [3, 4, 5, 0], [5, 6, 9, 0], [6, 7, 8, 9]])
    caps = high[:, pairs]
    cap_normals = np.tile(np.array([0.0, 1.0, 0.0]), (len(rows), len(pairs), 4, 1))
    corners = np.concatenate([sides, caps], axis=1)
    uv = np.concatenate([side_uv(rows), caps[..., [0, 2]] + 0.5], axis=1)
    normals = np.concatenate([side_normals, cap_normals], axis=1)
    seen = np.ones((len(rows), ROUND + 4), dtype=bool)
    seen[:, ROUND:] = rows[:, 5:6] > 0.005
    return picked(corners + rows[:, None, None, 0:3], normals, uv, rows, ROUND + 4, seen)


def panel_quads(rows: Floats) -> Quads:
    """One quad a row: the front of a box without depth, its texture stretched over it."""
    corners = turned(BOX_FACES[None, :1] * rows[:, None, None, 3:6] / 2, rows[:, 6]) + rows[:, None, None, 0:3]
    normals = turned(np.tile(np.array([0.0, 0.0, 1.0]), (len(rows), 1, 4, 1)), rows[:, 6])
    uv = np.tile(np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]), (len(rows), 1, 1, 1))
    return picked(corners, normals, uv, rows, 1, np.ones((len(rows), 1), dtype=bool))


def side_uv(rows: Floats) -> Floats:
    """[M, ROUND, 4, 2] texture coordinates around columns."""
    u = np.arange(ROUND + 1) / ROUND
    around = np.stack([u[:-1], u[1:], u[1:], u[:-1]], axis=1)[None] * np.maximum(rows[:, 3:4, None] * 6, 1)
    up = np.array([0, 0, 1, 1])[None, None] * rows[:, 4:5, None]
    return np.stack([around, np.broadcast_to(up, around.shape)], axis=-1)


def picked(corners: Floats, normals: Floats, uv: Floats, rows: Floats, each: int, seen: NDArray[np.bool_]) -> Quads:
    """Flatten [M, each, ...] to quads, keep those `seen`, and repeat the rows' attributes."""
    keep = seen.reshape(-1)
    rest = np.repeat(rows[:, 7:], each, axis=0)[keep]
    return Quads(
        corners.reshape(-1, 4, 3)[keep], normals.reshape(-1, 4, 3)[keep], uv.reshape(-1, 4, 2)[keep],
        rest[:, 0].astype(np.int64), rest[:, 1:4], rest[:, 4].astype(np.int64), rest[:, 5].astype(np.int64), rest[:, 6],
    )  # fmt: skip
