"""`build_targets`: everything that the losses and metrics call true, for a batch of views."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from model.batch import Targets, Views
from model.labels.cells import blur, cell_medians, normalise, patch_centres, patch_index, pool
from model.labels.covisibility import NO_CLASS, Landing, Pairs, clean, land_chunks, make_pairs
from model.labels.goals import FuturePath, GoalTarget, ThingMask, no_goal, path_goal, thing_goal, with_none

VISIBLE_SHARE = 0.01
UNCERTAIN_SHARE = (0.005, 0.02)

GAZE_WIDTH = 0.25
"""Standard deviation of the gaze weight, in widths of the keyframe's image."""


@dataclass(frozen=True)
class PooledPairs:
    """What n pairs come down to in cells and patches."""

    weight: Tensor
    """[n, G, G] sum of gaze weights of the co-visible pixels."""
    seen: Tensor
    """[n, G, G] number of co-visible pixels."""
    occluded: Tensor
    """[n, G, G] number of occluded pixels."""
    match: Tensor
    """[n, N] int64 patch of the keyframe, or -1."""


@torch.no_grad()
def build_targets(views: Views, grid: int, patches: int, goal: FuturePath | ThingMask | None = None) -> Targets:
    """The truth about the current view (the last) and each keyframe; on the device of `views`.

    `grid` = G heatmap cells a side, `patches` = P patch tokens a side; the image need not be a multiple of either.
    `goal` gives the next waypoint (a path) or the named thing (a mask); without it no item has a valid goal.
    Padded keyframes are all none: not visible, not certain, classes -100, no match. A current view without a
    single valid depth pixel leaves all its pairs uncertain. Conventions: `covisibility`, `cells`, `goals`, and design
    section 4; shapes and units: `model.batch.Targets`.
    """
    with torch.autocast(views.depth.device.type, enabled=False):
        return _targets(views, grid, patches, goal)


def _targets(views: Views, grid: int, patches: int, goal: FuturePath | ThingMask | None) -> Targets:
    batch, keyframes = views.depth.shape[0], views.depth.shape[1] - 1
    pooled = _pool_pairs(make_pairs(views.depth, views.pose, views.intrinsics), grid, patches)
    pairs = PooledPairs(**{name: part.unflatten(0, (batch, keyframes)) for name, part in vars(pooled).items()})

    current = clean(views.depth[:, -1])
    measured = pool((current > 0).float(), grid)[:, None]
    total = measured.sum(dim=(-2, -1))
    valid = views.valid[:, :-1] & (total > 0)

    share = torch.where(valid, pairs.seen.sum(dim=(-2, -1)) / total.clamp_min(1), 0.0)
    visible = share >= VISIBLE_SHARE
    low, high = UNCERTAIN_SHARE
    shown = valid[..., None, None]
    target = _goal(goal, current, views, grid)
    return Targets(
        heatmap=with_none(normalise(blur(pairs.weight)), visible),
        visible=visible,
        certain=valid & ~((share >= low) & (share < high)),
        share=share,
        classes=torch.where(shown, _majority(pairs, measured), NO_CLASS),
        covisible=torch.where(shown & (measured > 0), pairs.seen / measured.clamp_min(1e-6), 0.0),
        cell_depth=cell_medians(current, grid),
        match=torch.where(valid[..., None], pairs.match, -1),
        goal=target.goal,
        goal_valid=target.goal_valid,
        turn=target.turn,
    )


def _pool_pairs(pairs: Pairs, grid: int, patches: int) -> PooledPairs:
    count, height, width = pairs.current_depth.shape
    maps = pairs.motion.new_zeros(count, 3, grid, grid)
    match = torch.full((count, patches * patches), -1, device=maps.device)
    centres = patch_centres(patches, height, width).to(maps.device)
    for chunk, pixels in land_chunks(pairs):
        shape = pairs.current_depth[chunk].shape
        maps[chunk] = pool(_dense_maps(pixels, shape), grid)
        match[chunk] = _dense_patches(pixels, shape, patches).flatten(1)[:, centres]
    weight, seen, occluded = maps.unbind(1)
    return PooledPairs(weight, seen, occluded, match)


def _dense_maps(pixels: Landing, shape: torch.Size) -> Tensor:
    """[n, 3, H, W]: gaze weight, co-visible, occluded."""
    count, height, width = shape
    dense = pixels.x.new_zeros(3, count * height * width)
    away = (pixels.x - width / 2) ** 2 + (pixels.y - height / 2) ** 2
    seen = pixels.seen.float()
    dense[0, pixels.index] = seen * torch.exp(away / (-2 * (GAZE_WIDTH * width) ** 2))
    dense[1, pixels.index] = seen
    dense[2, pixels.index] = 1 - seen
    return dense.view(3, count, height, width).transpose(0, 1)


def _dense_patches(pixels: Landing, shape: torch.Size, patches: int) -> Tensor:
    """[n, H, W] int64: patch of the keyframe where a co-visible pixel lands, -1 elsewhere."""
    count, height, width = shape
    dense = torch.full((count * height * width,), -1, device=pixels.x.device)
    landed = patch_index(pixels.x, pixels.y, patches, height, width)
    dense[pixels.index] = torch.where(pixels.seen, landed, -1)
    return dense.view(count, height, width)


def _majority(pairs: PooledPairs, measured: Tensor) -> Tensor:
    """[B, K, G, G] int64: the class of most valid pixels, on a tie the lower one; NO_CLASS where no pixel is valid."""
    away = measured - pairs.seen - pairs.occluded
    classes = torch.stack([away, pairs.occluded, pairs.seen], dim=2).argmax(dim=2)
    return torch.where(measured > 0, classes, NO_CLASS)


def _goal(goal: FuturePath | ThingMask | None, current: Tensor, views: Views, grid: int) -> GoalTarget:
    if goal is None:
        return no_goal(len(current), grid, current.device)
    if isinstance(goal, ThingMask):
        return thing_goal(goal, grid)
    return path_goal(goal, current, views.pose[:, -1], views.intrinsics[:, -1], grid)
