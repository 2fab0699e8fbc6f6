"""Reads scenes from files: buildings that `export` wrote, with all that habitat-sim is given, and scenes of others."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.collect.embedded.baked import BakedMesh
from tasks.collect.embedded.drawable import drawable
from tasks.collect.embedded.export import DESCRIPTOR_TITLE, srgb
from tasks.collect.embedded.floors import Grid, read_grid
from tasks.collect.embedded.foreign import read_foreign
from tasks.collect.embedded.gltf import GltfFile
from tasks.collect.simulator import Door, Room, SceneGraph, SceneObject
from tasks.errors import DataError

CONFIG = ".stage_config.json"
SETTINGS = ("render_asset", "semantic_asset", "semantic_descriptor_filename")


@dataclass(frozen=True)
class SceneFiles:
    """What the embedded simulator needs of a scene."""

    mesh: BakedMesh
    graph: SceneGraph
    grid: Grid


def is_file(scene: str) -> bool:
    """Whether a scene id is the path of a scene's file."""
    return scene.endswith((CONFIG, ".glb"))


def read_scene(path: Path) -> SceneFiles:
    """The scene of a GLB or of a stage config. Raises DataError naming the file that is missing or wrong."""
    if path.suffix == ".glb":
        return SceneFiles(*read_foreign(path, {}))
    settings = read_json(path)
    if "render_asset" not in settings:
        raise DataError(f"The stage config {path} names no render_asset: it says nothing of what is to be drawn.")
    name = path.name.removesuffix(CONFIG)
    ours = settings.get("semantic_descriptor_filename") == f"{name}.semantic.txt"
    if not ours and not (path.parent / f"{name}.scene.json").exists():
        return SceneFiles(*read_foreign(path.parent / settings["render_asset"], settings))
    return read_exported(path, settings)


def read_exported(config: Path, settings: dict[str, Any]) -> SceneFiles:
    """The scene of a stage config that `export` wrote."""
    for key in SETTINGS:
        if key not in settings:
            raise DataError(f"The stage config {config} names no {key}: export the building again.")
    render, semantic, text = (config.parent / settings[key] for key in SETTINGS)
    file = GltfFile(render)
    parts = file.primitives()
    ids = vertex_ids(GltfFile(semantic), sum(len(part.positions) for part in parts), read_descriptor(text))
    name = config.name.removesuffix(CONFIG)
    graph = read_graph(config.parent / f"{name}.scene.json")
    return SceneFiles(drawable(file, parts, ids), graph, read_grid(config.parent / f"{name}.navigation.png"))


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object."""
    try:
        return json.loads(path.read_text())
    except (OSError, json.JSONDecodeError) as error:
        raise DataError(f"The scene file {path} cannot be read: {error}") from error


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


def vertex_ids(file: GltfFile, count: int, codes: dict[tuple[int, int, int], int]) -> NDArray[np.int64]:
    """[V] object ids from the linear vertex colours of a file with `count` vertices."""
    parts = file.primitives()
    if not all(part.coloured for part in parts):
        raise file.wrong("has no vertex colours, so its objects cannot be told apart")
    linear = np.concatenate([part.colour for part in parts])
    if len(linear) != count:
        raise file.wrong(f"has {len(linear)} vertices where the building has {count}: they do not belong together")
    seen, which = np.unique(np.round(srgb(linear) * 255).astype(int), axis=0, return_inverse=True)
    unknown = [colour for colour in map(tuple, seen.tolist()) if colour not in codes]
    if unknown:
        raise file.wrong(f"has the colour {unknown[0]}, which its descriptor does not name")
    return np.array([codes[colour] for colour in map(tuple, seen.tolist())])[which.ravel()]


def read_graph(path: Path) -> SceneGraph:
    """The scene graph that `export` wrote."""
    content = read_json(path)
    try:
        rooms, doors, objects = ([tupled(entry) for entry in content[name]] for name in ("rooms", "doors", "objects"))
        walls, upper_walls = (
            tuple((x0, z0, x1, z1) for x0, z0, x1, z1 in segments)
            for segments in (content["walls"], content.get("upper_walls", ()))
        )
        return SceneGraph(
            tuple(Room(**room) for room in rooms), tuple(Door(**door) for door in doors),
            tuple(SceneObject(**thing) for thing in objects), walls, upper_walls,
        )  # fmt: skip
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"The scene graph {path} is not what export writes: {error}") from error


def tupled(value: Any) -> Any:
    """JSON lists as tuples, all the way down."""
    if isinstance(value, dict):
        return {name: tupled(part) for name, part in value.items()}
    return tuple(tupled(part) for part in value) if isinstance(value, list) else value
