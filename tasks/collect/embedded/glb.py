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
FLOAT, UNSIGNED_INT = 5126, 5125
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
        """Append an array (float32, or uint32 for indices) of SCALAR, VEC2, VEC3 or VEC4."""
        floating = values.dtype == np.float32
        entry = {
            "bufferView": self.view(np.ascontiguousarray(values).tobytes(), target),
            "componentType": FLOAT if floating else UNSIGNED_INT,
            "count": len(values),
            "type": kind,
        }
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


def textured(positions: NDArray[np.float32], uv: NDArray[np.float32], faces: NDArray[np.int64], png: bytes) -> Glb:
    """A mesh with one unlit, mip-mapped texture (PNG bytes); metres, y up."""
    glb = Glb()
    glb.content |= {
        "extensionsUsed": ["KHR_materials_unlit"],
        "images": [{"bufferView": glb.view(png), "mimeType": "image/png"}],
        "samplers": [{"magFilter": 9729, "minFilter": 9987, "wrapS": 33071, "wrapT": 33071}],
        "textures": [{"sampler": 0, "source": 0}],
        "materials": [
            {
                "name": "baked",
                "extensions": {"KHR_materials_unlit": {}},
                "pbrMetallicRoughness": {
                    "baseColorTexture": {"index": 0},
                    "metallicFactor": 0.0,
                    "roughnessFactor": 1.0,
                },
            }
        ],
    }
    attributes = {
        "POSITION": glb.accessor(positions, "VEC3", VERTICES),
        "TEXCOORD_0": glb.accessor(uv.astype(np.float32), "VEC2", VERTICES),
    }
    return with_mesh(glb, attributes, faces)


def coloured(positions: NDArray[np.float32], colours: NDArray[np.float32], faces: NDArray[np.int64]) -> Glb:
    """A mesh with flat vertex colours ([V, 4], linear 0..1)."""
    glb = Glb()
    glb.content["materials"] = [{"name": "ids"}]
    attributes = {
        "POSITION": glb.accessor(positions, "VEC3", VERTICES),
        "COLOR_0": glb.accessor(colours.astype(np.float32), "VEC4", VERTICES),
    }
    return with_mesh(glb, attributes, faces)


def with_mesh(glb: Glb, attributes: dict[str, int], faces: NDArray[np.int64]) -> Glb:
    """Add the one primitive."""
    indices = glb.accessor(faces.reshape(-1).astype(np.uint32), "SCALAR", INDICES)
    glb.content["meshes"] = [
        {"name": "building", "primitives": [{"attributes": attributes, "indices": indices, "material": 0}]}
    ]
    return glb
