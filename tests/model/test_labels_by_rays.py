"""Labels of random rooms: against exact rays, and against the same rules in plain Python."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import maximum_filter, minimum_filter

from model.batch import Targets, Views
from model.labels import CO_VISIBLE, build_targets, correspond, covisibility
from tests.model import brute_labels
from tests.model.rooms import (
    Array,
    Room,
    camera_rays,
    depth_map,
    pinhole,
    random_pose,
    random_room,
    seen_from,
    square_intrinsics,
    views_of,
)

DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


def random_views(seed: int, views: int = 2, height: int = 24, width: int = 32, hfov: float = 90.0) -> Views:
    draw = np.random.default_rng(seed)
    room = random_room(draw, boxes=6)
    poses = np.stack([random_pose(room, draw) for _ in range(views)])
    intrinsics = pinhole(width, height, hfov)
    return views_of(np.stack([depth_map(room, p, intrinsics, height, width) for p in poses]), poses, intrinsics)


@pytest.mark.parametrize(("side", "pairs"), [(64, 50), (224, 10)])
def test_classes_agree_with_exact_rays(side: int, pairs: int) -> None:
    draw = np.random.default_rng(side)
    intrinsics = square_intrinsics(side)
    agreed, in_view, counted, landed = 0, 0, 0, 0
    for _ in range(pairs):
        room = random_room(draw, boxes=6)
        keyframe, current = random_pose(room, draw), random_pose(room, draw)
        depths = np.stack([depth_map(room, pose, intrinsics, side, side) for pose in (keyframe, current)])
        views = views_of(depths, np.stack([keyframe, current]), intrinsics)
        predicted = correspond(views.depth, views.pose, views.intrinsics).classes[0, 0].numpy()
        truth = exact_classes(room, keyframe, current, intrinsics, depths[1])
        # Within a pixel of a border between classes, a pixel is partly one and partly the other.
        clear = maximum_filter(truth, 3) == minimum_filter(truth, 3)
        agreed, counted = agreed + (predicted == truth)[clear].sum(), counted + clear.sum()
        inside = clear & (truth > 0)
        in_view, landed = in_view + (predicted == truth)[inside].sum(), landed + inside.sum()
    assert counted > 0.9 * pairs * side**2 and landed > 0.1 * counted
    assert agreed / counted >= 0.995
    assert in_view / landed >= 0.98, "the easy class, out of view, must not hide the others' errors"


def exact_classes(room: Room, keyframe: Array, current: Array, intrinsics: Array, depth: Array) -> Array:
    side = depth.shape[0]
    points = current[:3, 3] + camera_rays(current, intrinsics, side, side) * depth[..., None]
    local = (points - keyframe[:3, 3]) @ keyframe[:3, :3]
    ahead = local[..., 2] > 0.04
    pixel = local[..., :2] / np.where(ahead, local[..., 2], 1)[..., None] * intrinsics[0, 0] + side / 2
    inside = ahead & (pixel >= 0).all(-1) & (pixel < side).all(-1)
    return np.where(inside, np.where(seen_from(room, points, keyframe), 2, 1), 0)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("seed", range(6))
def test_dense_classes_follow_the_rules_pixel_by_pixel(seed: int, device: str) -> None:
    views = with_holes(random_views(seed, hfov=70 + 10 * seed), seed)
    keyframe, current = ((views.depth[0, s].double(), views.pose[0, s].double()) for s in (0, 1))
    intrinsics = views.intrinsics[0, 0].double().numpy()
    classes, landing = brute_labels.classify(
        *(t.numpy() for t in current), intrinsics, *(t.numpy() for t in keyframe), intrinsics
    )
    found = correspond(*(t.to(device) for t in (views.depth, views.pose, views.intrinsics)))
    same = found.classes[0, 0].cpu().numpy() == classes
    assert same.mean() > 0.998, "only float32 against float64 at the very threshold may differ"
    both = same & (classes > 0)
    assert np.allclose(found.landing[0, 0].cpu().numpy()[both], landing[both], atol=2e-3)


def with_holes(views: Views, seed: int) -> Views:
    gaps = torch.rand(views.depth.shape, generator=torch.Generator().manual_seed(seed))
    return replace(views, depth=views.depth.masked_fill(gaps < 0.05, 0).masked_fill(gaps > 0.97, torch.inf))


@pytest.mark.parametrize("seed", range(4))
def test_heatmaps_and_shares_are_the_sums_that_they_say(seed: int) -> None:
    views = with_holes(random_views(seed, views=4), seed)
    targets = build_targets(views, grid=8, patches=4)
    dense = correspond(views.depth, views.pose, views.intrinsics)
    for k in range(3):
        classes, landing = dense.classes[0, k].numpy(), dense.landing[0, k].numpy()
        valid = classes >= 0
        assert targets.share[0, k].item() == pytest.approx((classes == CO_VISIBLE).sum() / valid.sum(), abs=1e-5)
        if targets.visible[0, k]:
            expected = brute_labels.heatmap(classes, landing, 8)
            assert np.allclose(targets.heatmap[0, k, :-1].view(8, 8), expected, atol=1e-6)
        blocks, held = (a.reshape(8, 3, 8, 4).transpose(0, 2, 1, 3).reshape(8, 8, 12) for a in (classes, valid))
        counts = np.stack([((blocks == c) & held).sum(-1) for c in range(3)], -1)
        expected = np.where(held.any(-1), counts.argmax(-1), -100)
        assert (targets.classes[0, k].numpy() == expected).all()
        covisible = counts[..., 2] / np.maximum(held.sum(-1), 1)
        assert np.allclose(targets.covisible[0, k], covisible, atol=1e-5)
        centres = [(r * 6 + 3, c * 8 + 4) for r in range(4) for c in range(4)]
        matched = [
            int(landing[p][1] / 6) * 4 + int(landing[p][0] / 8) if classes[p] == CO_VISIBLE else -1 for p in centres
        ]
        assert targets.match[0, k].tolist() == matched
    middle = views.depth[0, -1, 9:12, 12:16]
    middle = middle[torch.isfinite(middle) & (middle > 0)]
    assert targets.cell_depth[0, 3, 3] == middle.sort().values[(len(middle) - 1) // 2]


def joined(items: list[Views]) -> Views:
    return Views(*(torch.cat([getattr(v, n) for v in items]) for n in vars(items[0])))


def assert_same(left: Targets, right: Targets) -> None:
    for name in vars(left):
        assert torch.allclose(getattr(left, name).double(), getattr(right, name).double(), atol=1e-6), name


@pytest.mark.parametrize("at_once", [1, 1000, 10**9])
def test_neither_batching_nor_chunks_change_a_label(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    items = [random_views(seed, views=4) for seed in range(3)]
    alone = [build_targets(item, 16, 8) for item in items]
    monkeypatch.setattr(covisibility, "PIXELS_AT_ONCE", at_once)
    together = build_targets(joined(items), 16, 8)
    for row, single in enumerate(alone):
        assert_same(single, type(single)(*(getattr(together, n)[row : row + 1] for n in vars(single))))


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([3, 8, 16]), st.sampled_from([4, 7]))
def test_targets_are_proper_for_any_room(seed: int, grid: int, patches: int) -> None:
    views = random_views(seed, views=4)
    targets = build_targets(views, grid, patches)
    assert torch.allclose(targets.heatmap.sum(-1), torch.ones(1, 3), atol=1e-5)
    assert (targets.heatmap >= 0).all()
    assert torch.equal(targets.visible, targets.share >= 0.01)
    assert torch.equal(targets.visible, targets.heatmap[..., -1] == 0)
    assert ((targets.covisible >= 0) & (targets.covisible <= 1 + 1e-5)).all()
    assert ((targets.match >= -1) & (targets.match < patches**2)).all()
    assert (targets.classes >= 0).all(), "every cell of a view without gaps has a class, also where cells split pixels"
    swapped = [2, 0, 1, 3]
    again = build_targets(Views(*(getattr(views, n)[:, swapped] for n in vars(views))), grid, patches)
    assert torch.allclose(again.heatmap, targets.heatmap[:, swapped[:3]], atol=1e-6)
    assert torch.equal(again.match, targets.match[:, swapped[:3]])


def test_labels_do_not_depend_on_the_world_s_origin() -> None:
    views = random_views(5, views=3)
    motion = torch.eye(4)
    motion[:3, :3] = torch.tensor([[0.0, 0, 1], [0, 1, 0], [-1, 0, 0]])
    motion[:3, 3] = torch.tensor([30.0, -2.0, 11.0])
    moved = build_targets(replace(views, pose=motion @ views.pose), 16, 8)
    still = build_targets(views, 16, 8)
    assert torch.allclose(moved.heatmap, still.heatmap, atol=1e-3)
    assert torch.allclose(moved.share, still.share, atol=2e-3)


def test_labels_are_the_same_under_autocast() -> None:
    views = random_views(6, views=3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = build_targets(views, 16, 8)
    assert_same(inside, build_targets(views, 16, 8))
