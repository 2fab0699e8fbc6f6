"""A building's mesh as the renderer and the GLB writer take it: triangles with the light already in their colours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class BakedMesh:
    """V vertices, F triangles, world frame, metres."""

    positions: NDArray[np.float32]
    """[V, 3]."""
    uv: NDArray[np.float32]
    """[V, 2]."""
    layer: NDArray[np.int64]
    """[V] texture: an index of materials.NAMES, or PICTURES + an index of `pictures`."""
    colour: NDArray[np.uint8]
    """[V, 3] tint times light; multiplies the texture."""
    ids: NDArray[np.int64]
    """[V] object id, the same on the three corners of a triangle."""
    faces: NDArray[np.int64]
    """[F, 3], counter-clockwise from the front."""
    pictures: NDArray[np.uint8]
    """[P, S, S, 3], P >= 1; the first row is the bottom (v = 0)."""

    def interleaved(self) -> bytes:
        """Rows `3f position, 3f (u, v, layer), 4f1 colour, 1f id` for a vertex buffer."""
        rows = np.zeros(
            len(self.positions), dtype=[("position", "<f4", 3), ("uvl", "<f4", 3), ("colour", "u1", 4), ("id", "<f4")]
        )
        rows["position"] = self.positions
        rows["uvl"][:, :2] = self.uv
        rows["uvl"][:, 2] = self.layer
        rows["colour"][:, :3] = self.colour
        rows["colour"][:, 3] = 255
        rows["id"] = self.ids
        return rows.tobytes()
