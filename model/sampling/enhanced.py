"""The `enhanced` sampler: greedy maximum coverage of space, lazily evaluated.

Each frame sees a set of voxels. The gain of a frame, given the picks so far, is the weighted sum of
- coverage: the voxels that it alone would add, as a share of all voxels seen by any frame;
- novelty: the same, each voxel weighted by how few frames see it;
- diversity: how far its camera is, in place and gaze, from the nearest pick (at most 1).
No term can grow as more frames are picked, so a gain computed earlier is an upper bound of the gain now. The greedy
choice therefore only recomputes the frame on top of a heap, until one stays on top (Minoux 1978): the picks are those
of the plain greedy algorithm, to the frame. Where every gain is zero it goes on picking, earliest first.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.geometry_numpy import transform, unproject
from model.sampling.past import Past
from model.sampling.simple import pose_distances, translation_unit

Float = NDArray[np.float64]


@dataclass(frozen=True)
class Voxels:
    """Which voxels each frame sees, and what each voxel is worth."""

    seen: tuple[NDArray[np.int64], ...]
    """For each frame, sorted numbers of the voxels that it sees."""
    worth: Float
    """[voxels] what a voxel adds to the gain of the first frame that covers it."""


@dataclass(frozen=True)
class EnhancedSampler:
    """Reads `pose`, `depth`, `intrinsics`, and `confidence` if there is one: points below the median do not count."""

    diversity: float = 0.4
    coverage: float = 0.3
    novelty: float = 0.3
    points: int = 1024
    """Points taken of a frame, about."""
    voxel: float = 0.1
    """Edge of a voxel in median depths of the walk: the same picks at any scale (0.25 m where the median is 2.5 m)."""

    def sample(self, past: Past, count: int) -> list[int]:
        """Ascending frame numbers, min(count, n) of them."""
        assert past.pose is not None, "the enhanced sampler reads poses"
        if past.count == 0:
            return []
        return sorted(self.greedy(self.voxels(past), past.pose, min(count, past.count)))

    def voxels(self, past: Past) -> Voxels:
        """The voxels of all frames, numbered from 0."""
        keys = self._voxel_keys(past)
        every, numbers = np.unique(np.concatenate(keys), return_inverse=True)
        seen = tuple(np.split(numbers, np.cumsum([len(k) for k in keys])[:-1]))
        watchers = np.bincount(numbers, minlength=len(every))
        rarity = 1 / watchers
        worth = self.coverage / max(1, len(every)) + self.novelty * rarity / (rarity.sum() or 1.0)
        return Voxels(seen, worth)

    def greedy(self, voxels: Voxels, pose: Float, count: int) -> list[int]:
        """The picks in the order of picking."""
        reach = translation_unit(pose)
        uncovered = voxels.worth.copy()
        nearest = np.ones(len(pose))
        # A heap of (-upper bound, frame, number of picks when it was computed); ties go to the earliest frame.
        heap = [(-np.inf, frame, -1) for frame in range(len(pose))]
        picked: list[int] = []
        while len(picked) < count:
            _, frame, known = heapq.heappop(heap)
            if known < len(picked):
                gain = uncovered[voxels.seen[frame]].sum() + self.diversity * nearest[frame]
                heapq.heappush(heap, (-gain, frame, len(picked)))
                continue
            picked.append(frame)
            uncovered[voxels.seen[frame]] = 0
            nearest = np.minimum(nearest, pose_distances(pose, frame, reach))
        return picked

    def _voxel_keys(self, past: Past) -> list[NDArray[np.int64]]:
        """For each frame the distinct voxels of its points, as numbers that are the same for all frames."""
        assert past.pose is not None and past.depth is not None and past.intrinsics is not None
        stride = max(1, round((past.depth[0].size / self.points) ** 0.5))
        local = unproject(past.depth.astype(np.float64), past.intrinsics, stride)
        valid = np.isfinite(local[..., 2]) & (local[..., 2] > 0)
        edge = self.voxel * float(np.median(local[..., 2][valid])) if valid.any() else 1.0
        if past.confidence is not None:
            sure = past.confidence[:, stride // 2 :: stride, stride // 2 :: stride]
            valid &= sure >= np.median(sure[valid]) if valid.any() else False
        flat = np.where(valid[..., None], local, 0.0).reshape(past.count, -1, 3)
        cells = np.floor(transform(past.pose, flat) / edge).astype(np.int64)
        cells -= cells.min(axis=(0, 1))
        size = cells.max(axis=(0, 1)) + 1
        keys = (cells[..., 0] * size[1] + cells[..., 1]) * size[2] + cells[..., 2]
        return [np.unique(k[v]) for k, v in zip(keys, valid.reshape(past.count, -1), strict=True)]
