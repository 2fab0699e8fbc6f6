"""Batches and predictions made by hand, for tests of losses: the truth said back, or noise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from model.batch import NO_TURN, Batch, Geometry, Prediction, Text, Views
from model.geometry import encode_poses
from model.labels import FuturePath, build_targets
from model.losses.geometry import true_points
from tests.model.rooms import depth_map, random_pose, random_room, square_intrinsics, views_of

SIDE, GRID, PATCHES, WIDTH = 24, 8, 4, 16
CELLS = GRID * GRID + 1


def room_views(seed: int, keyframes: int) -> Views:
    """One item: random poses in a random room."""
    draw = np.random.default_rng(seed)
    room = random_room(draw)
    poses = np.stack([random_pose(room, draw) for _ in range(keyframes + 1)])
    intrinsics = square_intrinsics(SIDE)
    return views_of(np.stack([depth_map(room, p, intrinsics, SIDE, SIDE) for p in poses]), poses, intrinsics)


def make_batch(items: int = 6, keyframes: int = 4, seed: int = 0) -> Batch:
    """Items of random rooms; odd items come right after even ones; the last keyframe of the last item is padding.

    The path leads a metre ahead, or for every third item backwards.
    """
    single = [room_views(seed + item // 2, keyframes) for item in range(items)]
    views = Views(*(torch.cat([getattr(v, n) for v in single]) for n in vars(single[0])))
    views.pose[1::2, -1, 0, 3] += 0.1
    views.valid[-1, keyframes - 1] = False
    ahead = torch.where(torch.arange(items) % 3 == 1, -2.0, 1.0)[:, None, None]
    points = views.pose[:, -1:, :3, 3] + ahead * views.pose[:, -1:, :3, 2]
    path = FuturePath(points, torch.ones(items, 1, dtype=torch.bool), torch.zeros(items))
    successor = torch.tensor([i + 1 if i % 2 == 0 else -1 for i in range(items)])
    text = Text(torch.ones(items, 3, dtype=torch.int64), torch.ones(items, 3, dtype=torch.bool))
    return Batch(views, text, build_targets(views, GRID, PATCHES, path), successor, torch.arange(items))


def truthful(batch: Batch) -> Prediction:
    """What a network that knows the truth would say."""
    targets, views = batch.targets, batch.views
    items, keyframes = targets.visible.shape
    maps = torch.cat([targets.heatmap, targets.goal[:, None]], dim=1)
    shares = torch.stack([torch.zeros_like(targets.covisible), 1 - targets.covisible, targets.covisible], dim=2)
    turn = torch.nn.functional.one_hot(targets.turn.clamp_min(0), 3) * (targets.turn != NO_TURN)[:, None]
    depth = views.depth
    return Prediction(
        logits=(maps.clamp_min(1e-30)).log(),
        classes=shares.clamp_min(1e-30).log(),
        turn=60.0 * turn,
        current_tokens=torch.ones(items, PATCHES**2, WIDTH) / WIDTH**0.5,
        keyframe_tokens=torch.ones(items, keyframes, PATCHES**2, WIDTH) / WIDTH**0.5,
        geometry=(
            Geometry(
                tokens=torch.zeros(items, keyframes + 1, PATCHES**2, WIDTH),
                points=torch.zeros(items, keyframes + 1, PATCHES**2, 3),
                points_valid=torch.ones(items, keyframes + 1, PATCHES**2, dtype=torch.bool),
                depth=depth.clone(),
                depth_conf=torch.ones_like(depth),
                pose_enc=encode_poses(views.pose, views.intrinsics, SIDE, SIDE),
                pose_drafts=encode_poses(views.pose, views.intrinsics, SIDE, SIDE)[:, :, None],
                world_points=true_points(views),
                world_points_conf=torch.ones_like(depth),
            ),
        ),
    )


def noisy(batch: Batch, seed: int = 0, scale: float = 1.0) -> Prediction:
    """The truth's shapes filled with Gaussian noise, features of unit length, confidences above 1."""
    generator = torch.Generator().manual_seed(seed)

    def noise(like: Tensor) -> Tensor:
        return scale * torch.randn(like.shape, generator=generator)

    said = truthful(batch)
    geometry = said.geometry[0]
    confidence = {name: 1 + noise(getattr(geometry, name)).exp() for name in ("depth_conf", "world_points_conf")}
    guessed = {name: noise(getattr(geometry, name)) for name in ("depth", "pose_enc", "pose_drafts", "world_points")}
    return Prediction(
        logits=noise(said.logits),
        classes=noise(said.classes),
        turn=noise(said.turn),
        current_tokens=torch.nn.functional.normalize(noise(said.current_tokens), dim=-1),
        keyframe_tokens=torch.nn.functional.normalize(noise(said.keyframe_tokens), dim=-1),
        geometry=(replace(geometry, **confidence, **guessed),),
    )


OUTPUTS = {
    "logits": lambda p: p.logits,
    "classes": lambda p: p.classes,
    "turn": lambda p: p.turn,
    "current_tokens": lambda p: p.current_tokens,
    "keyframe_tokens": lambda p: p.keyframe_tokens,
    "depth": lambda p: p.geometry[0].depth,
    "pose_enc": lambda p: p.geometry[0].pose_enc,
    "world_points": lambda p: p.geometry[0].world_points,
    "depth_conf": lambda p: p.geometry[0].depth_conf,
    "world_points_conf": lambda p: p.geometry[0].world_points_conf,
}
"""The tensors of a prediction that losses read."""


def leaves(prediction: Prediction) -> dict[str, Tensor]:
    """Those tensors, now recording gradients."""
    return {name: read(prediction).requires_grad_() for name, read in OUTPUTS.items()}
