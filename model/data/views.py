"""Which frames form an item: a current view and the keyframes before it. Pure index arithmetic, no pixels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from model.data.walks import WalkDataset
from model.errors import UsageError


@dataclass(frozen=True)
class View:
    """One item to load. Rows are rows of the dataset's index."""

    current: int
    keyframes: tuple[int, ...]
    """In order of time, all before `current` in the same walk; may be fewer than the network takes."""
    row: int
    """What `Batch.row` will say: the place in an evaluation's plan, or in the endless stream of training."""


def evenly(past: int, count: int) -> NDArray[np.int64]:
    """Up to `count` distinct numbers spread evenly over 0 .. past - 1, both ends included, ascending."""
    return np.round(np.linspace(0, past - 1, min(past, count))).astype(np.int64)


def at_random(past: int, count: int, draw: Generator) -> NDArray[np.int64]:
    """Up to `count` distinct numbers of 0 .. past - 1, each set as likely as another, ascending."""
    return np.sort(draw.choice(past, size=min(past, count), replace=False)).astype(np.int64)


def evaluation_views(dataset: WalkDataset, split: str, views: int, keyframes: int, seed: int) -> list[View]:
    """At most `views` current views spread evenly over a split's scenes and walks, with uniform keyframes.

    A current view has at least `keyframes` frames before it, so that no slot is empty.
    The same arguments give the same views. Raises `UsageError` where the split has no walk that is long enough.
    """
    walks = [w for w in _round_robin(dataset, split) if dataset.walks[w].stop - dataset.walks[w].start > keyframes]
    if not walks:
        raise UsageError(f"No walk of the split {split!r} is longer than {keyframes} frames: ask for fewer keyframes.")
    chosen = []
    share, rest = divmod(views, len(walks))
    for place, index in enumerate(walks):
        walk = dataset.walks[index]
        draw = np.random.default_rng([seed, index])
        wanted = share + (place < rest)
        for past in keyframes + at_random(walk.stop - walk.start - keyframes, wanted, draw):
            chosen.append((walk.start + int(past), tuple((walk.start + evenly(int(past), keyframes)).tolist())))
    return [View(current, keys, row) for row, (current, keys) in enumerate(sorted(chosen))]


def in_turns(scenes: Sequence[str]) -> list[int]:
    """Numbers of items by whose turn it is: the first of every scene, then the second of every scene, and so on."""
    met: Counter[str] = Counter()
    turns = []
    for number, scene in enumerate(scenes):
        turns.append((met[scene], scene, number))
        met[scene] += 1
    return [number for _, _, number in sorted(turns)]


def _round_robin(dataset: WalkDataset, split: str) -> list[int]:
    """The walks of a split, scene by scene in turns."""
    walks = sorted(dataset.split(split))
    return [walks[turn] for turn in in_turns([dataset.walks[walk].scene for walk in walks])]
