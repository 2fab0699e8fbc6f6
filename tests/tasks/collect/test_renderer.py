"""The renderer against rays: z-depth, object ids, colours, pixel centres."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from tasks.collect.camera import Camera, camera_pose
from tasks.collect.embedded import renderer as module
from tasks.collect.embedded.renderer import Renderer
from tasks.collect.embedded.simulator import EmbeddedSimulator
from tasks.errors import UsageError
from tests.tasks.collect.boxes import Box, mesh_of, traced

BOXES = [
    Box((0.0, 1.0, -3.0), (1.0, 2.0, 0.5), 0.3, (1.0, 0.0, 0.0), 7),
    Box((1.5, 0.5, -2.0), (0.6, 1.0, 0.6), 0.8, (0.0, 1.0, 0.0), 300),
    Box((-1.4, 1.5, -4.0), (1.2, 0.4, 2.0), 0.0, (0.0, 0.0, 1.0), 65535),
    Box((0.0, -0.05, -3.0), (12.0, 0.1, 12.0), 0.0, (0.5, 0.5, 0.5), 1),
]


@pytest.fixture(scope="module")
def renderer() -> Iterator[Renderer]:
    renderer = Renderer()
    yield renderer
    renderer.close()


@pytest.mark.parametrize("size", [(64, 64), (97, 40), (224, 224)])
@pytest.mark.parametrize(("hfov", "heading", "pitch"), [(60.0, 0.0, 0.0), (90.0, 0.4, -0.2), (110.0, -0.7, 0.25)])
def test_depth_and_ids_are_what_rays_say(
    renderer: Renderer, size: tuple[int, int], hfov: float, heading: float, pitch: float
) -> None:
    camera, pose = Camera(*size, hfov), camera_pose(np.array([0.1, 1.3, 0.4]), heading, pitch)
    renderer.show(mesh_of(BOXES))
    seen = renderer.draw(pose, camera)
    depth, ids = traced(BOXES, pose, camera)
    same = seen.semantic == ids
    # A pixel centre exactly on an edge may fall to either side.
    assert (~same).sum() <= 3
    assert len(np.unique(ids)) >= 4
    assert np.abs(seen.depth - depth)[same].max() < 1e-4


def test_colour_is_the_boxs_own(renderer: Renderer) -> None:
    camera, pose = Camera(64, 64, 70.0), camera_pose(np.array([0.0, 1.2, 0.5]), 0.0, -0.1)
    renderer.show(mesh_of(BOXES))
    seen = renderer.draw(pose, camera)
    for box in BOXES:
        pixels = seen.rgb[seen.semantic == box.id]
        assert len(pixels) > 0 and (np.abs(pixels.astype(int) - np.round(np.array(box.colour) * 255)) <= 1).all()


def test_pixel_centres_lie_at_half(renderer: Renderer) -> None:
    """A wall's edge on a line between two columns: the left column sees it, the right one does not, at any size."""
    for width in (8, 16, 64):
        camera = Camera(width, width, 90.0)
        edge = Box((-5.0, 0.0, -2.05), (10.0, 10.0, 0.1), 0.0, (1.0, 1.0, 1.0), 5)
        shifted = Box((-5.0 + 2.0 / camera.focal * 0.4, 0.0, -2.05), edge.size, 0.0, edge.colour, 5)
        for box, columns in ((edge, width // 2), (shifted, width // 2)):
            renderer.show(mesh_of([box]))
            seen = renderer.draw(camera_pose(np.zeros(3), 0.0, 0.0), camera)
            assert (seen.semantic == 5).sum(axis=1).tolist() == [columns] * width


def test_buildings_and_sizes_come_and_go(renderer: Renderer) -> None:
    camera, pose = Camera(48, 48, 80.0), camera_pose(np.array([0.0, 1.2, 0.5]), 0.0, 0.0)
    renderer.show(mesh_of(BOXES))
    first = renderer.draw(pose, camera)
    renderer.show(mesh_of(BOXES[:1]))
    renderer.draw(pose, Camera(96, 32, 80.0))
    assert set(np.unique(renderer.draw(pose, camera).semantic)) == {0, 7}
    renderer.show(mesh_of(BOXES))
    again = renderer.draw(pose, camera)
    assert (again.rgb == first.rgb).all() and (again.depth == first.depth).all()


def test_nothing_there_is_zero(renderer: Renderer) -> None:
    renderer.show(mesh_of(BOXES[:1]))
    seen = renderer.draw(camera_pose(np.array([0.0, 1.0, 0.0]), np.pi, 0.0), Camera(16, 16, 60.0))
    assert not seen.depth.any() and not seen.semantic.any() and not seen.rgb.any()


def test_without_egl_the_sentence_names_the_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    import moderngl

    def missing(**_: object) -> None:
        raise ImportError("libEGL.so.1: cannot open shared object file")

    monkeypatch.setattr(moderngl, "create_standalone_context", missing)
    with pytest.raises(UsageError, match="libegl1 libegl-mesa0 libgl1 libgl1-mesa-dri") as caught:
        module.open_context()
    assert "\n" not in str(caught.value) and caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("device", "said"), [("99", "99.*requested device index 99"), ("gpu", "'gpu' is no EGL device")]
)
def test_an_egl_device_that_is_not_there_is_named_and_nothing_else_takes_its_place(
    monkeypatch: pytest.MonkeyPatch, device: str, said: str
) -> None:
    monkeypatch.setenv("GLCONTEXT_DEVICE_INDEX", device)
    with pytest.raises(UsageError, match=said) as caught:
        EmbeddedSimulator()
    assert "\n" not in str(caught.value)
