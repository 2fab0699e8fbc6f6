"""Walks that show the same views as another, also where a copy was slightly changed: by perceptual hashes of frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from math import gcd
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.validate.reading import Rows
from tasks.validate.walks import Walk, tall

Marks = NDArray[np.uint64]
"""[N, 2] hash of each frame's picture and of its depth."""
Numbers = NDArray[np.intp]

SIDE = 8
ALIKE = 16
"""Bits of the 128 in which two frames of one view may differ."""
EVERY = 2
"""Of the frames of a walk every second is looked for among all others."""
CROWD = 400
"""A sixteenth of a hash that so many frames share says nothing of them: bare walls look alike everywhere."""


def marks(walk: Walk) -> Marks:
    """Difference hashes (is each cell of an 8 x 9 thumbnail lighter, or farther, than its left neighbour?)."""
    found = np.empty((len(walk.grey), 2), np.uint64)
    seen: tuple[NDArray[Any], ...] = (walk.grey, walk.depth)
    for column, images in enumerate(seen):
        height, width = images.shape[1:]
        rows = cells(height, SIDE).T @ images.astype(np.float32)
        small = (tall(rows) @ cells(width, SIDE + 1)).reshape(-1, SIDE, SIDE + 1)
        bits = (np.diff(small, axis=2) > 0).reshape(len(images), -1)
        found[:, column] = np.packbits(bits, axis=1).view(">u8")[:, 0]
    return found


@cache
def cells(size: int, count: int) -> NDArray[np.float32]:
    """[size, count] how much of each pixel in a line lies in each of so many equal cells, in whole numbers.

    Sums of whole numbers are exact: cells of one light differ by nothing, and not by what rounding leaves.
    """
    pixel, cell = np.arange(size)[:, None] * count, np.arange(count)[None] * size
    shared = np.minimum(pixel + count, cell + size) - np.maximum(pixel, cell)
    return np.asarray(np.maximum(shared, 0) // gcd(size, count), np.float32)


def likeness(walks: Sequence[Rows], marked: Mapping[str, Marks]) -> dict[tuple[int, int], float]:
    """(walk, other walk) -> share of the walk's frames that the other shows too, where there are any; by numbers.

    Frames are compared if they agree in one sixteenth of their hashes at least, so the cost grows with their number and
    not with its square.
    """
    lengths = [len(marked[rows["episode"][0]]) for rows in walks]
    everything = np.concatenate([marked[rows["episode"][0]] for rows in walks])
    owner = np.repeat(np.arange(len(walks)), lengths)
    within = np.arange(len(owner)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    asked = np.flatnonzero(within % EVERY == 0)
    found = [alike(everything, owner, asked, band) for band in everything.view(np.uint16).T]
    # A frame counts once for another walk, however many of its sixteenths and of that walk's frames agree.
    frame, other = np.unique(np.concatenate(found), axis=0).T
    pairs, counts = np.unique(np.stack([owner[frame], other], axis=1), axis=0, return_counts=True)
    whole = np.bincount(owner[asked], minlength=len(walks))
    return {(int(a), int(b)): float(count / whole[a]) for (a, b), count in zip(pairs, counts, strict=True)}


def alike(everything: Marks, owner: Numbers, asked: Numbers, band: NDArray[np.uint16]) -> Numbers:
    """[P, 2] (frame that was asked for, walk of one that looks like it) among frames that share a value of `band`."""
    order = np.argsort(band, kind="stable")
    first = np.searchsorted(band[order], band[asked], side="left")
    count = np.searchsorted(band[order], band[asked], side="right") - first
    count = np.where(count <= CROWD, count, 0)
    frame = np.repeat(asked, count)
    offset = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    other = order[np.repeat(first, count) + offset]
    foreign = owner[frame] != owner[other]
    frame, other = frame[foreign], other[foreign]
    picture, depth = (np.bitwise_count(column[frame] ^ column[other]) for column in everything.T)
    near = picture + depth <= ALIKE
    return np.stack([frame[near], owner[other[near]]], axis=1)
