"""Poses are OpenCV's; headings turn left about +y, as habitat's agents do."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from model.geometry_numpy import flip_camera
from tasks.collect.camera import Camera, camera_pose, forward_of, yaw_quaternion

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
    habitat = flip_camera(camera_pose(np.array([1.0, 2.0, 3.0]), heading, 0.0))
    assert np.allclose(habitat[:3, 3], [1, 2, 3])
    assert np.allclose(habitat[:3, :3], Rotation.from_quat(yaw_quaternion(heading)).as_matrix())


def test_turning_left_turns_towards_minus_x() -> None:
    assert forward_of(0.1)[0] < 0 and np.allclose(forward_of(0.0), [0, -1])


@given(st.integers(16, 600), st.integers(16, 600), st.floats(30, 130))
def test_the_pictures_edge_lies_half_the_field_of_view_aside(width: int, height: int, hfov: float) -> None:
    edge = np.array([np.tan(np.radians(hfov / 2)), 0.0, 1.0])
    assert np.allclose(Camera(width, height, hfov).intrinsics @ edge, [width, height / 2, 1])
