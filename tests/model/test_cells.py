"""Where cells lie in space and in the keyframes' images, against the projection of single points."""

from __future__ import annotations

from dataclasses import replace

import torch

from model.cells import WIDEST, locate_cells
from model.config import NetworkConfig
from model.encoders.sensors import SensorsEncoder
from model.geometry import invert, project, transform, unproject
from tests.model.random_views import random_views

GRID = 16
CPU = torch.device("cpu")


def test_cells_land_where_their_points_are_projected() -> None:
    views = random_views(2, 3)
    cells = locate_cells(SensorsEncoder(NetworkConfig())(views), GRID, CPU)
    middle = unproject(views.depth, views.intrinsics)[:, -1, 2::4, 2::4].flatten(1, 2)
    torch.testing.assert_close(cells.centres, middle)
    for keyframe in range(3):
        motion = invert(views.pose[:, keyframe]) @ views.pose[:, -1]
        pixels, depth = project(transform(motion, middle), views.intrinsics[:, keyframe])
        landing, ahead = cells.landing[:, keyframe], depth > 0.2
        expected = (pixels / 32 - 1).clamp(-WIDEST, WIDEST)
        torch.testing.assert_close(landing[..., :2][ahead], expected[ahead], atol=1e-3, rtol=1e-3)
        torch.testing.assert_close(landing[..., 3], depth / 5, atol=1e-4, rtol=1e-4)
        assert torch.equal(landing[..., 4] > 0, depth > 0)


def test_unknown_depth_is_told_as_unknown() -> None:
    views = random_views(1, 2)
    blind = replace(views, depth=views.depth * (torch.arange(64) >= 32))
    geometry = SensorsEncoder(NetworkConfig())(blind)
    cells = locate_cells(geometry, GRID, CPU)
    assert torch.equal(cells.known.unflatten(1, (GRID, GRID))[0, 0], torch.arange(GRID) >= GRID // 2)
    assert (cells.landing[:, :, ~cells.known[0]] == 0).all() and geometry.tokens.isfinite().all()
    assert torch.equal(geometry.points_valid.unflatten(2, (8, 8))[0, 0, 0], torch.arange(8) >= 4)


def test_camera_of_the_current_view_is_the_frame() -> None:
    views = random_views(2, 2)
    geometry = SensorsEncoder(NetworkConfig())(views)
    identity = torch.tensor([0.0, 0, 0, 0, 0, 0, 1]).expand(2, 7)
    torch.testing.assert_close(geometry.pose_enc[:, -1, :7], identity)
    torch.testing.assert_close(geometry.world_points[:, -1, ..., 2], views.depth[:, -1])
    moved = replace(views, pose=torch.linalg.inv(views.pose[:, :1]) @ views.pose)
    torch.testing.assert_close(SensorsEncoder(NetworkConfig())(moved).points, geometry.points, atol=1e-5, rtol=1e-5)


def test_depths_are_compared_with_what_the_keyframe_sees() -> None:
    views = random_views(1, 3)
    same_place = replace(views, pose=views.pose[:, -1:].expand_as(views.pose))
    flat = torch.full_like(views.depth, 2.0)
    nearer, farther = flat.clone(), flat.clone()
    nearer[:, 0], farther[:, 1], flat[:, 2] = 1.0, 3.0, 0.0
    depth = torch.cat([nearer[:, :1], farther[:, 1:2], flat[:, 2:3], flat[:, 3:]], dim=1)
    cells = locate_cells(SensorsEncoder(NetworkConfig())(replace(same_place, depth=depth)), GRID, CPU)
    behind, told = cells.landing[0, ..., 5::2], cells.landing[0, ..., 6::2]
    assert (behind[0] > 0.9).all() and (behind[1] < -0.9).all() and (behind[2] == 0).all()
    assert (told[:2] == 1).all() and (told[2] == 0).all()


def test_points_of_a_cell_stay_in_their_cell() -> None:
    views = random_views(1, 1)
    same_place = replace(views, pose=views.pose[:, -1:].expand_as(views.pose), depth=torch.full_like(views.depth, 2.0))
    depth = same_place.depth.clone()
    depth[:, 0, 20:22, 40:42] = 1.0
    cells = locate_cells(SensorsEncoder(NetworkConfig())(replace(same_place, depth=depth)), GRID, CPU)
    hidden = (cells.landing[0, 0, :, 5:].unflatten(-1, (4, 2))[..., 0] > 0.5).nonzero()
    assert hidden.tolist() == [[5 * GRID + 10, 0]]
