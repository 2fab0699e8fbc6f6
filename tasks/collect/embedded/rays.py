"""The embedded renderer where no GL can be had: one ray a pixel through Embree, textures looked up as GL does.

Same camera, same depth, same ids; colours by trilinear look-up in mip-maps. Some thirty times slower than `renderer`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.collect.camera import Camera
from tasks.collect.embedded.baked import SHEET, BakedMesh, Sheet
from tasks.collect.embedded.materials import textures
from tasks.collect.embedded.texels import Pyramid
from tasks.collect.simulator import Observation
from tasks.errors import UsageError

Floats = NDArray[np.float64]

NEAR, FAR = 0.02, 100.0
"""Clipping planes in metres, as those of `renderer`."""
PAST = 1e-4
"""Metres by which a ray goes on behind a surface that it sees from the back."""
LAYERS = 12
"""Surfaces seen from the back that a ray goes through at most."""


def embree() -> Any:
    """Embree's scenes and meshes. Raises UsageError where the package is missing."""
    try:
        from embreex import mesh_construction, rtcore_scene
    except ImportError as error:
        raise UsageError(f"Drawing with rays needs the package embreex, which cannot be loaded ({error}).") from error
    return rtcore_scene.EmbreeScene, mesh_construction.TriangleMesh


@dataclass(frozen=True)
class Hits:
    """Where rays met surfaces from the front; M of them."""

    pixel: NDArray[np.int64]
    """[M] index among the camera's pixels, row by row."""
    face: NDArray[np.int64]
    """[M] triangle."""
    depth: Floats
    """[M] z-depth, metres."""


class RayRenderer:
    """Keeps the materials; buildings come and go. The interface of `renderer.Renderer`."""

    def __init__(self) -> None:
        self.scene_type, self.mesh_type = embree()
        self.materials = Pyramid.of(Sheet(textures()))
        self.pyramids: list[Pyramid] = []
        self.mesh: BakedMesh
        self.scene: Any = None

    def show(self, mesh: BakedMesh) -> None:
        """Make `mesh` the building that is drawn from now on."""
        self.mesh, self.scene = mesh, self.scene_type()
        self.mesh_type(self.scene, np.ascontiguousarray(mesh.positions[mesh.faces], dtype=np.float32))
        self.pyramids = [self.materials, *(Pyramid.of(sheet) for sheet in mesh.sheets)]
        self.corners: Floats = mesh.positions[mesh.faces].astype(np.float64)
        self.normals: Floats = np.cross(
            self.corners[:, 1] - self.corners[:, 0], self.corners[:, 2] - self.corners[:, 0]
        )

    def draw(self, pose: Floats, camera: Camera) -> Observation:
        """RGB, z-depth and ids from `pose` ([4, 4] camera-to-world, OpenCV)."""
        assert self.scene is not None, "show a building first"
        rays = directions(camera) @ pose[:3, :3].T
        hits = self.meet(pose[:3, 3], rays)
        shape = (camera.height, camera.width)
        rgb = np.zeros((len(rays), 3), dtype=np.uint8)
        depth, ids = np.zeros(len(rays), dtype=np.float32), np.zeros(len(rays), dtype=np.uint16)
        rgb[hits.pixel] = self.colours(hits, pose, camera, rays)
        depth[hits.pixel] = hits.depth
        ids[hits.pixel] = self.mesh.ids[self.mesh.faces[hits.face, 0]]
        return Observation(rgb.reshape(*shape, 3), depth.reshape(shape), ids.reshape(shape))

    def meet(self, eye: Floats, rays: Floats) -> Hits:
        """The first surface that each ray ([N, 3], of z-depth 1) meets from its front, between the clipping planes."""
        face = np.full(len(rays), -1, dtype=np.int64)
        # A ray's length is counted in z-depth, since its direction has z-depth 1.
        start, active = np.full(len(rays), NEAR), np.arange(len(rays))
        for _ in range(LAYERS):
            origins = (eye + start[active, None] * rays[active]).astype(np.float32)
            found = self.scene.run(origins, rays[active].astype(np.float32), output=1)
            hit = np.asarray(found["primID"], dtype=np.int64)
            seen = hit >= 0
            front = seen & (np.einsum("ij,ij->i", self.normals[hit], rays[active]) < 0)
            face[active[front]] = hit[front]
            behind = seen & ~front
            start[active[behind]] += np.asarray(found["tfar"], dtype=float)[behind] + PAST
            active = active[behind]
            if not len(active):
                break
        pixel = np.flatnonzero(face >= 0)
        depth = self.plane_depth(face[pixel], eye, rays[pixel])
        kept = (depth >= NEAR) & (depth <= FAR)
        return Hits(pixel[kept], face[pixel][kept], depth[kept])

    def plane_depth(self, face: NDArray[np.int64], eye: Floats, rays: Floats) -> Floats:
        """[M] z-depths at which rays ([M, 3]) from `eye` meet the planes of triangles."""
        normal = self.normals[face]
        down = np.einsum("ij,ij->i", normal, rays)
        return np.einsum("ij,ij->i", normal, self.corners[face, 0] - eye) / np.where(down == 0, -1e-12, down)

    def weights(self, face: NDArray[np.int64], points: Floats) -> Floats:
        """[M, 3] barycentric coordinates of points ([M, 3]) in the planes of triangles."""
        a, b, c = (self.corners[face, i] for i in range(3))
        normal = self.normals[face]
        whole = np.einsum("ij,ij->i", normal, normal)
        second = np.einsum("ij,ij->i", np.cross(points - a, c - a), normal) / whole
        third = np.einsum("ij,ij->i", np.cross(b - a, points - a), normal) / whole
        return np.stack([1 - second - third, second, third], axis=1)

    def colours(self, hits: Hits, pose: Floats, camera: Camera, rays: Floats) -> NDArray[np.uint8]:
        """[M, 3] texture times tint where rays met surfaces; blurred as far as a pixel reaches over the texture."""
        eye, corners = pose[:3, 3], self.mesh.faces[hits.face]
        uv = self.mesh.uv[corners].astype(np.float64)

        def place(shifted: Floats) -> tuple[Floats, Floats]:
            depth = self.plane_depth(hits.face, eye, shifted)
            weights = self.weights(hits.face, eye + depth[:, None] * shifted)
            return np.einsum("ij,ijk->ik", weights, uv), weights

        here, weights = place(rays[hits.pixel])
        pixel_right, pixel_down = (pose[:3, i] / camera.focal for i in (0, 1))
        right, down = (place(rays[hits.pixel] + step)[0] - here for step in (pixel_right, pixel_down))
        layer = self.mesh.layer[corners[:, 0]]
        surface = np.empty((len(layer), 3))
        for number in np.unique(layer // SHEET):
            own = layer // SHEET == number
            surface[own] = self.pyramids[number].sample(layer[own] % SHEET, here[own], right[own], down[own])
        tint = np.einsum("ij,ijk->ik", weights, self.mesh.colour[corners].astype(np.float64)) / 255
        return np.round(np.clip(surface * tint, 0, 255)).astype(np.uint8)

    def close(self) -> None:
        """Free the building's memory."""
        self.scene, self.pyramids = None, []


def directions(camera: Camera) -> Floats:
    """[H * W, 3] rays through the pixels' centres in the camera's frame, z = 1, row by row."""
    x = (np.arange(camera.width) + 0.5 - camera.width / 2) / camera.focal
    y = (np.arange(camera.height) + 0.5 - camera.height / 2) / camera.focal
    u, v = np.meshgrid(x, y)
    return np.stack([u.ravel(), v.ravel(), np.ones(u.size)], axis=1)
