"""Poses are OpenCV's; headings turn left about +y, as habitat's agents do."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from model.geometry_numpy import habitat_from_opencv, intrinsics_from_hfov
from tasks.collect.camera import Camera, camera_pose, forward_of, heading_towards, yaw_quaternion

angles = st.floats(-6.0, 6.0)
pitches = st.floats(-1.4, 1.4)


@given(angles, pitches)
def test_a_pose_is_a_rotation_that_looks_ahead(heading: float, pitch: float) -> None:
    pose = camera_pose(np.array([1.0, 2.0, 3.0]), heading, pitch)
    rotation = pose[:3, :3]
    assert np.allclose(rotation.T @ rotation, np.eye(3), atol=1e-12) and np.isclose(np.linalg.det(rotation), 1)
    assert np.allclose(pose[:3, 3], [1, 2, 3])
    right, down, gaze = rotation.T
    assert np.isclose(gaze[1], np.sin(pitch)) and down[1] < 0 and abs(right[1]) < 1e-12
    x, z = forward_of(heading) * np.cos(pitch)
    assert np.allclose(gaze[[0, 2]], [x, z])


@given(angles)
def test_habitat_names_the_same_camera(heading: float) -> None:
    position, rotation = habitat_from_opencv(camera_pose(np.array([1.0, 2.0, 3.0]), heading, 0.0))
    expected = np.array(yaw_quaternion(heading))
    assert np.allclose(position, [1, 2, 3])
    assert np.allclose(rotation, expected, atol=1e-9) or np.allclose(rotation, -expected, atol=1e-9)


@given(angles)
def test_turning_left_turns_towards_minus_x(heading: float) -> None:
    assert np.isclose(np.cos(heading_towards(forward_of(heading)) - heading), 1)
    assert forward_of(0.1)[0] < 0 and np.allclose(forward_of(0.0), [0, -1])


@given(st.integers(16, 600), st.integers(16, 600), st.floats(30, 130))
def test_intrinsics_agree_with_the_models(width: int, height: int, hfov: float) -> None:
    assert np.allclose(Camera(width, height, hfov).intrinsics, intrinsics_from_hfov(hfov, width, height))
