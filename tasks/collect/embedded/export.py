"""Writes a building as files that habitat-sim loads: GLB, stage config, semantics, and the navigation grid.

`python -m tasks.collect.embedded.export FOLDER SCENE [SCENE ...]` writes buildings (7 or b7: a home; h7: a hall; d7: a
home on two floors) and a scene dataset config with them.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from tasks.collect.embedded import glb
from tasks.collect.embedded.baked import SHEET, BakedMesh
from tasks.collect.embedded.building import Building
from tasks.collect.embedded.floors import grid_of, write_grid
from tasks.collect.embedded.materials import NAMES, textures
from tasks.collect.simulator import SceneGraph
from tasks.errors import UsageError

DESCRIPTOR_TITLE = "HM3D Semantic Annotations"
DATASET_CONFIG = "buildings.scene_dataset_config.json"


def export(building: Building, name: str, folder: Path) -> Path:
    """Write `name`.glb and all that belongs to it; returns the stage config, which names the rest."""
    folder.mkdir(parents=True, exist_ok=True)
    mesh = building.mesh
    order, faces = by_texture(mesh)
    glb.textured(surfaces(mesh)).save(folder / f"{name}.glb")
    codes = id_colours(len(building.graph.objects))
    vertex = np.ones((len(mesh.ids), 4), dtype=np.float32)
    vertex[:, :3] = linear(codes[mesh.ids[order] - 1] / 255)
    glb.coloured(mesh.positions[order], vertex, faces).save(folder / f"{name}.semantic.glb")
    (folder / f"{name}.semantic.txt").write_text(descriptor(building.graph, codes))
    write_json(folder / f"{name}.scene.json", {"id": name, **building.graph.as_json()})
    write_grid(grid_of(building), folder / f"{name}.navigation.png")
    config = folder / f"{name}.stage_config.json"
    write_json(config, stage_config(name))
    return config


def by_texture(mesh: BakedMesh) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """[V] the vertices in order of their textures, and [F, 3] the triangles over that order, in the same order."""
    order = np.argsort(mesh.layer, kind="stable")
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    return order, place[mesh.faces[np.argsort(mesh.layer[mesh.faces[:, 0]], kind="stable")]]


def surfaces(mesh: BakedMesh) -> list[glb.Surface]:
    """The mesh texture by texture. Joined in this order, their vertices are those of `by_texture`.

    Textures stay what they are and the baked light stays in the vertex colours, which habitat's flat shader multiplies
    as ours does (Magnum's Phong shader without lights: texture times vertex colour, no conversion of colour spaces).
    """
    order, _ = by_texture(mesh)
    found = []
    for layer in np.unique(mesh.layer):
        own = order[mesh.layer[order] == layer]
        place = np.full(len(mesh.layer), -1)
        place[own] = np.arange(len(own))
        sheet, index = divmod(int(layer), SHEET)
        image = mesh.sheets[sheet - 1].images[index] if sheet else textures()[index]
        colour = np.concatenate([mesh.colour[own], np.full((len(own), 1), 255, dtype=np.uint8)], axis=1)
        uv = np.stack([mesh.uv[own, 0], 1 - mesh.uv[own, 1]], axis=1).astype(np.float32)
        faces = place[mesh.faces[mesh.layer[mesh.faces[:, 0]] == layer]]
        name = f"picture {index}" if sheet else NAMES[index]
        found.append(glb.Surface(name, mesh.positions[own], uv, colour, faces, png(image[::-1])))
    return found


def png(image: NDArray[np.uint8]) -> bytes:
    """A PNG of [H, W, 3], first row = top."""
    ok, data = cv2.imencode(".png", np.ascontiguousarray(image[..., ::-1]))
    assert ok, "OpenCV could not encode a texture"
    return data.tobytes()


def stage_config(name: str) -> dict[str, Any]:
    """Habitat's stage attributes. Without `up` and `front` a GLB is taken for a z-up scan and comes out rotated."""
    axes = {"up": [0, 1, 0], "front": [0, 0, -1]}
    return {
        "render_asset": f"{name}.glb",
        "semantic_asset": f"{name}.semantic.glb",
        "semantic_descriptor_filename": f"{name}.semantic.txt",
        "has_semantic_textures": False,
        "units_to_meters": 1.0,
        "shader_type": "flat",
        "requires_lighting": False,
        **axes,
        **{f"semantic_{axis}": value for axis, value in axes.items()},
    }


def id_colours(count: int) -> NDArray[np.int64]:
    """[count, 3] distinct sRGB codes 0..255 for ids from 1, none black: an odd factor permutes the 24-bit numbers."""
    numbers = (np.arange(1, count + 1) * 0x9E3779B1) % 2**24
    return np.stack([numbers >> 16, (numbers >> 8) & 255, numbers & 255], axis=1)


def linear(srgb: NDArray[np.float64]) -> NDArray[np.float64]:
    """Linear light of sRGB values in 0..1 (IEC 61966-2-1): glTF's colours are linear, the descriptor's are not."""
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def srgb(linear: NDArray[np.float64]) -> NDArray[np.float64]:
    """The inverse of `linear`."""
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * np.maximum(linear, 0) ** (1 / 2.4) - 0.055)


def descriptor(graph: SceneGraph, codes: NDArray[np.int64]) -> str:
    """The text that tells habitat which colour is which object: `id,RRGGBB,"category",room` a line."""
    names = [bytes(code.tolist()).hex().upper() for code in codes]
    lines = [f'{thing.id},{names[thing.id - 1]},"{thing.category}",{thing.room}' for thing in graph.objects]
    return "\n".join([DESCRIPTOR_TITLE, *lines]) + "\n"


def write_json(path: Path, value: Any) -> None:
    """Readable JSON, the same for equal values."""
    path.write_text(json.dumps(value, indent=1, sort_keys=True) + "\n")


def main(argv: list[str] | None = None) -> int:
    """Write buildings by their scene ids."""
    parser = argparse.ArgumentParser(
        prog="python -m tasks.collect.embedded.export", description="Write buildings for habitat-sim."
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("scenes", nargs="+", metavar="SCENE", help="a seed (7, b7), a hall's (h7), a duplex's (d7)")
    parser.add_argument("--rooms", type=int, nargs=2, default=(4, 10), metavar=("FEWEST", "MOST"))
    args = parser.parse_args(argv)
    from tasks.collect.embedded.simulator import building_of

    fewest, most = args.rooms
    try:
        for scene in args.scenes:
            name = f"b{scene}" if scene.isdigit() else scene
            print(export(building_of(name, (fewest, most)), name, args.folder))
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    write_json(args.folder / DATASET_CONFIG, {"stages": {"paths": {".json": ["*.stage_config.json"]}}})
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
