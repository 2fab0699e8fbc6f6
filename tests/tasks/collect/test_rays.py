"""The renderer by rays: what a ray and a pencil say, what GL draws, and when it is chosen."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator

import numpy as np
import pytest

from tasks.collect.camera import Camera, camera_pose
from tasks.collect.embedded import rays as module
from tasks.collect.embedded.building import build
from tasks.collect.embedded.rays import RayRenderer
from tasks.collect.embedded.renderer import Renderer
from tasks.collect.embedded.simulator import EmbeddedSimulator
from tasks.errors import UsageError
from tests.tasks.collect.boxes import mesh_of, traced
from tests.tasks.collect.test_renderer import BOXES

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("embreex") is None, reason="embreex is not installed (it has no wheel for this machine)"
)


@pytest.fixture(scope="module")
def rays() -> Iterator[RayRenderer]:
    renderer = RayRenderer()
    yield renderer
    renderer.close()


@pytest.mark.parametrize(("size", "hfov", "heading", "pitch"), [((64, 64), 60, 0, 0), ((97, 40), 110, -0.7, 0.25)])
def test_depth_ids_and_colour_are_the_boxes(
    rays: RayRenderer, size: tuple[int, int], hfov: float, heading: float, pitch: float
) -> None:
    camera, pose = Camera(*size, hfov), camera_pose(np.array([0.1, 1.3, 0.4]), heading, pitch)
    rays.show(mesh_of(BOXES))
    seen = rays.draw(pose, camera)
    depth, ids = traced(BOXES, pose, camera)
    same = seen.semantic == ids
    assert (~same).sum() <= 3 and len(np.unique(ids)) >= 4
    assert np.abs(seen.depth - depth)[same].max() < 1e-4
    for box in BOXES:
        pixels = seen.rgb[(seen.semantic == box.id) & same]
        assert (np.abs(pixels.astype(int) - np.round(np.array(box.colour) * 255)) <= 1).all()


def test_surfaces_are_seen_from_the_front_alone(rays: RayRenderer) -> None:
    """From inside a box its walls are not there, as GL culls them: what lies behind is seen."""
    rays.show(mesh_of(BOXES))
    inside, camera = camera_pose(np.array(BOXES[0].centre), np.pi, 0.0), Camera(32, 32, 60.0)
    assert BOXES[0].id not in np.unique(rays.draw(inside, camera).semantic)
    behind = camera_pose(np.array([0.0, 1.0, 20.0]), np.pi, 0.0)
    assert not rays.draw(behind, camera).depth.any()


def test_both_renderers_draw_the_same_building(rays: RayRenderer, simulator: EmbeddedSimulator) -> None:
    building = build(12, (4, 8))
    gl = Renderer()
    for renderer in (gl, rays):
        renderer.show(building.mesh)
    rng, camera = np.random.default_rng(0), Camera(112, 112, 90.0)
    depth, ids, colour = [], [], []
    for place in simulator.navigable_points(8, rng, 0.05):
        heading, pitch = float(rng.uniform(-np.pi, np.pi)), float(rng.uniform(-0.3, 0.1))
        pose = camera_pose(place + np.array([0, 1.4, 0]), heading, pitch)
        a, b = gl.draw(pose, camera), rays.draw(pose, camera)
        depth.append(np.mean(np.abs(a.depth - b.depth) <= 1e-3))
        ids.append(np.mean(a.semantic == b.semantic))
        colour.append(np.abs(a.rgb.astype(float) - b.rgb).mean())
        assert a.rgb.std() > 5
    gl.close()
    assert np.mean(depth) >= 0.999 and np.mean(ids) >= 0.999
    assert np.mean(colour) <= 0.5


def without_gl(monkeypatch: pytest.MonkeyPatch) -> None:
    import moderngl

    def missing(**_: object) -> None:
        raise ImportError("libEGL.so.1: cannot open shared object file")

    monkeypatch.setattr(moderngl, "create_standalone_context", missing)


def test_without_gl_rays_are_chosen_and_said_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    without_gl(monkeypatch)
    simulator = EmbeddedSimulator((4, 5))
    assert isinstance(simulator.renderer, RayRenderer)
    said = capsys.readouterr()
    assert said.out == "" and said.err.count("\n") == 1
    assert "rays" in said.err and "libEGL.so.1" in said.err and "libgl1-mesa-dri" in said.err
    simulator.load("b3")
    place = simulator.navigable_points(1, np.random.default_rng(0), 0.2)[0]
    seen = simulator.render(camera_pose(place + np.array([0, 1.3, 0]), 0.5, 0.0), Camera(48, 48, 90.0))
    assert (seen.depth > 0).mean() > 0.99 and seen.rgb.std() > 5
    simulator.close()


def test_with_neither_gl_nor_rays_both_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    without_gl(monkeypatch)

    def missing() -> None:
        raise UsageError("Drawing with rays needs the package embreex, which cannot be loaded (gone).")

    monkeypatch.setattr(module, "embree", missing)
    with pytest.raises(UsageError, match="embreex") as caught:
        EmbeddedSimulator()
    assert "libgl1-mesa-dri" in str(caught.value) and "\n" not in str(caught.value)
