"""Primitives of a glTF file as the one mesh that the renderer draws."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tasks.collect.embedded.baked import SHEET, BakedMesh, Sheet
from tasks.collect.embedded.gltf import GltfFile, Primitive, Texture

WHITE = Texture(np.full((1, 1, 3), 255, dtype=np.uint8), (True, True))
"""Of what has no texture."""
SUN = np.array([0.48, 0.6, 0.64])
"""Direction towards the light that makes the shapes of plain surfaces visible."""


def drawable(file: GltfFile, primitives: list[Primitive], ids: NDArray[np.int64]) -> BakedMesh:
    """The primitives as one mesh, drawn flat: texture times colour, without light.

    `ids` [V] are the object ids of their vertices, one primitive after the other. Plain surfaces, which have neither
    texture nor vertex colours, are shaded by their direction.
    """
    numbers = [part.texture for part in primitives]
    layers, sheets = sheets_of({n: file.texture(n) if n is not None else WHITE for n in numbers})
    starts = np.cumsum([0, *(len(part.positions) for part in primitives)])
    return BakedMesh(
        positions=np.concatenate([part.positions for part in primitives]),
        uv=np.concatenate([part.uv for part in primitives]),
        layer=np.repeat([layers[n] for n in numbers], np.diff(starts)),
        colour=np.concatenate([colour_of(part) for part in primitives]),
        ids=ids,
        faces=np.concatenate([sides(part) + start for part, start in zip(primitives, starts[:-1], strict=True)]),
        sheets=sheets,
    )


def sheets_of(textures: dict[int | None, Texture]) -> tuple[dict[int | None, int], tuple[Sheet, ...]]:
    """Textures -> their layers, and the sheets that hold them: one a size and way of repeating."""
    groups: dict[tuple[object, ...], list[int | None]] = {}
    for number, texture in textures.items():
        key = (*texture.image.shape, texture.repeat)
        full = sum(len(group) for k, group in groups.items() if k[: len(key)] == key) // SHEET
        groups.setdefault((*key, full), []).append(number)
    layers = {
        number: SHEET * (sheet + 1) + place
        for sheet, group in enumerate(groups.values())
        for place, number in enumerate(group)
    }
    sheets = tuple(
        Sheet(np.stack([textures[number].image for number in group]), textures[group[0]].repeat)
        for group in groups.values()
    )
    return layers, sheets


def sides(part: Primitive) -> NDArray[np.int64]:
    """[F, 3] its triangles, those of a double-sided surface both ways round."""
    return np.concatenate([part.faces, part.faces[:, ::-1]]) if part.double_sided else part.faces


def colour_of(part: Primitive) -> NDArray[np.uint8]:
    """[V, 3] what multiplies its texture."""
    colour = part.colour
    if part.texture is None and not part.coloured:
        colour = colour * shade(part)[:, None]
    return np.round(np.clip(colour, 0, 1) * 255).astype(np.uint8)


def shade(part: Primitive) -> NDArray[np.float64]:
    """[V] 0..1, brighter upwards and towards the sun; normals are the means of the triangles' around each vertex."""
    corners = part.positions[part.faces].astype(np.float64)
    weighted = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normal = np.zeros((len(part.positions), 3))
    for corner in range(3):
        np.add.at(normal, part.faces[:, corner], weighted)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
    return 0.5 + 0.2 * normal[:, 1] + 0.3 * np.maximum(normal @ SUN, 0)
