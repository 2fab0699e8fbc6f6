"""What single frames look like: light, detail, depth, labels."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from tasks.validate.walks import Walk, tall

Columns = dict[str, NDArray[np.float64]]
"""Name -> one value a frame."""

FRAMES = 12
"""About so many frames, spread over a walk, tell how sharp, noisy and coloured it is: a walk is so as a whole."""
SPARSE = 2
"""Of every so many rows and columns one says enough of a frame's light, holes, labels and colours."""
STILL = 2
"""A pixel whose luminance never changes by more, of 255, stands still."""


def light(walk: Walk) -> Columns:
    """Mean luminance and its spread."""
    flat = sparse(walk.grey).astype(np.float32)
    mean = flat.mean(axis=1, dtype=np.float64)
    squares = np.einsum("ij,ij->i", flat, flat).astype(float) / flat.shape[1]
    return {"brightness": mean, "contrast": np.sqrt(np.maximum(squares - mean**2, 0.0))}


def depths(walk: Walk) -> Columns:
    """Share of pixels that show an object and have no depth; nearest and farthest valid depth in metres (or NaN)."""
    flat = walk.depth.reshape(len(walk.depth), -1)
    # Less one, the invalid depth zero wraps around to the largest of all.
    nearest = (flat - np.uint16(1)).min(axis=1).astype(float) + 1
    farthest = flat.max(axis=1).astype(float)
    columns = {"nearest": nearest, "farthest": farthest}
    metres = {name: np.where(farthest > 0, values / 1000, np.nan) for name, values in columns.items()}
    holes = sparse(walk.depth) == 0
    # A scan has holes where it shows nothing; what is drawn has none, and is not looked at further.
    blind = (holes & (sparse(walk.semantic) > 0)).mean(axis=1) if holes.any() else np.zeros(len(holes))
    return {"holes": blind, **metres}


def sightings(walk: Walk) -> NDArray[np.float64]:
    """[N, ids] share of each frame that each object fills; column 0 is no object."""
    flat = sparse(walk.semantic).astype(np.intp)
    ids = int(flat.max()) + 1
    flat += np.arange(len(flat))[:, None] * ids
    return np.bincount(flat.ravel(), minlength=len(flat) * ids).reshape(len(flat), ids) / flat.shape[1]


def sparse(pictures: NDArray[Any]) -> NDArray[Any]:
    """[N, P] some pixels of each of [N, H, W] pictures."""
    few = pictures[:, SPARSE // 2 :: SPARSE, SPARSE // 2 :: SPARSE]
    return few.reshape(len(few), -1)


def labels(seen: NDArray[np.float64], known: frozenset[int]) -> Columns:
    """Share of pixels without an object; share whose object the scene does not have; number of objects."""
    foreign = np.ones(seen.shape[1], bool)
    foreign[[i for i in (0, *known) if i < seen.shape[1]]] = False
    return {
        "unlabelled": seen[:, 0],
        "unknown_objects": seen[:, foreign].sum(axis=1),
        "objects": np.count_nonzero(seen[:, 1:], axis=1).astype(float),
    }


def spread(walk: Walk) -> NDArray[np.intp]:
    """Some of the frames that could be read, from the first to the last."""
    whole = np.flatnonzero(walk.intact)
    return whole[:: max(1, len(whole) // FRAMES)]


def texture(walk: Walk) -> dict[str, float]:
    """Medians over a walk's frames of: the share of fine detail, edges on a grid of 8 px over others, noise where flat;
    and how much finer it is across than down.

    Nothing where no frame could be read.
    """
    some = spread(walk)
    if not len(some):
        return {}
    grey = walk.grey[some]
    both = cv2.Laplacian(tall(grey), cv2.CV_16S)
    across = cv2.Sobel(tall(grey), cv2.CV_16S, 2, 0, ksize=1)
    down = cv2.norm(cv2.subtract(both, across), cv2.NORM_L1)
    fine = np.asarray(both, np.int16).reshape(grey.shape)
    # Rows at the edges have neighbours in another picture.
    fine = np.abs(fine[:, 1:-1])
    contrast = np.maximum([cv2.meanStdDev(frame)[1].item() for frame in grey], 1.0)
    return {
        "detail": float(np.median(fine.mean(axis=(1, 2)) / contrast)),
        "smear": cv2.norm(across, cv2.NORM_L1) / max(down, 1.0),
        "blocks": blockiness(grey.astype(np.float32)),
        "grain": float(np.median(medians(fine[:, ::2, ::2].reshape(len(fine), -1)))),
    }


def medians(values: NDArray[np.int16]) -> NDArray[np.float64]:
    """[N] of the rows of [N, P]; NumPy's own takes ten times as long over whole numbers."""
    ordered = np.sort(values, axis=1)
    return np.asarray((ordered[:, (ordered.shape[1] - 1) // 2] + ordered[:, ordered.shape[1] // 2]) / 2)


def blockiness(grey: NDArray[np.float32]) -> float:
    """Mean step across the borders of 8 x 8 blocks over the mean step elsewhere (median of frames): more after JPEG.

    The less of both directions: a frame of a door may stand on such a border, a grid of them never does.
    """
    ratios = []
    for axis in (1, 2):
        steps = np.abs(np.diff(grey, axis=axis)).mean(axis=3 - axis)
        border = np.arange(steps.shape[1]) % 8 == 7
        ratios.append((steps[:, border].mean(axis=1) + 0.1) / (steps[:, ~border].mean(axis=1) + 0.1))
    return float(min(np.median(ratio) for ratio in ratios))


def of_the_sensor(walk: Walk) -> dict[str, float]:
    """Share of pixels that stand still while the camera moves; number of depths (of three frames) that occur at all;
    share of pixels without colour, number of reds, steps of red less blue over steps of light; how much stronger the
    picture's edges are where labels change than on average."""
    still = (walk.grey.max(axis=0) - walk.grey.min(axis=0)) <= STILL
    some = spread(walk)
    red, green, blue = cv2.split(tall(walk.rgb[some, ::SPARSE]))
    colour = np.asarray(cv2.subtract(cv2.max(cv2.max(blue, green), red), cv2.min(cv2.min(blue, green), red)))
    hue, grey = cv2.subtract(red, blue, dtype=cv2.CV_16S), tall(walk.grey[some, ::SPARSE])
    steps = [cv2.mean(cv2.absdiff(one[:, 1:], one[:, :-1]))[0] for one in (hue, grey)]
    return {
        "dead": float(still.mean()),
        "levels": float(np.count_nonzero(np.bincount(walk.depth[some[[0, len(some) // 2, -1]]].ravel()))),
        "colourless": float((colour <= 1).mean()),
        "tones": float(np.count_nonzero(np.bincount(red.ravel()[::SPARSE]))),
        "fringes": (steps[0] + 0.1) / (steps[1] + 0.1),
        "outlines": outlines(walk.grey[some], walk.semantic[some]),
    }


def outlines(grey: NDArray[np.uint8], semantic: NDArray[np.uint16]) -> float:
    """Mean step of light where labels change over the mean step everywhere: about 1 where pictures lie elsewhere."""
    ratios = []
    for later, earlier in (np.s_[:, 1:], np.s_[:, :-1]), (np.s_[:, :, 1:], np.s_[:, :, :-1]):
        steps = cv2.absdiff(tall(grey[later]), tall(grey[earlier]))
        change = tall(semantic[later] != semantic[earlier]).view(np.uint8)
        there, everywhere = cv2.mean(steps, change)[0], cv2.mean(steps)[0]
        ratios.append((there + 0.1) / (everywhere + 0.1) if change.any() else 1.0)
    return float(np.mean(ratios))


def repeated(pictures: NDArray[np.uint8]) -> NDArray[np.float64]:
    """[N - 1] share of the rows of each of [N, H, W] pictures that are those of the one before, to the bit."""
    change = cv2.reduce(cv2.absdiff(tall(pictures[1:]), tall(pictures[:-1])), 1, cv2.REDUCE_MAX)
    return np.asarray((change.reshape(len(pictures) - 1, -1) == 0).mean(axis=1))
