"""What single frames look like: light, detail, depth, labels."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from tasks.validate.walks import Walk

Columns = dict[str, NDArray[np.float64]]
"""Name -> one value a frame."""

LUMA = np.array([0.299, 0.587, 0.114], np.float32)
"""Weights of red, green and blue in luminance (ITU-R BT.601)."""


def luminance(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """[N, H, W] in 0..255."""
    return (rgb.astype(np.float32) @ LUMA).astype(np.float32)


def light_and_detail(walk: Walk) -> Columns:
    """Mean luminance, its spread, the share of fine detail in it, and how much stronger edges are on a grid of 8 px."""
    grey = luminance(walk.rgb)
    spread = grey.std(axis=(1, 2))
    fine = np.stack([cv2.Laplacian(image, cv2.CV_32F) for image in grey])
    return {
        "brightness": grey.mean(axis=(1, 2)).astype(float),
        "contrast": spread.astype(float),
        "detail": (np.abs(fine).mean(axis=(1, 2)) / np.maximum(spread, 1.0)).astype(float),
        "blocks": blockiness(grey),
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
    depth = np.where(walk.depth > 0, walk.depth, np.nan)
    empty = np.asarray(np.isnan(depth).all(axis=(1, 2)))
    filled = np.where(empty[:, None, None], 0, depth)
    columns = {
        "holes": np.isnan(depth).mean(axis=(1, 2)),
        "nearest": np.nanmin(filled, axis=(1, 2)),
        "median_depth": np.nanmedian(filled, axis=(1, 2)),
        "farthest": np.nanmax(filled, axis=(1, 2)),
    }
    for name in ("nearest", "median_depth", "farthest"):
        columns[name] = np.where(empty, np.nan, columns[name])
    return {name: values.astype(float) for name, values in columns.items()}


def labels(walk: Walk, known: frozenset[int]) -> Columns:
    """Share of pixels without an object; share whose object the scene does not have; number of objects."""
    flat = walk.semantic.reshape(len(walk.semantic), -1)
    foreign = ~np.isin(flat, [*known, 0])
    return {
        "unlabelled": (flat == 0).mean(axis=1).astype(float),
        "unknown_objects": foreign.mean(axis=1).astype(float),
        "objects": np.array([len(np.unique(ids[ids > 0])) for ids in flat], float),
    }


def repeated(walk: Walk) -> NDArray[np.bool_]:
    """[N - 1] whether the picture or the depth of a frame (from the second on) is the one before to the bit."""
    same_picture = (walk.rgb[1:] == walk.rgb[:-1]).all(axis=(1, 2, 3))
    same_depth = (walk.depth[1:] == walk.depth[:-1]).all(axis=(1, 2))
    return np.asarray(same_picture | same_depth)
