"""What single frames look like: light, detail, depth, labels."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from tasks.validate.walks import Walk

Columns = dict[str, NDArray[np.float64]]
"""Name -> one value a frame."""

SPARSE = 3
"""Of every so many rows and columns one says enough of a frame's median depth."""
STILL = 2
"""A pixel whose green never changes by more, of 255, stands still."""


def light_and_detail(walk: Walk) -> Columns:
    """Mean luminance, its spread, the share of fine detail, edges on a grid of 8 px over others, noise where flat."""
    grey = walk.grey
    spread = grey.std(axis=(1, 2))
    fine = np.abs(np.stack([cv2.Laplacian(image, cv2.CV_32F) for image in grey]))
    return {
        "brightness": grey.mean(axis=(1, 2)).astype(float),
        "contrast": spread.astype(float),
        "detail": (fine.mean(axis=(1, 2)) / np.maximum(spread, 1.0)).astype(float),
        "blocks": blockiness(grey),
        "grain": np.median(fine[:, ::2, ::2], axis=(1, 2)).astype(float),
    }


def blockiness(grey: NDArray[np.float32]) -> NDArray[np.float64]:
    """[N] mean step across the borders of 8 x 8 blocks over the mean step elsewhere: about 1, more after JPEG."""
    ratios = []
    for axis in (1, 2):
        steps = np.abs(np.diff(grey, axis=axis)).mean(axis=3 - axis)
        border = np.arange(steps.shape[1]) % 8 == 7
        ratios.append((steps[:, border].mean(axis=1) + 0.1) / (steps[:, ~border].mean(axis=1) + 0.1))
    return np.mean(ratios, axis=0).astype(float)


def depths(walk: Walk) -> Columns:
    """Share of invalid pixels; nearest, median and farthest valid depth in metres (NaN where there is none)."""
    some = walk.depth[:, ::SPARSE, ::SPARSE].reshape(len(walk.depth), -1)
    valid = walk.depth > 0
    full = valid.any(axis=(1, 2))
    columns = {
        "nearest": np.where(valid, walk.depth, np.inf).min(axis=(1, 2)),
        "median_depth": np.array([np.median(row[row > 0]) if (row > 0).any() else np.nan for row in some]),
        "farthest": walk.depth.max(axis=(1, 2)),
    }
    holes = 1 - valid.mean(axis=(1, 2))
    return {"holes": holes, **{name: np.where(full, values, np.nan).astype(float) for name, values in columns.items()}}


def sightings(walk: Walk) -> NDArray[np.float64]:
    """[N, ids] share of each frame that each object fills; column 0 is no object."""
    flat = walk.semantic.reshape(len(walk.semantic), -1).astype(np.intp)
    ids = int(flat.max()) + 1
    flat += np.arange(len(flat))[:, None] * ids
    return np.bincount(flat.ravel(), minlength=len(flat) * ids).reshape(len(flat), ids) / flat.shape[1]


def labels(seen: NDArray[np.float64], known: frozenset[int]) -> Columns:
    """Share of pixels without an object; share whose object the scene does not have; number of objects."""
    foreign = np.ones(seen.shape[1], bool)
    foreign[[i for i in (0, *known) if i < seen.shape[1]]] = False
    return {
        "unlabelled": seen[:, 0],
        "unknown_objects": seen[:, foreign].sum(axis=1),
        "objects": np.count_nonzero(seen[:, 1:], axis=1).astype(float),
    }


def of_the_sensor(walk: Walk) -> dict[str, float]:
    """Share of pixels that stand still while the camera moves; number of depths (of three frames) that occur at all;
    share of pixels without colour; how much stronger the picture's edges are where labels change than on average."""
    grey = walk.rgb[:, :, :, 1]
    still = (grey.max(axis=0) - grey.min(axis=0)) <= STILL
    some = np.rint(walk.depth[[0, len(walk.depth) // 2, -1]] * 1000).astype(np.intp)
    rare = walk.rgb[:, ::SPARSE, ::SPARSE]
    return {
        "dead": float(still.mean()),
        "levels": float(np.count_nonzero(np.bincount(some.ravel()))),
        "colourless": float((np.ptp(rare, axis=3) <= 1).mean()),
        "outlines": outlines(walk),
    }


def outlines(walk: Walk) -> float:
    """Mean step of light where labels change over the mean step everywhere: about 1 where pictures lie elsewhere."""
    ratios = []
    for axis in (1, 2):
        steps = np.abs(np.diff(walk.grey, axis=axis))
        change = np.diff(walk.semantic.astype(np.int32), axis=axis) != 0
        ratios.append((steps[change].mean() + 0.1) / (steps.mean() + 0.1) if change.any() else 1.0)
    return float(np.mean(ratios))


def repeated(walk: Walk) -> NDArray[np.bool_]:
    """[N - 1] whether the picture or the depth of a frame (from the second on) is the one before to the bit."""
    same_picture = (walk.rgb[1:] == walk.rgb[:-1]).all(axis=(1, 2, 3))
    same_depth = (walk.depth[1:] == walk.depth[:-1]).all(axis=(1, 2))
    return np.asarray(same_picture | same_depth)
