"""Binary glTF: the little of it that buildings need, written by hand so that the bytes are the same every time."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAGIC, JSON_CHUNK, BIN_CHUNK = 0x46546C67, 0x4E4F534A, 0x004E4942
TYPES = {"<f4": 5126, "<u4": 5125, "|u1": 5121}
VERTICES, INDICES = 34962, 34963


@dataclass
class Glb:
    """A glTF document under construction, with its one buffer."""

    content: dict[str, Any] = field(
        default_factory=lambda: {
            "asset": {"version": "2.0", "generator": "backsight"},
            "scene": 0,
            "scenes": [{"nodes": [0]}],
            "nodes": [{"mesh": 0, "name": "building"}],
            "meshes": [],
            "accessors": [],
            "bufferViews": [],
        }
    )
    data: bytearray = field(default_factory=bytearray)

    def view(self, data: bytes, target: int | None = None) -> int:
        """Append bytes to the buffer; returns the buffer view."""
        self.data += b"\0" * (-len(self.data) % 4)
        entry: dict[str, Any] = {"buffer": 0, "byteOffset": len(self.data), "byteLength": len(data)}
        self.content["bufferViews"].append(entry | ({"target": target} if target else {}))
        self.data += data
        return len(self.content["bufferViews"]) - 1

    def accessor(self, values: NDArray[Any], kind: str, target: int) -> int:
        """Append an array of SCALAR, VEC2, VEC3 or VEC4: float32, uint32 for indices, or uint8 that stands for 0..1."""
        entry = {
            "bufferView": self.view(np.ascontiguousarray(values).tobytes(), target),
            "componentType": TYPES[values.dtype.str],
            "count": len(values),
            "type": kind,
        }
        if values.dtype == np.uint8:
            entry["normalized"] = True
        if kind == "VEC3":
            entry |= {"min": values.min(axis=0).tolist(), "max": values.max(axis=0).tolist()}
        self.content["accessors"].append(entry)
        return len(self.content["accessors"]) - 1

    def save(self, path: Path) -> None:
        """Write the file."""
        self.content["buffers"] = [{"byteLength": len(self.data)}]
        text = json.dumps(self.content, sort_keys=True, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 4)
        data = bytes(self.data) + b"\0" * (-len(self.data) % 4)
        total = 12 + 8 + len(text) + 8 + len(data)
        head = struct.pack("<III", MAGIC, 2, total) + struct.pack("<II", len(text), JSON_CHUNK)
        path.write_bytes(head + text + struct.pack("<II", len(data), BIN_CHUNK) + data)


@dataclass(frozen=True)
class Surface:
    """The triangles of one texture."""

    name: str
    positions: NDArray[np.float32]
    """[V, 3] metres, y up."""
    uv: NDArray[np.float32]
    """[V, 2], v downwards as glTF counts it."""
    colour: NDArray[np.uint8]
    """[V, 4] multiplies the texture."""
    faces: NDArray[np.int64]
    """[F, 3]."""
    png: bytes
    """The texture; it repeats."""


def textured(surfaces: list[Surface]) -> Glb:
    """One mesh a surface, unlit, each with its own mip-mapped texture and with vertex colours."""
    glb = Glb()
    glb.content |= {
        "extensionsUsed": ["KHR_materials_unlit"],
        "scenes": [{"nodes": list(range(len(surfaces)))}],
        "nodes": [{"mesh": i, "name": surface.name} for i, surface in enumerate(surfaces)],
        "samplers": [{"magFilter": 9729, "minFilter": 9987, "wrapS": 10497, "wrapT": 10497}],
        "images": [],
        "textures": [],
        "materials": [],
    }
    for number, surface in enumerate(surfaces):
        glb.content["images"].append({"bufferView": glb.view(surface.png), "mimeType": "image/png"})
        glb.content["textures"].append({"sampler": 0, "source": number})
        glb.content["materials"].append(
            {
                "name": surface.name,
                "extensions": {"KHR_materials_unlit": {}},
                "pbrMetallicRoughness": {
                    "baseColorTexture": {"index": number},
                    "metallicFactor": 0.0,
                    "roughnessFactor": 1.0,
                },
            }
        )
        attributes = {
            "POSITION": glb.accessor(surface.positions, "VEC3", VERTICES),
            "TEXCOORD_0": glb.accessor(surface.uv, "VEC2", VERTICES),
            "COLOR_0": glb.accessor(surface.colour, "VEC4", VERTICES),
        }
        add_mesh(glb, surface.name, attributes, surface.faces, number)
    return glb


def coloured(positions: NDArray[np.float32], colours: NDArray[np.float32], faces: NDArray[np.int64]) -> Glb:
    """A mesh with flat vertex colours ([V, 4], linear 0..1)."""
    glb = Glb()
    glb.content["materials"] = [{"name": "ids"}]
    attributes = {
        "POSITION": glb.accessor(positions, "VEC3", VERTICES),
        "COLOR_0": glb.accessor(colours.astype(np.float32), "VEC4", VERTICES),
    }
    add_mesh(glb, "building", attributes, faces, 0)
    return glb


def add_mesh(glb: Glb, name: str, attributes: dict[str, int], faces: NDArray[np.int64], material: int) -> None:
    """Add a mesh of one primitive."""
    indices = glb.accessor(faces.reshape(-1).astype(np.uint32), "SCALAR", INDICES)
    primitive = {"attributes": attributes, "indices": indices, "material": material}
    glb.content["meshes"].append({"name": name, "primitives": [primitive]})
