"""Random but well-formed network inputs: a camera among random walls, and random words."""

from __future__ import annotations

import torch

from model.batch import Text, Views


def random_views(items: int, keyframes: int, size: int = 64, seed: int = 0) -> Views:
    """Views whose cameras stand within a metre and look a little apart, with smooth random depth of 1 to 4 m."""
    random = torch.Generator().manual_seed(seed)
    views = keyframes + 1
    pose = torch.eye(4).repeat(items, views, 1, 1)
    turn = torch.rand(items, views, generator=random) - 0.5
    pose[..., 0, 0] = pose[..., 2, 2] = turn.cos()
    pose[..., 0, 2], pose[..., 2, 0] = turn.sin(), -turn.sin()
    pose[..., :3, 3] = torch.rand(items, views, 3, generator=random)
    coarse = 1 + 3 * torch.rand(items, views, 4, 4, generator=random)
    depth = torch.nn.functional.interpolate(coarse, size=(size, size), mode="bilinear")
    intrinsics = torch.tensor([[size / 2, 0, size / 2], [0, size / 2, size / 2], [0, 0, 1]])
    return Views(
        rgb=torch.rand(items, views, 3, size, size, generator=random),
        depth=depth,
        pose=pose,
        intrinsics=intrinsics.expand(items, views, 3, 3),
        valid=torch.ones(items, views, dtype=torch.bool),
    )


def random_text(items: int, length: int, seed: int = 0, words: int = 60) -> Text:
    """Instructions of `length` random tokens."""
    ids = torch.randint(1, words, (items, length), generator=torch.Generator().manual_seed(seed))
    return Text(ids, torch.ones(items, length, dtype=torch.bool))
