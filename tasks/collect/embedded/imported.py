"""Reads an exported building back: the same GLB, semantics, scene graph and grid that habitat-sim is given."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.collect.embedded.baked import BakedMesh
from tasks.collect.embedded.export import DESCRIPTOR_TITLE, srgb
from tasks.collect.embedded.floors import read_grid
from tasks.collect.embedded.materials import PICTURES
from tasks.collect.embedded.navigation import NavigationGrid
from tasks.collect.simulator import Door, Room, SceneGraph, SceneObject
from tasks.errors import DataError

SETTINGS = ("render_asset", "semantic_asset", "semantic_descriptor_filename")


@dataclass(frozen=True)
class SceneFiles:
    """What the embedded simulator needs of a scene."""

    mesh: BakedMesh
    graph: SceneGraph
    grid: NavigationGrid


def read_scene(config: Path) -> SceneFiles:
    """The scene of a stage config that `export` wrote. Raises DataError naming the file that is missing or wrong."""
    settings = read_json(config)
    for key in SETTINGS:
        if key not in settings:
            raise DataError(f"The stage config {config} names no {key}: export the building again.")
    render, semantic, text = (config.parent / settings[key] for key in SETTINGS)
    mesh = baked_mesh(render, semantic, read_descriptor(text))
    name = config.name.removesuffix(".stage_config.json")
    graph = read_graph(config.parent / f"{name}.scene.json")
    return SceneFiles(mesh, graph, read_grid(config.parent / f"{name}.navigation.png"))


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object."""
    try:
        return json.loads(path.read_text())
    except (OSError, json.JSONDecodeError) as error:
        raise DataError(f"The scene file {path} cannot be read: {error}") from error


def read_glb(path: Path) -> Any:
    """The one mesh of a GLB, as trimesh loads it. Raises DataError for what is no GLB, or no usable geometry."""
    import trimesh

    try:
        scene = trimesh.load_scene(path, process=False)
    except Exception as error:
        raise DataError(f"{path} is no GLB that can be read: {error}") from error
    meshes = list(scene.geometry.values())
    if len(meshes) != 1:
        raise DataError(f"{path} holds {len(meshes)} meshes; the embedded simulator reads those that it exported: one.")
    if not np.isfinite(meshes[0].vertices).all():
        raise DataError(f"{path} has vertices that are not finite numbers.")
    return meshes[0]


def read_descriptor(path: Path) -> dict[tuple[int, int, int], int]:
    """Colour (sRGB codes) -> object id of a semantic descriptor."""
    try:
        title, *lines = path.read_text().splitlines()
        rows = [line.split(",", 2) for line in lines]
        codes = {tuple(bytes.fromhex(code)): int(number) for number, code, _ in rows}
    except (OSError, ValueError) as error:
        raise DataError(f"The semantic descriptor {path} cannot be read: {error}") from error
    if title != DESCRIPTOR_TITLE:
        raise DataError(f"The semantic descriptor {path} does not begin with {DESCRIPTOR_TITLE!r}.")
    return codes  # type: ignore[return-value]


def baked_mesh(render: Path, semantic: Path, codes: dict[tuple[int, int, int], int]) -> BakedMesh:
    """Positions, texture and ids from both GLBs, which share their vertices."""
    picture, ids = read_glb(render), read_glb(semantic)
    if len(picture.vertices) != len(ids.vertices):
        raise DataError(
            f"{semantic} has {len(ids.vertices)} vertices, {render} has {len(picture.vertices)}: they do not belong "
            "together."
        )
    image = np.asarray(picture.visual.material.baseColorTexture.convert("RGB"))
    count = len(picture.vertices)
    # trimesh counts v upwards; our textures begin with their bottom row, which is the same.
    return BakedMesh(
        positions=picture.vertices.astype(np.float32),
        uv=np.asarray(picture.visual.uv, dtype=np.float32),
        layer=np.full(count, PICTURES),
        colour=np.full((count, 3), 255, dtype=np.uint8),
        ids=vertex_ids(ids, semantic, codes),
        faces=np.asarray(picture.faces, dtype=np.int64),
        pictures=np.ascontiguousarray(image[::-1])[None],
    )


def vertex_ids(mesh: Any, path: Path, codes: dict[tuple[int, int, int], int]) -> NDArray[np.int64]:
    """[V] object ids from linear vertex colours."""
    linear = mesh.visual.vertex_attributes.get("color")
    if linear is None:
        raise DataError(f"{path} has no vertex colours, so its objects cannot be told apart.")
    seen, which = np.unique(np.round(srgb(linear[:, :3].astype(float)) * 255).astype(int), axis=0, return_inverse=True)
    unknown = [colour for colour in map(tuple, seen.tolist()) if colour not in codes]
    if unknown:
        raise DataError(f"{path} has the colour {unknown[0]}, which its descriptor does not name.")
    return np.array([codes[colour] for colour in map(tuple, seen.tolist())])[which.ravel()]


def read_graph(path: Path) -> SceneGraph:
    """The scene graph that `export` wrote."""
    content = read_json(path)
    try:
        rooms, doors, objects = ([tupled(entry) for entry in content[name]] for name in ("rooms", "doors", "objects"))
        walls = tuple((x0, z0, x1, z1) for x0, z0, x1, z1 in content["walls"])
        return SceneGraph(
            tuple(Room(**room) for room in rooms), tuple(Door(**door) for door in doors),
            tuple(SceneObject(**thing) for thing in objects), walls,
        )  # fmt: skip
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"The scene graph {path} is not what export writes: {error}") from error


def tupled(value: Any) -> Any:
    """JSON lists as tuples, all the way down."""
    if isinstance(value, dict):
        return {name: tupled(part) for name, part in value.items()}
    return tuple(tupled(part) for part in value) if isinstance(value, list) else value
