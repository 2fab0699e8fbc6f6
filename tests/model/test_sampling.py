"""Samplers: always enough frames, never a future one, and each good at what it is for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.errors import UsageError
from model.sampling import SAMPLERS, Past, create_sampler
from model.sampling.enhanced import EnhancedSampler, Voxels
from model.sampling.simple import QualitySampler, pose_distances, ranks, translation_unit
from tests.model.rooms import Array, camera_pose, depth_map, random_pose, random_room, square_intrinsics

SIDE = 16


def random_past(seed: int, count: int) -> Past:
    draw = np.random.default_rng(seed)
    room = random_room(draw)
    poses = np.stack([random_pose(room, draw) for _ in range(count)]) if count else np.empty((0, 4, 4))
    intrinsics = square_intrinsics(SIDE)
    depth = np.array([depth_map(room, p, intrinsics, SIDE, SIDE) for p in poses], np.float32).reshape(-1, SIDE, SIDE)
    rgb = draw.integers(0, 256, (count, SIDE, SIDE, 3)).astype(np.uint8)
    return Past(count, poses, depth, np.broadcast_to(intrinsics, (count, 3, 3)), rgb)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(sorted(SAMPLERS)), st.integers(0, 10**6), st.integers(0, 12), st.integers(0, 15))
def test_as_many_distinct_past_frames_as_asked_while_there_are_any(
    name: str, seed: int, frames: int, asked: int
) -> None:
    picks = create_sampler(name).sample(random_past(seed, frames), asked)
    assert len(picks) == min(frames, asked) and picks == sorted(set(picks))
    assert all(0 <= p < frames for p in picks)


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_walk_that_stands_still_before_a_blank_wall_still_gives_its_frames(name: str) -> None:
    past = random_past(0, 9)
    assert past.pose is not None and past.rgb is not None and past.depth is not None
    still = replace(past, pose=past.pose[:1].repeat(9, 0), rgb=0 * past.rgb, depth=0 * past.depth)
    assert len(create_sampler(name).sample(still, 6)) == 6


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_future_frame_is_never_picked_nor_felt(name: str) -> None:
    walk = random_past(1, 12)
    assert walk.pose is not None and walk.depth is not None and walk.rgb is not None
    pose, depth, rgb = walk.pose.copy(), walk.depth.copy(), walk.rgb.copy()
    # The planted future: far away, sharp, and full of space never seen before.
    pose[8:, :3, 3] += 100
    depth[8:] *= np.random.default_rng(0).uniform(1, 30, depth[8:].shape)
    rgb[8:] = rgb[8:] // 128 * 255
    planted = replace(walk, pose=pose, depth=depth, rgb=rgb)
    sampler = create_sampler(name)
    assert sampler.sample(planted.before(8), 4) == sampler.sample(walk.before(8), 4)


def test_uniform_takes_both_ends_and_equal_steps() -> None:
    assert create_sampler("uniform").sample(Past(31), 6) == [0, 6, 12, 18, 24, 30]
    assert create_sampler("uniform").sample(Past(2), 6) == [0, 1]
    assert create_sampler("uniform").sample(Past(7), 1) == [0]


def test_quality_takes_the_sharp_picture_of_each_stretch() -> None:
    draw = np.random.default_rng(0)
    rgb = np.full((12, SIDE, SIDE, 3), 128, np.uint8)
    for sharp in (2, 4, 11):
        rgb[sharp] = draw.integers(20, 235, (SIDE, SIDE, 3))
    assert create_sampler("quality").sample(Past(12, rgb=rgb), 3) == [2, 4, 11]


def test_quality_weighs_confidence() -> None:
    past = Past(4, rgb=np.full((4, SIDE, SIDE, 3), 128, np.uint8))
    confidence = np.ones((4, SIDE, SIDE), np.float32)
    confidence[2] = 3
    assert QualitySampler().sample(replace(past, confidence=confidence), 1) == [2]


def test_fast_goes_where_it_has_not_been() -> None:
    # Three places, four frames at each: three picks see all three places.
    pose = np.stack([camera_pose(np.array([5.0 * (n // 4), 1.5, 0.0]), 0.0, 0.0) for n in range(12)])
    assert sorted(p // 4 for p in create_sampler("fast").sample(Past(12, pose=pose), 3)) == [0, 1, 2]
    # Standing still and looking round once: the second pick looks the other way.
    turning = np.stack([camera_pose(np.zeros(3), 2 * np.pi * n / 12, 0.0) for n in range(12)])
    assert create_sampler("fast").sample(Past(12, pose=turning), 2) == [0, 6]


def naive_greedy(sampler: EnhancedSampler, voxels: Voxels, pose: Array, count: int) -> list[int]:
    """The same objective, every gain computed anew for every pick."""
    picked: list[int] = []
    while len(picked) < count:
        gains = []
        for frame in range(len(pose)):
            covered = {v for p in picked for v in voxels.seen[p].tolist()}
            new = [v for v in voxels.seen[frame].tolist() if v not in covered]
            apart = [pose_distances(pose, p, translation_unit(pose))[frame] for p in picked]
            gains.append(voxels.worth[new].sum() + sampler.diversity * min([1.0, *apart]))
        picked.append(max((f for f in range(len(pose)) if f not in picked), key=lambda f: (round(gains[f], 12), -f)))
    return picked


@pytest.mark.parametrize("seed", range(5))
def test_lazy_greedy_picks_what_plain_greedy_picks(seed: int) -> None:
    past = random_past(seed, 24)
    assert past.pose is not None
    sampler = EnhancedSampler()
    voxels = sampler.voxels(past)
    assert sampler.greedy(voxels, past.pose, 8) == naive_greedy(sampler, voxels, past.pose, 8)


def test_coverage_alone_covers_more_space_than_uniform() -> None:
    sampler = create_sampler("enhanced", diversity=0.0, novelty=0.0, coverage=1.0)
    covered = {"enhanced": 0, "uniform": 0}
    for seed in range(6):
        past = random_past(seed, 40)
        seen = EnhancedSampler().voxels(past).seen
        for name, picker in {"enhanced": sampler, "uniform": create_sampler("uniform")}.items():
            covered[name] += len(np.unique(np.concatenate([seen[p] for p in picker.sample(past, 5)])))
    assert covered["enhanced"] > 1.05 * covered["uniform"]


def test_the_scale_of_the_scene_does_not_change_the_picks() -> None:
    past = random_past(3, 30)
    assert past.pose is not None and past.depth is not None
    pose = past.pose.copy()
    pose[:, :3, 3] *= 0.125
    small = replace(past, pose=pose, depth=past.depth * np.float32(0.125))
    sampler = create_sampler("enhanced")
    assert sampler.sample(small, 6) == sampler.sample(past, 6)


def test_unsure_points_cover_nothing() -> None:
    past = random_past(4, 6)
    confidence = np.ones((6, SIDE, SIDE), np.float32)
    confidence[:, :, : SIDE // 4] = 0
    sampler = EnhancedSampler()
    unsure = sampler.voxels(replace(past, confidence=confidence))
    assert len(unsure.worth) < len(sampler.voxels(past).worth)


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=9))
def test_ranks_keep_the_order(values: list[float]) -> None:
    given_ranks = ranks(np.array(values))
    for a, b in zip(values, given_ranks, strict=True):
        for c, d in zip(values, given_ranks, strict=True):
            assert (a < c) == (b < d)
    assert given_ranks.min() >= 0 and given_ranks.max() <= 1


def test_unknown_samplers_and_options_are_named() -> None:
    with pytest.raises(UsageError, match="did you mean 'enhanced'"):
        create_sampler("enhancd")
    with pytest.raises(UsageError, match="no option 'weight'"):
        create_sampler("fast", weight=1.0)
