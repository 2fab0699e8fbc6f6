"""Draws one building at a time in a standalone EGL context: colour, z-depth and object id in a single pass."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from tasks.collect.camera import Camera
from tasks.collect.embedded.baked import BakedMesh, Sheet
from tasks.collect.embedded.materials import textures
from tasks.collect.simulator import Observation
from tasks.errors import UsageError

if TYPE_CHECKING:
    import moderngl

NEAR, FAR = 0.02, 100.0
"""Clipping planes in metres."""

DEVICE = "GLCONTEXT_DEVICE_INDEX"
"""Names the EGL device that draws, as glcontext counts them."""
MESA = "libegl1 libegl-mesa0 libgl1 libgl1-mesa-dri"

VERTEX = """
#version 330
uniform mat4 clip_from_world;
in vec3 position; in vec3 uvl; in vec4 colour; in float object_id;
out vec2 uv; flat out float layer; out vec3 tint; flat out float id; out float z;
void main() {
    gl_Position = clip_from_world * vec4(position, 1.0);
    uv = uvl.xy; layer = uvl.z; tint = colour.rgb; id = object_id; z = gl_Position.w;
}
"""
FRAGMENT = """
#version 330
uniform sampler2DArray sheet;
in vec2 uv; flat in float layer; in vec3 tint; flat in float id; in float z;
layout(location = 0) out vec4 rgb;
layout(location = 1) out vec2 depth_and_id;
void main() {
    rgb = vec4(texture(sheet, vec3(uv, layer)).rgb * tint, 1.0);
    depth_and_id = vec2(z, id);
}
"""


def clip_from_camera(camera: Camera) -> NDArray[np.float64]:
    """[4, 4] projection of OpenCV camera coordinates to OpenGL clip space; w = z-depth; image rows run downwards.

    The picture is drawn upside down in OpenGL's sense, so that the first row read back is the top row.
    """
    f = camera.focal
    return np.array(
        [
            [2 * f / camera.width, 0, 0, 0],
            [0, 2 * f / camera.height, 0, 0],
            [0, 0, (FAR + NEAR) / (FAR - NEAR), -2 * FAR * NEAR / (FAR - NEAR)],
            [0, 0, 1, 0],
        ]
    )


class NoDevice(UsageError):
    """The EGL device that was asked for cannot be had; another one, or rays, would be something else."""


def open_context() -> moderngl.Context:
    """A context without a window, on the EGL device that `DEVICE` names, else the first.

    Raises NoDevice where that device is not there, UsageError where the machine has no EGL.
    """
    import moderngl

    device = os.environ.get(DEVICE, "")
    if device and not device.isdigit():
        raise NoDevice(f"{DEVICE}={device!r} is no EGL device: give its number, or leave it unset for the first.")
    try:
        return moderngl.create_standalone_context(require=330, backend="egl")  # type: ignore[arg-type]  # a string in truth
    except Exception as error:
        if device:
            raise NoDevice(
                f"{DEVICE}={device}: this EGL device cannot draw ({error}); give the number of one that is there, or "
                "leave it unset for the first."
            ) from error
        raise UsageError(
            f"The embedded simulator cannot draw: no EGL context with OpenGL 3.3 ({error}). "
            f"Install Debian's packages {MESA} (or a GPU driver with EGL)."
        ) from error


class Renderer:
    """Keeps context, shader and materials; buildings and image sizes come and go."""

    def __init__(self) -> None:
        self.context = open_context()
        self.program = self.context.program(vertex_shader=VERTEX, fragment_shader=FRAGMENT)
        self.matrix = cast("moderngl.Uniform", self.program["clip_from_world"])
        self.program["sheet"] = 0
        self.materials = self.texture_array(Sheet(textures()))
        self.sheets: list[moderngl.TextureArray] = []
        self.buffers: list[Any] = []
        self.parts: list[tuple[moderngl.TextureArray, Any]] = []
        """Textures and the triangles that they cover."""
        self.frame: tuple[tuple[int, int], list[Any]] = ((0, 0), [])
        self.context.enable(self.context.DEPTH_TEST | self.context.CULL_FACE)
        # The projection flips the image, and with it the sense in which triangles turn.
        self.context.front_face = "cw"

    def texture_array(self, sheet: Sheet) -> moderngl.TextureArray:
        """A sheet as a mip-mapped texture array."""
        count, height, width, _ = sheet.images.shape
        pixels = np.ascontiguousarray(sheet.images)
        array = self.context.texture_array((width, height, count), 3, pixels.tobytes(), alignment=1)
        array.repeat_x, array.repeat_y = sheet.repeat
        array.build_mipmaps()
        array.filter = (self.context.LINEAR_MIPMAP_LINEAR, self.context.LINEAR)
        return array

    def show(self, mesh: BakedMesh) -> None:
        """Make `mesh` the building that is drawn from now on."""
        # Of several renderers in one process only one has the current context, and GL calls go to that one.
        with self.context:
            self.take(mesh)

    def take(self, mesh: BakedMesh) -> None:
        """Bring a building's textures and triangles to the context, in place of those before."""
        self.forget()
        self.sheets = [self.texture_array(sheet) for sheet in mesh.sheets]
        vertices = self.context.buffer(mesh.interleaved())
        content = [(vertices, "3f 3f 4f1 1f", "position", "uvl", "colour", "object_id")]
        self.buffers = [vertices]
        for number, faces in mesh.faces_by_sheet.items():
            indices = self.context.buffer(faces.astype(np.uint32).tobytes())
            triangles = self.context.vertex_array(self.program, content, indices)
            self.parts.append((self.sheets[number - 1] if number else self.materials, triangles))
            self.buffers += [indices, triangles]

    def forget(self) -> None:
        """Free the building's memory."""
        for thing in (*self.buffers, *self.sheets):
            thing.release()
        self.buffers, self.sheets, self.parts = [], [], []

    def target(self, camera: Camera) -> Any:
        """The framebuffer for this image size, made anew when the size changes."""
        size = (camera.width, camera.height)
        if self.frame[0] != size:
            for thing in self.frame[1]:
                thing.release()
            rgb, extra = self.context.texture(size, 4), self.context.texture(size, 2, dtype="f4")
            depth = self.context.depth_texture(size)
            framebuffer = self.context.framebuffer([rgb, extra], depth)
            self.frame = (size, [framebuffer, rgb, extra, depth])
        return self.frame[1][0]

    def draw(self, pose: NDArray[np.float64], camera: Camera) -> Observation:
        """RGB, z-depth and ids from `pose` ([4, 4] camera-to-world, OpenCV)."""
        assert self.parts, "show a building first"
        with self.context:
            return self.drawn(pose, camera)

    def drawn(self, pose: NDArray[np.float64], camera: Camera) -> Observation:
        """What `draw` gives, in the current context."""
        target = self.target(camera)
        target.use()
        target.clear()
        matrix = clip_from_camera(camera) @ np.linalg.inv(pose)
        self.matrix.write(matrix.T.astype("f4").tobytes())
        for sheet, triangles in self.parts:
            sheet.use(0)
            triangles.render()
        shape = (camera.height, camera.width)
        rgb = np.frombuffer(target.read(components=4), dtype=np.uint8).reshape(*shape, 4)[..., :3]
        extra = np.frombuffer(target.read(components=2, attachment=1, dtype="f4"), dtype=np.float32).reshape(*shape, 2)
        return Observation(
            np.ascontiguousarray(rgb), np.ascontiguousarray(extra[..., 0]), extra[..., 1].astype(np.uint16)
        )

    def close(self) -> None:
        """Free everything, the context too."""
        with self.context:
            self.forget()
        self.context.release()
