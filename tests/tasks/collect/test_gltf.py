"""The glTF reader against files written by hand: transforms, colours, textures, and what is wrong with a file."""

from __future__ import annotations

import base64
import json
import struct
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tasks.collect.embedded.glb import Glb, Surface, coloured, textured
from tasks.collect.embedded.gltf import GltfFile
from tasks.errors import DataError

CORNERS = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], dtype=np.float32)
FACE = np.array([[0, 1, 2]])
IMAGE = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [9, 9, 9]]], dtype=np.uint8)


def image_bytes() -> bytes:
    return cv2.imencode(".png", IMAGE[..., ::-1])[1].tobytes()


def triangle() -> Glb:
    return coloured(CORNERS, np.ones((3, 4), dtype=np.float32), FACE)


def saved(glb: Glb, folder: Path) -> Path:
    glb.save(folder / "x.glb")
    return folder / "x.glb"


def test_nodes_carry_their_meshes_into_the_world(tmp_path: Path) -> None:
    glb = triangle()
    half = float(np.sqrt(0.5))
    glb.content["scenes"] = [{"nodes": [0]}]
    glb.content["nodes"] = [
        {"children": [1, 2], "translation": [10, 0, 0], "name": "room"},
        {"mesh": 0, "name": "turned", "rotation": [0, half, 0, half], "scale": [2, 1, 1]},
        {"mesh": 0, "name": "mirrored", "matrix": [-1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 5, 0, 1]},
        {"mesh": 0, "name": "not in the scene"},
    ]
    turned, mirrored = GltfFile(saved(glb, tmp_path)).primitives()
    assert (turned.name, mirrored.name) == ("turned", "mirrored")
    # A quarter turn about +y takes +x to -z.
    assert np.allclose(turned.positions, [[10, 0, 0], [10, 0, -2], [10, 1, 0]], atol=1e-6)
    assert np.allclose(mirrored.positions, [[10, 5, 0], [9, 5, 0], [10, 6, 0]], atol=1e-6)
    # A mirror turns triangles inside out; the reader turns them back.
    normals = [
        np.cross(p.positions[p.faces[0, 1]] - p.positions[p.faces[0, 0]],
                 p.positions[p.faces[0, 2]] - p.positions[p.faces[0, 0]])
        for p in (turned, mirrored)
    ]  # fmt: skip
    assert normals[0][0] > 0 and normals[1][2] > 0


def test_colours_textures_and_coordinates(tmp_path: Path) -> None:
    uv = np.array([[0, 0], [1, 0], [0, 1]], dtype=np.float32)
    colour = np.array([[255, 0, 0, 255], [51, 102, 153, 255], [0, 0, 255, 255]], dtype=np.uint8)
    glb = textured([Surface("wall", CORNERS, uv, colour, FACE, image_bytes())])
    glb.content["materials"][0]["pbrMetallicRoughness"]["baseColorFactor"] = [0.5, 1, 1, 1]
    glb.content["materials"][0]["doubleSided"] = True
    glb.content["samplers"][0]["wrapS"] = 33071
    file = GltfFile(saved(glb, tmp_path))
    (part,) = file.primitives()
    assert np.allclose(part.colour, colour[:, :3] / 255 * [0.5, 1, 1])
    assert np.allclose(part.uv, [[0, 1], [1, 1], [0, 0]]), "v counts upwards here, downwards in glTF"
    assert part.double_sided and part.coloured and part.texture == 0
    texture = file.texture(0)
    assert (texture.image == IMAGE[::-1]).all() and texture.repeat == (False, True)


def test_a_texture_transform_is_applied(tmp_path: Path) -> None:
    uv = np.array([[0, 0], [1, 0], [0, 1]], dtype=np.float32)
    glb = textured([Surface("wall", CORNERS, uv, np.full((3, 4), 255, np.uint8), FACE, image_bytes())])
    entry = glb.content["materials"][0]["pbrMetallicRoughness"]["baseColorTexture"]
    entry["extensions"] = {"KHR_texture_transform": {"offset": [0.5, 0.25], "scale": [2, 3], "rotation": np.pi / 2}}
    (part,) = GltfFile(saved(glb, tmp_path)).primitives()
    assert np.allclose(part.uv, [[0.5, 0.75], [0.5, 2.75], [3.5, 0.75]], atol=1e-6)


def test_interleaved_vertices_linked_files_and_bare_triangles(tmp_path: Path) -> None:
    """Positions and colours (uint16) share rows; the buffer and the image lie outside; there are no indices."""
    rows = np.zeros(3, dtype=[("position", "<f4", 3), ("colour", "<u2", 4)])
    rows["position"], rows["colour"] = CORNERS, 65535 // 5
    (tmp_path / "mesh.bin").write_bytes(rows.tobytes())
    uri = "data:image/png;base64," + base64.b64encode(image_bytes()).decode()
    content = {
        "asset": {"version": "2.0"},
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0, "COLOR_0": 1}}, {"mode": 1, "attributes": {}}]}],
        "buffers": [{"byteLength": 60, "uri": "mesh.bin"}],
        "bufferViews": [{"buffer": 0, "byteLength": 60, "byteStride": 20}],
        "accessors": [
            {"bufferView": 0, "componentType": 5126, "count": 3, "type": "VEC3"},
            {"bufferView": 0, "byteOffset": 12, "componentType": 5123, "count": 3, "type": "VEC4", "normalized": True},
        ],
        "images": [{"uri": uri}],
        "textures": [{"source": 0}],
    }
    glb = Glb()
    glb.content = content
    text = json.dumps(content).encode()
    text += b" " * (-len(text) % 4)
    (tmp_path / "x.glb").write_bytes(
        struct.pack("<III", 0x46546C67, 2, 20 + len(text)) + struct.pack("<II", len(text), 0x4E4F534A) + text
    )
    file = GltfFile(tmp_path / "x.glb")
    (part,) = file.primitives()
    assert part.name == "node 0" and np.allclose(part.positions, CORNERS) and part.faces.tolist() == [[0, 1, 2]]
    assert np.allclose(part.colour, 0.2) and file.texture(0).image.shape == (2, 2, 3)


def broken(kind: str, glb: Glb) -> Glb:
    content: dict[str, Any] = glb.content
    match kind:
        case "draco":
            content["extensionsRequired"] = ["KHR_draco_mesh_compression"]
        case "ring":
            content["nodes"] = [{"children": [0]}]
        case "no triangles":
            content["meshes"][0]["primitives"][0]["mode"] = 0
        case "nan":
            glb.data[0:4] = struct.pack("<f", float("nan"))
        case "accessor":
            content["accessors"][0]["count"] = 10_000
        case "index":
            glb.data[-12:-8] = struct.pack("<I", 77)
        case "reference":
            content["nodes"] = [{"mesh": 3}]
        case "sparse":
            content["accessors"][0]["sparse"] = {}
        case "linked":
            content["bufferViews"][0]["buffer"] = 1
    return glb


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("draco", "KHR_draco_mesh_compression"),
        ("ring", "ring"),
        ("no triangles", "no triangles"),
        ("nan", "not finite numbers"),
        ("accessor", "cut off"),
        ("index", "names vertex 77 of 3"),
        ("reference", "no sound glTF"),
        ("sparse", "sparse"),
        ("linked", "no sound glTF"),
    ],
)
def test_what_is_wrong_is_one_sentence_with_the_files_name(tmp_path: Path, kind: str, words: str) -> None:
    path = saved(broken(kind, triangle()), tmp_path)
    with pytest.raises(DataError, match=r"x\.glb") as caught:
        GltfFile(path).primitives()
    assert words in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("data", [b"", b"glTF", b"PK\x03\x04" * 20, struct.pack("<III", 0x46546C67, 1, 40) + bytes(40)])
def test_what_is_no_glb_is_told(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x.glb").write_bytes(data)
    with pytest.raises(DataError, match=r"x\.glb is no"):
        GltfFile(tmp_path / "x.glb")
    with pytest.raises(DataError, match=r"gone\.glb cannot be read"):
        GltfFile(tmp_path / "gone.glb")


def test_every_cut_of_a_file_is_told(tmp_path: Path) -> None:
    data = saved(triangle(), tmp_path).read_bytes()
    for size in range(0, len(data) - 1, 7):
        (tmp_path / "cut.glb").write_bytes(data[:size])
        with pytest.raises(DataError, match=r"cut\.glb"):
            GltfFile(tmp_path / "cut.glb").primitives()
