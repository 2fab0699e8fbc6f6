"""A building's mesh as the renderer and the GLB writer take it: triangles with the light already in their colours."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

SHEET = 1000
"""Layer SHEET * k + i is texture i of sheet k; sheet 0 holds the materials that all buildings share."""


@dataclass(frozen=True)
class Sheet:
    """Textures of one size that are drawn in one go."""

    images: NDArray[np.uint8]
    """[n, H, W, 3], 1 <= n <= SHEET; the first row is the bottom (v = 0)."""
    repeat: tuple[bool, bool] = (True, True)
    """Whether they repeat along u and v; else the rim goes on."""


@dataclass(frozen=True)
class BakedMesh:
    """V vertices, F triangles, world frame, metres."""

    positions: NDArray[np.float32]
    """[V, 3]."""
    uv: NDArray[np.float32]
    """[V, 2]."""
    layer: NDArray[np.int64]
    """[V] texture, the same on the three corners of a triangle: an index of materials.NAMES, or SHEET * (k + 1) + an
    index of `sheets[k]`."""
    colour: NDArray[np.uint8]
    """[V, 3] tint times light; multiplies the texture."""
    ids: NDArray[np.int64]
    """[V] object id, the same on the three corners of a triangle."""
    faces: NDArray[np.int64]
    """[F, 3], counter-clockwise from the front."""
    sheets: tuple[Sheet, ...]
    """Its own textures."""

    @cached_property
    def faces_by_sheet(self) -> dict[int, NDArray[np.int64]]:
        """Sheet (0 = materials) -> [F, 3] its triangles."""
        sheet = self.layer[self.faces[:, 0]] // SHEET
        return {int(k): self.faces[sheet == k] for k in np.unique(sheet)}

    def interleaved(self) -> bytes:
        """Rows `3f position, 3f (u, v, layer in its sheet), 4f1 colour, 1f id` for a vertex buffer."""
        rows = np.zeros(
            len(self.positions), dtype=[("position", "<f4", 3), ("uvl", "<f4", 3), ("colour", "u1", 4), ("id", "<f4")]
        )
        rows["position"] = self.positions
        rows["uvl"][:, :2] = self.uv
        rows["uvl"][:, 2] = self.layer % SHEET
        rows["colour"][:, :3] = self.colour
        rows["colour"][:, 3] = 255
        rows["id"] = self.ids
        return rows.tobytes()
