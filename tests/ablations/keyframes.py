"""The same current views with the keyframes that a sampler picks of all that the walk has seen until then."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from model.data.frames import FrameReader
from model.data.views import View
from model.data.walks import WalkDataset
from model.sampling import KeyframeSampler, Past, create_sampler


def resampled(dataset: WalkDataset, frames: FrameReader, views: list[View], count: int, algorithm: str) -> list[View]:
    """Each view with `count` keyframes by the sampler, which reads the recorded poses, depth and pictures."""
    sampler = create_sampler(algorithm)
    return [replace(view, keyframes=picked(dataset, frames, view, count, sampler)) for view in views]


def picked(
    dataset: WalkDataset, frames: FrameReader, view: View, count: int, sampler: KeyframeSampler
) -> tuple[int, ...]:
    """Rows of the index, in order of time, all of the view's walk and before it."""
    start = dataset.walks[dataset.walk[view.current]].start
    rows = np.arange(start, view.current)
    seen = [frames.read(int(row)) for row in rows]
    past = Past(
        count=len(rows),
        pose=dataset.pose[rows],
        depth=np.stack([frame.depth for frame in seen]),
        intrinsics=np.stack([frame.intrinsics for frame in seen]).astype(np.float64),
        rgb=np.stack([frame.rgb for frame in seen]),
    )
    return tuple(rows[sampler.sample(past, count)].tolist())
