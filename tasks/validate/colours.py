"""Whether a walk's colours are those that other walks show of things of the same name: swapped channels, foreign tints.

Colours alone cannot say in which order their channels stand; the world can. Of each thing the mean colour over a walk
is compared with that of things of the same name (or category, where the name is rare) in all other scenes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.validate.reading import Rows
from tasks.validate.walks import Walk

Floats = NDArray[np.float64]

POINTS_A_SIDE = 32
"""Points of a frame whose colour is looked at: a grid of at most so many a side."""
LEAST_POINTS = 24
"""Points of a walk that a thing must fill; the mean colour of fewer is too much of an accident."""
LEAST_SCENES = 4
"""Other scenes that must show a name before it is compared with them."""
MANY_SCENES = 60
"""Scenes that a dataset must have before a walk's colours are called unusual in it."""
DISSENT = 0.1
"""Share of the walks of fewer scenes that may fit better with other channels: beyond it these scenes' things are too
unlike each other to tell (6 of 21 sound walks through 15 office halls seemed to)."""
REFERENCES = 300
"""Things of one name that a colour is compared with, at most."""
WIDTH = 0.02
"""Spread of one thing's colour under light and view, as a share of its lightness."""
FLOOR = 0.05
"""Chance that a thing has any colour at all, so that no single one decides."""
GREY = 0.01
"""Square of the colourfulness of a walk's things by which it is drawn towards that of the others."""
AREA = 0.5
"""Of the triangle of colours."""
ORDERS = tuple(permutations(range(3)))
"""Orders in which three channels can stand; the first is as they should be."""

Palette = dict[int, tuple[float, float, float]]
"""Object id -> mean red, green and blue over a walk, 0..255."""


def palette(walk: Walk) -> Palette:
    """The mean colour of every thing that fills enough of a walk."""
    height, width = walk.semantic.shape[1:]
    stride = max(1, -(-max(height, width) // POINTS_A_SIDE))
    some = slice(stride // 2, None, stride)
    whole = slice(None) if walk.intact.all() else walk.intact
    ids = walk.semantic[whole, some, some].ravel().astype(np.intp)
    # Whole rows are copied fast, single pixels of three bytes are not: those are taken a channel at a time.
    colours = np.ascontiguousarray(walk.rgb[whole, some])[:, :, some]
    counts = np.bincount(ids)
    things = np.flatnonzero(counts >= LEAST_POINTS)
    things = things[things > 0]
    sums = [np.bincount(ids, weights=colours[..., channel].ravel()) for channel in range(3)]
    means = [channel[things] / counts[things] for channel in sums]
    red, green, blue = (channel.tolist() for channel in means)
    return dict(zip(things.tolist(), zip(red, green, blue, strict=True), strict=True))


@dataclass(frozen=True)
class Things:
    """All things of all walks, a row each."""

    walk: NDArray[np.intp]
    """[T] number of the walk."""
    scene: NDArray[np.intp]
    """[T] number of the scene."""
    name: NDArray[np.intp]
    """[T] number of the name, like `blue sofa`."""
    category: NDArray[np.intp]
    """[T] number of the category, like `sofa`."""
    chroma: Floats
    """[T, 3] shares of red, green and blue in the colour's lightness."""
    lightness: Floats
    """[T] sum of the three, 0..765."""


def things_of(
    walks: Sequence[Rows], palettes: Mapping[str, Palette], scenes: Mapping[str, Mapping[str, Any]]
) -> Things:
    """What the walks show of things that their scenes describe."""
    numbers: dict[tuple[str, str], int] = {}
    rows: list[tuple[int, int, int, int]] = []
    colours: list[tuple[float, float, float]] = []

    def number(kind: str, name: str) -> int:
        return numbers.setdefault((kind, name), len(numbers))

    known = {name: {thing["id"]: thing for thing in scene.get("objects", ())} for name, scene in scenes.items()}
    for i, walk in enumerate(walks):
        scene = walk["scene"][0]
        for id, colour in palettes[walk["episode"][0]].items():
            thing = known.get(scene, {}).get(id)
            if thing is None or sum(colour) < 3:
                continue
            name = str(thing.get("name") or thing["category"])
            rows.append((i, number("scene", scene), number("name", name), number("category", str(thing["category"]))))
            colours.append(colour)
    table = np.array(rows, np.intp).reshape(-1, 4)
    shares = np.array(colours, float).reshape(-1, 3)
    chroma = shares / np.maximum(shares.sum(axis=1, keepdims=True), 1e-9)
    return Things(table[:, 0], table[:, 1], table[:, 2], table[:, 3], chroma, shares.sum(axis=1))


def evidence(things: Things) -> Floats:
    """[T, orders] log density of each thing's colour under each order of its channels; NaN where none compares."""
    found = np.full((len(things.walk), len(ORDERS)), np.nan)
    for keys in (things.name, things.category):
        for rows in grouped(keys):
            asked = rows[np.isnan(found[rows, 0])]
            if not len(asked) or len(np.unique(things.scene[rows])) <= LEAST_SCENES:
                continue
            stride = -(-len(rows) // REFERENCES)
            others = rows[::stride]
            foreign = things.scene[asked][:, None] != things.scene[others][None]
            enough = foreign.sum(axis=1) >= LEAST_SCENES
            asked, foreign = asked[enough], foreign[enough]
            found[asked] = densities(things.chroma[asked], things.chroma[others], foreign)
    return found


def grouped(keys: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    """Rows of equal key."""
    order = np.argsort(keys, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(keys[order])) + 1) if len(keys) else []


def densities(colours: Floats, references: Floats, counts: NDArray[np.bool_]) -> Floats:
    """[N, orders] log density of colours, their channels in each order, among references, each spread by `WIDTH`.

    `counts` [N, M] says which reference counts for which colour. Shares sum to one, so red and blue say all: the
    density is over their plane.
    """
    mine, theirs = (values.astype(np.float32) / np.float32(WIDTH * 2**0.5) for values in (colours, references))
    # [channel][N, M] how near each channel comes to the references' red and to their blue.
    reds, blues = (
        [np.exp(-((mine[:, channel, None] - theirs[None, :, own]) ** 2)) for channel in range(3)] for own in (0, 2)
    )
    reds = [red * counts for red in reds]
    kernels = [np.einsum("nm,nm->n", reds[order[0]], blues[order[2]]) for order in ORDERS]
    mean = np.stack(kernels, axis=1) / (2 * np.pi * WIDTH**2) / np.maximum(counts.sum(axis=1), 1)[:, None]
    return np.asarray(np.log((1 - FLOOR) * mean + FLOOR / AREA))


@dataclass(frozen=True)
class Hues:
    """Of each walk, beside the others; NaN where nothing could be compared."""

    channels: Floats
    """Sum over things of log likelihood ratios of the channels as they stand over the best other order of them."""
    unusual: Floats
    """By how much the mean log density of its colours lies below the median walk's."""
    vivid: Floats
    """Colourfulness of its things as a share of that of things of the same name; negative for opposite colours."""
    lightness: Floats
    """Lightness of its things as a share of that of things of the same name."""


def judged(walks: Sequence[Rows], palettes: Mapping[str, Palette], scenes: Mapping[str, Mapping[str, Any]]) -> Hues:
    """How well each walk's colours fit those of the others."""
    things = things_of(walks, palettes, scenes)
    told = evidence(things)
    known = ~np.isnan(told[:, 0])
    walk, told = things.walk[known], told[known]
    count = np.bincount(walk, minlength=len(walks)).astype(float)
    sums = np.stack([np.bincount(walk, weights=column, minlength=len(walks)) for column in told.T], axis=1)
    compared = count > 0
    order = np.where(compared, sums[:, 0] - sums[:, 1:].max(axis=1), np.nan)
    usual = np.where(compared, sums[:, 0] / np.maximum(count, 1), np.nan)
    nobody = np.full(len(walks), np.nan)
    if len({walk["scene"][0] for walk in walks}) >= MANY_SCENES and compared.any():
        return Hues(order, np.median(usual[compared]) - usual, *faded(things, len(walks)))
    return Hues(nobody if (order < 0).sum() > DISSENT * compared.sum() else order, nobody, nobody, nobody)


def faded(things: Things, walks: int) -> tuple[Floats, Floats]:
    """[walks] colourfulness and lightness of each walk's things as shares of those of things of the same name.

    Colourfulness is the slope of a line through the origin: a thing's shares of red, green and blue, less a third each,
    over their mean by name. Walks of grey things, which cannot tell, are drawn towards one.
    """
    names = int(things.name.max(initial=-1)) + 1
    count = np.bincount(things.name, minlength=names)
    scenes = np.unique(np.stack([things.name, things.scene]), axis=1)[0]
    common = np.bincount(scenes, minlength=names)[things.name] > LEAST_SCENES
    named, walk = things.name[common], things.walk[common]
    along = across = np.full(walks, GREY)
    for column in things.chroma.T - 1 / 3:
        usual = (np.bincount(things.name, column, names) / np.maximum(count, 1))[named]
        along = along + np.bincount(walk, column[common] * usual, walks)
        across = across + np.bincount(walk, usual**2, walks)
    shade = np.log(things.lightness)
    usual = (np.bincount(things.name, shade, names) / np.maximum(count, 1))[named]
    lighter = shade[common] - usual
    compared = np.bincount(walk, minlength=walks)
    # The things of a walk in order of lightness, walk by walk: the median of each is the one in its middle.
    ordered = np.append(lighter[np.lexsort((lighter, walk))], 0.0)
    median = ordered[np.cumsum(compared) - compared + compared // 2]
    nothing = np.where(compared > 0, 0.0, np.nan)
    return along / across + nothing, np.exp(median) + nothing
