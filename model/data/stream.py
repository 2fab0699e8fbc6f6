"""The endless shuffled stream of training items: a pure function of seed and position, so it can resume anywhere."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from model.data.views import View, at_random, evenly
from model.data.walks import WalkDataset
from model.errors import UsageError
from model.training.config import PhaseConfig


class TrainingStream:
    """Groups of items in a shuffled order, epoch after epoch.

    A group is a pair of consecutive current views with the same keyframes, or a single item (`phase.pairs`).
    Group `g` is the same whatever the number of ranks and wherever reading starts, so the state of the stream is
    the number of groups consumed.

    Order: with `shuffle_shards` = n, shards are shuffled and cut into windows of n, and items are shuffled within a
    window, so at most n shards are read at a time; with 0, all items are shuffled together.
    Strata: each anchor is drawn `weight` times an epoch on average, by systematic resampling, so that an epoch has
    the same length every time and equal weights give each anchor exactly once.
    """

    def __init__(
        self, dataset: WalkDataset, phase: PhaseConfig, keyframes: int, seed: int, split: str = "train"
    ) -> None:
        self.dataset = dataset
        self.phase = phase
        self.keyframes = keyframes
        self.seed = seed
        self.anchors = _anchors(dataset, split, phase)
        weights = [phase.strata.get(dataset.walks[w].stratum, 1.0) for w in dataset.walk[self.anchors]]
        self._reach = np.cumsum(weights)
        if not len(self.anchors) or self._reach[-1] == 0:
            raise UsageError(
                f"The split {split!r} has no frame to train on: each needs {phase.history} frames before it, "
                "and a stratum whose weight is above 0."
            )
        self.epoch_length = max(1, int(self._reach[-1]))
        self._epoch = lru_cache(maxsize=2)(self._draw_epoch)

    @property
    def group_size(self) -> int:
        """Items in a group."""
        return 2 if self.phase.pairs else 1

    def group(self, number: int) -> list[View]:
        """The items of group `number`, counted from the start of training."""
        epoch, place = divmod(number, self.epoch_length)
        current = int(self._epoch(epoch)[place])
        draw = np.random.default_rng([self.seed, 1, number])
        start = self.dataset.walks[self.dataset.walk[current]].start
        keys = tuple((start + self._keyframes(current - start, draw)).tolist())
        return [View(current + i, keys, number * self.group_size + i) for i in range(self.group_size)]

    def batch(self, index: int, rank: int, ranks: int) -> list[View]:
        """The items of a rank's `index`-th batch since the stream's start; the ranks' batches are disjoint."""
        groups = self.phase.batch // self.group_size
        first = (index * ranks + rank) * groups
        return [view for number in range(first, first + groups) for view in self.group(number)]

    def shards_from(self, group: int) -> list[str]:
        """All shards that an epoch reads, in the order in which it reads them first from this group on."""
        epoch, place = divmod(group, self.epoch_length)
        rows = np.roll(self._epoch(epoch), -place).tolist()
        return list(dict.fromkeys(self.dataset.shard[row] for row in rows))

    def _keyframes(self, past: int, draw: Generator) -> NDArray[np.int64]:
        mix = self.phase.keyframes
        if draw.random() * (mix.uniform + mix.random) < mix.uniform:
            return evenly(past, self.keyframes)
        return at_random(past, self.keyframes, draw)

    def _draw_epoch(self, epoch: int) -> NDArray[np.int64]:
        draw = np.random.default_rng([self.seed, 0, epoch])
        steps = (np.arange(self.epoch_length) + draw.random()) * (self._reach[-1] / self.epoch_length)
        drawn = self.anchors[np.searchsorted(self._reach, steps, side="right").clip(max=len(self.anchors) - 1)]
        shards = np.asarray(self.dataset.shard, dtype=object)[drawn]
        return drawn[_shuffled(shards, self.phase.shuffle_shards, draw)]


def _anchors(dataset: WalkDataset, split: str, phase: PhaseConfig) -> NDArray[np.int64]:
    """Rows that can be a current view: enough frames before them, and one after them where items come in pairs."""
    walks = [dataset.walks[w] for w in dataset.split(split)]
    rows = [np.arange(w.start + phase.history, w.stop - int(phase.pairs)) for w in walks]
    return np.concatenate(rows) if rows else np.empty(0, np.int64)


def _shuffled(shards: NDArray, window: int, draw: Generator) -> NDArray[np.int64]:
    """A permutation of the rows of `shards` that touches at most `window` shards at a time (0 = all)."""
    _, shard = np.unique(shards, return_inverse=True)
    turn = draw.permutation(shard.max() + 1)[shard]
    block = turn // window if window else np.zeros_like(turn)
    return np.lexsort([draw.random(len(shards)), block])
