"""The heatmap truth of an episode: where the places that uniform keyframes saw lie in a later view."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.view.episode import Recorded

GRID = 16


@dataclass(frozen=True)
class Truth:
    """One current view with its K keyframes."""

    current: int
    """Frame number."""
    keyframes: tuple[int, ...]
    """[K] frame numbers, all before `current`."""
    maps: NDArray[np.float64]
    """[K, G * G + 1] probabilities; the last cell is none."""

    @property
    def visible(self) -> int:
        """Keyframes whose place is in view."""
        return int((self.maps[:, -1] < 0.5).sum())

    def grid(self, slot: int) -> NDArray[np.float64]:
        """[G, G] cells of one keyframe's map."""
        return self.maps[slot, :-1].reshape(GRID, GRID)


def truth_of(episode: Recorded, current: int, keyframes: int) -> Truth:
    """The truth of one view with up to `keyframes` frames spread evenly over those before it."""
    import torch

    from model.batch import Views
    from model.data.views import evenly
    from model.labels import build_targets

    chosen = evenly(current, keyframes)
    rows = [*chosen.tolist(), current]
    depth = torch.from_numpy(episode.depth[rows])[None]
    targets = build_targets(
        Views(
            rgb=torch.zeros(1, len(rows), 3, *depth.shape[2:]),
            depth=depth,
            pose=torch.from_numpy(episode.poses[rows]).float()[None],
            intrinsics=torch.from_numpy(episode.intrinsics[rows]).float()[None],
            valid=torch.ones(1, len(rows), dtype=torch.bool),
        ),
        GRID,
        patches=8,
    )
    return Truth(current, tuple(chosen.tolist()), targets.heatmap[0].double().numpy())


def telling_views(episode: Recorded, keyframes: int, count: int, tried: int = 4) -> list[Truth]:
    """One view out of each of `count` stretches of the walk: of `tried` each, the one that sees most keyframes."""
    last = len(episode.actions) - 1
    candidates = np.unique(np.linspace(min(keyframes, last), last, count * tried).round().astype(int))
    stretches = [part for part in np.array_split(candidates[candidates > 0], count) if len(part)]
    return [
        max((truth_of(episode, int(t), keyframes) for t in part), key=lambda t: (t.visible, t.current))
        for part in stretches
    ]
