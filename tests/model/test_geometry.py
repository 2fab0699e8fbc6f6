"""Conventions: conversions undo each other, agree with scipy and with numbers worked out by hand."""

from __future__ import annotations

import math
from random import Random

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from model import geometry, geometry_numpy
from tests.model.rooms import pinhole

coordinate = st.floats(-20, 20)
quaternions = st.tuples(*[st.floats(-1, 1)] * 4).filter(lambda q: math.hypot(*q) > 0.1)


def pose_of(quaternion: tuple[float, ...], position: tuple[float, ...]) -> torch.Tensor:
    rotation = torch.from_numpy(Rotation.from_quat(quaternion).as_matrix())
    return geometry.rigid(rotation, torch.tensor(position, dtype=torch.float64))


poses = st.builds(pose_of, quaternions, st.tuples(coordinate, coordinate, coordinate))


@given(quaternions)
def test_quaternions_agree_with_scipy(quaternion: tuple[float, ...]) -> None:
    rotation = Rotation.from_quat(quaternion)
    matrix = geometry.quaternion_to_matrix(torch.tensor(quaternion, dtype=torch.float64))
    assert np.allclose(matrix, rotation.as_matrix(), atol=1e-9)
    back = geometry.matrix_to_quaternion(matrix).numpy()
    expected = rotation.as_quat()
    assert back[3] >= 0
    assert min(np.abs(back - expected).max(), np.abs(back + expected).max()) < 1e-7


@pytest.mark.parametrize("axis", [(1, 0, 0), (0, 1, 0), (0, 0, 1)])
def test_half_turns_keep_their_axis(axis: tuple[int, int, int]) -> None:
    matrix = torch.from_numpy(Rotation.from_rotvec(np.pi * np.array(axis)).as_matrix())
    assert np.allclose(np.abs(geometry.matrix_to_quaternion(matrix)), [*axis, 0], atol=1e-7)


@given(poses, poses)
def test_relative_pose_takes_points_from_source_to_target(target: torch.Tensor, source: torch.Tensor) -> None:
    points = torch.tensor([[0.0, 0, 0], [1, -2, 3]], dtype=torch.float64)
    direct = geometry.transform(geometry.relative_pose(target, source), points)
    through_world = geometry.transform(geometry.invert(target), geometry.transform(source, points))
    assert torch.allclose(direct, through_world, atol=1e-9)
    assert torch.allclose(geometry.invert(target) @ target, torch.eye(4, dtype=torch.float64), atol=1e-9)


@given(st.integers(2, 12), st.integers(2, 12), st.floats(30, 120), st.randoms())
def test_projecting_what_was_unprojected_gives_the_pixel_centres(
    height: int, width: int, hfov: float, random: Random
) -> None:
    intrinsics = torch.from_numpy(pinhole(width, height, hfov))
    generator = torch.Generator().manual_seed(random.randrange(1000))
    depth = torch.rand(height, width, dtype=torch.float64, generator=generator) + 0.1
    pixels, z = geometry.project(geometry.unproject(depth, intrinsics).flatten(0, 1), intrinsics)
    assert torch.allclose(z, depth.flatten())
    assert torch.allclose(pixels, geometry.pixel_centres(height, width).double().flatten(0, 1), atol=1e-9)


def test_a_ninety_degree_view_reaches_as_far_sideways_as_ahead() -> None:
    intrinsics = torch.from_numpy(pinhole(64, 48))
    corner = torch.tensor([[[2.0, 1.5, 2.0], [-2.0, 0.0, 2.0]]], dtype=torch.float64)
    pixels, _ = geometry.project(corner, intrinsics)
    assert torch.allclose(pixels, torch.tensor([[[64.0, 48.0], [0.0, 24.0]]], dtype=torch.float64))


def test_opencv_looks_where_habitat_looks() -> None:
    # Habitat's camera at rest looks along -z with y up; its picture's right is +x.
    rest = pose_of((0, 0, 0, 1), (1, 2, 3)).numpy()
    pose = geometry_numpy.flip_camera(rest)
    right, down, ahead = pose[:3, :3].T
    assert np.allclose((right, down, ahead), ([1, 0, 0], [0, -1, 0], [0, 0, -1]))
    assert np.allclose(pose[:3, 3], [1, 2, 3])
    # A turn to the left by a quarter about +y: it now looks along -x.
    left = pose_of((0, math.sin(math.pi / 4), 0, math.cos(math.pi / 4)), (0, 0, 0)).numpy()
    assert np.allclose(geometry_numpy.flip_camera(left)[:3, 2], [-1, 0, 0])


@given(poses)
def test_poses_survive_the_simulators_border(habitat: torch.Tensor) -> None:
    opencv = geometry_numpy.flip_camera(habitat.numpy())
    assert np.linalg.det(opencv[:3, :3]) == pytest.approx(1)
    assert np.allclose(geometry_numpy.flip_camera(opencv), habitat)


@given(st.lists(poses, min_size=2, max_size=4), st.floats(40, 110), st.sampled_from([0, -1]))
def test_camera_encodings_undo(sequence: list[torch.Tensor], hfov: float, reference: int) -> None:
    pose = torch.stack(sequence)
    intrinsics = torch.from_numpy(pinhole(32, 24, hfov)).expand(len(pose), 3, 3)
    encoded = geometry.encode_poses(pose, intrinsics, 24, 32, reference)
    assert torch.allclose(encoded[reference, :7], torch.tensor([0, 0, 0, 0, 0, 0, 1.0], dtype=torch.float64), atol=1e-9)
    assert encoded[0, 8].item() == pytest.approx(math.radians(hfov))
    decoded, decoded_intrinsics = geometry.decode_poses(encoded, 24, 32)
    assert torch.allclose(decoded, geometry.relative_pose(pose[reference], pose), atol=1e-6)
    assert torch.allclose(decoded_intrinsics, intrinsics, atol=1e-6)


@given(poses)
def test_numpy_and_torch_agree(pose: torch.Tensor) -> None:
    intrinsics = pinhole(6, 4, hfov=80)
    depth = np.arange(1.0, 25.0).reshape(4, 6)
    points = geometry.unproject(torch.from_numpy(depth), torch.from_numpy(intrinsics))
    assert np.allclose(geometry_numpy.unproject(depth, intrinsics), points)
    assert np.allclose(geometry_numpy.unproject(depth, intrinsics, stride=2), points[1::2, 1::2])
    assert np.allclose(geometry_numpy.invert(pose.numpy()), geometry.invert(pose))
    flat = points.flatten(0, 1)
    assert np.allclose(geometry_numpy.transform(pose.numpy(), flat.numpy()), geometry.transform(pose, flat))
