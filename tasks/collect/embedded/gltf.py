"""Reads binary glTF: every primitive in world coordinates, with its texture, its vertex colours and its node's name."""

from __future__ import annotations

import base64
import io
import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.errors import DataError

MAGIC, JSON_CHUNK, BIN_CHUNK = 0x46546C67, 0x4E4F534A, 0x004E4942
TRIANGLES = 4
CLAMP = 33071
KINDS = {5120: "i1", 5121: "u1", 5122: "i2", 5123: "u2", 5125: "u4", 5126: "f4"}
WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}
UNDERSTOOD = {"KHR_materials_unlit", "KHR_texture_transform", "KHR_materials_specular", "KHR_materials_ior"}
"""Extensions that a file may require; what they add beyond the base colour is not drawn."""


@dataclass(frozen=True)
class Texture:
    """A base-colour texture."""

    image: NDArray[np.uint8]
    """[H, W, 3], first row = bottom (v = 0)."""
    repeat: tuple[bool, bool]
    """Whether it repeats along u and along v; else its rim goes on."""


@dataclass(frozen=True)
class Primitive:
    """One drawable part of a file: V vertices, F triangles."""

    name: str
    """Of its node."""
    node: int
    positions: NDArray[np.float32]
    """[V, 3] metres, in the file's world."""
    faces: NDArray[np.int64]
    """[F, 3], counter-clockwise from the front."""
    uv: NDArray[np.float32]
    """[V, 2], v upwards."""
    colour: NDArray[np.float64]
    """[V, 3] vertex colour times the material's factor, 0..1, as the numbers stand in the file."""
    texture: int | None
    """Index among the file's textures."""
    coloured: bool
    """Whether its vertices have colours of their own."""
    double_sided: bool


class GltfFile:
    """A .glb on disk. Every method raises DataError naming the file where it is not what it should be."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            data = path.read_bytes()
        except OSError as error:
            raise DataError(f"The GLB {path} cannot be read: {error.strerror}.") from error
        self.content, self.binary = self.chunks(data)
        if missing := sorted(set(self.content.get("extensionsRequired", [])) - UNDERSTOOD):
            raise self.wrong(f"requires the extension {missing[0]}, which is not understood; export it without")

    def wrong(self, what: str) -> DataError:
        """A sentence about this file."""
        return DataError(f"{self.path} {what}.")

    def chunks(self, data: bytes) -> tuple[dict[str, Any], bytes]:
        """The JSON and the binary chunk."""
        if len(data) < 20 or struct.unpack_from("<I", data)[0] != MAGIC:
            raise self.wrong("is no GLB: it does not begin with the letters glTF")
        _, version, length = struct.unpack_from("<III", data)
        if version != 2 or length > len(data):
            raise self.wrong(f"is no whole GLB of version 2 (version {version}, {len(data)} of {length} bytes)")
        found, at = dict[int, bytes](), 12
        while at + 8 <= length:
            size, kind = struct.unpack_from("<II", data, at)
            found.setdefault(kind, data[at + 8 : at + 8 + size])
            at += 8 + size
        try:
            content = json.loads(found[JSON_CHUNK])
        except (KeyError, ValueError) as error:
            raise self.wrong("is no GLB: its JSON chunk is missing or malformed") from error
        return content, found.get(BIN_CHUNK, b"")

    def primitives(self) -> list[Primitive]:
        """All triangles of the scene, part by part, in the order of its nodes."""
        try:
            parts = [part for node, matrix in self.placed() for part in self.parts(node, matrix)]
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise self.wrong(f"is no sound glTF ({type(error).__name__}: {error})") from error
        if not parts:
            raise self.wrong("holds no triangles")
        return parts

    def placed(self) -> Iterator[tuple[int, NDArray[np.float64]]]:
        """Nodes of the scene with a mesh, and their matrices to the world."""
        nodes = self.content.get("nodes", [])
        scenes = self.content.get("scenes", [])
        roots = scenes[self.content.get("scene", 0)].get("nodes", []) if scenes else range(len(nodes))
        stack = [(root, np.eye(4)) for root in reversed(roots)]
        seen = 0
        while stack:
            number, above = stack.pop()
            seen += 1
            if seen > len(nodes):
                raise ValueError("its nodes form a ring")
            matrix = above @ local_matrix(nodes[number])
            if "mesh" in nodes[number]:
                yield number, matrix
            stack += [(child, matrix) for child in reversed(nodes[number].get("children", []))]

    def parts(self, node: int, matrix: NDArray[np.float64]) -> Iterator[Primitive]:
        """A node's primitives; those of lines and points are left out."""
        entry = self.content["nodes"][node]
        mesh = self.content["meshes"][entry["mesh"]]
        for primitive in mesh["primitives"]:
            if primitive.get("mode", TRIANGLES) == TRIANGLES:
                yield self.part(primitive, entry.get("name") or mesh.get("name") or f"node {node}", node, matrix)

    def part(self, primitive: dict[str, Any], name: str, node: int, matrix: NDArray[np.float64]) -> Primitive:
        """One primitive in the world."""
        attributes = primitive["attributes"]
        local = self.values(attributes["POSITION"])
        count = len(local)
        world = (local.astype(np.float64) @ matrix[:3, :3].T + matrix[:3, 3]).astype(np.float32)
        if not np.isfinite(world).all():
            raise self.wrong(f"has vertices that are not finite numbers, in {name!r}")
        indices = self.values(primitive["indices"]).ravel() if "indices" in primitive else np.arange(count)
        faces = indices.astype(np.int64)[: len(indices) // 3 * 3].reshape(-1, 3)
        if len(faces) and faces.max() >= count:
            raise self.wrong(f"names vertex {faces.max()} of {count}, in {name!r}")
        if np.linalg.det(matrix[:3, :3]) < 0:
            faces = faces[:, ::-1]
        material = self.content["materials"][primitive["material"]] if "material" in primitive else {}
        surface = material.get("pbrMetallicRoughness", {})
        colour = np.tile(np.array(surface.get("baseColorFactor", [1.0] * 4)[:3], dtype=np.float64), (count, 1))
        if "COLOR_0" in attributes:
            colour *= self.values(attributes["COLOR_0"])[:, :3]
        texture = surface.get("baseColorTexture")
        uv = self.coordinates(attributes, texture, count)
        if not (np.isfinite(uv).all() and np.isfinite(colour).all()):
            raise self.wrong(f"has texture coordinates or colours that are not finite numbers, in {name!r}")
        return Primitive(
            name, node, world, faces, uv, colour,
            texture=None if texture is None else int(texture["index"]),
            coloured="COLOR_0" in attributes, double_sided=bool(material.get("doubleSided", False)),
        )  # fmt: skip

    def coordinates(
        self, attributes: dict[str, Any], texture: dict[str, Any] | None, count: int
    ) -> NDArray[np.float32]:
        """[V, 2] of the base colour, v upwards; its KHR_texture_transform is applied."""
        name = f"TEXCOORD_{(texture or {}).get('texCoord', 0)}"
        if texture is None or name not in attributes:
            return np.zeros((count, 2), dtype=np.float32)
        uv = self.values(attributes[name]).astype(np.float64)
        moved = texture.get("extensions", {}).get("KHR_texture_transform", {})
        if moved:
            turn = moved.get("rotation", 0.0)
            rotation = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
            uv = (uv * moved.get("scale", [1.0, 1.0])) @ rotation.T + moved.get("offset", [0.0, 0.0])
        return np.stack([uv[:, 0], 1 - uv[:, 1]], axis=1).astype(np.float32)

    def values(self, number: int) -> NDArray[Any]:
        """[n, width] of an accessor; normalised integers become 0..1 (or -1..1)."""
        accessor = self.content["accessors"][number]
        if "sparse" in accessor or "bufferView" not in accessor:
            raise self.wrong("has sparse accessors, which are not understood")
        kind, width = np.dtype("<" + KINDS[accessor["componentType"]]), WIDTHS[accessor["type"]]
        view = self.content["bufferViews"][accessor["bufferView"]]
        data = self.buffer(view.get("buffer", 0))
        start = view.get("byteOffset", 0) + accessor.get("byteOffset", 0)
        stride = view.get("byteStride") or kind.itemsize * width
        count = accessor["count"]
        if count and start + (count - 1) * stride + kind.itemsize * width > len(data):
            raise self.wrong(f"is cut off: accessor {number} ends beyond its {len(data)} bytes of data")
        found = np.ndarray((count, width), kind, data, start, (stride, kind.itemsize))
        return found / np.iinfo(kind).max if accessor.get("normalized") and kind.kind in "iu" else found

    def buffer(self, number: int) -> bytes:
        """A buffer: the file's own chunk, a data URI, or a file beside it."""
        uri = self.content["buffers"][number].get("uri")
        return self.binary if uri is None else self.linked(uri)

    def linked(self, uri: str) -> bytes:
        """The bytes of a URI within the file or beside it."""
        if uri.startswith("data:"):
            return base64.b64decode(uri.partition(",")[2])
        try:
            return (self.path.parent / uri).read_bytes()
        except OSError as error:
            raise self.wrong(f"names {uri}, which cannot be read ({error.strerror})") from error

    @cached_property
    def textures(self) -> dict[int, Texture]:
        """Decoded textures of the base colours, by index; filled by `texture`."""
        return {}

    def texture(self, number: int) -> Texture:
        """A texture, decoded once."""
        if number not in self.textures:
            entry = self.content["textures"][number]
            if "source" not in entry:
                name = next(iter(entry.get("extensions", {})), "no image")
                raise self.wrong(f"has a texture in a format that is not understood ({name})")
            sampler = self.content["samplers"][entry["sampler"]] if "sampler" in entry else {}
            repeat = (sampler.get("wrapS") != CLAMP, sampler.get("wrapT") != CLAMP)
            self.textures[number] = Texture(self.image(entry["source"]), repeat)
        return self.textures[number]

    def image(self, number: int) -> NDArray[np.uint8]:
        """[H, W, 3] an image, first row = bottom."""
        from PIL import Image

        entry = self.content["images"][number]
        if "uri" in entry:
            data = self.linked(entry["uri"])
        else:
            view = self.content["bufferViews"][entry["bufferView"]]
            start = view.get("byteOffset", 0)
            data = self.buffer(view.get("buffer", 0))[start : start + view["byteLength"]]
        try:
            pixels = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
        except OSError as error:
            raise self.wrong(f"has an image ({entry.get('mimeType', number)}) that cannot be decoded") from error
        return np.ascontiguousarray(pixels[::-1])


def local_matrix(node: dict[str, Any]) -> NDArray[np.float64]:
    """[4, 4] of a node: its matrix, or translation, rotation and scale."""
    if "matrix" in node:
        return np.array(node["matrix"], dtype=np.float64).reshape(4, 4).T
    from scipy.spatial.transform import Rotation

    matrix = np.eye(4)
    turn = Rotation.from_quat(node.get("rotation", [0.0, 0.0, 0.0, 1.0])).as_matrix()
    matrix[:3, :3] = turn * np.array(node.get("scale", [1.0, 1.0, 1.0]))
    matrix[:3, 3] = node.get("translation", [0.0, 0.0, 0.0])
    return matrix
