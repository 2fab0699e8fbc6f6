"""Where a map points: into the true mask or not, how many metres beside it, and better than a map that fits any view.

V views, K keyframes, G x G cells. All compare grids alone, as `model.metrics` does, and say nothing (NaN) of pairs
whose place is not in view. A place is the cell of a target's mode, as for the saliency at the mode.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from model.batch import Targets, Views
from tasks.scores import Bools, Floats


def pointing(maps: Floats, truth: Targets, views: Views, counted: Bools, usual: Floats) -> dict[str, Floats]:
    """`inside`, `metres` and `auc` [V, K] of maps [V, K, C]; `usual` [G * G] = where places lie in any view."""
    grid = maps[..., :-1]
    mode = grid.argmax(axis=-1)
    true_mode = truth.heatmap.double().numpy()[..., :-1].argmax(axis=-1)
    mask = truth.covisible.double().numpy().reshape(*grid.shape) > 0
    places = cell_points(truth, views)
    row = np.arange(len(maps))[:, None]
    found = {
        "inside": np.take_along_axis(mask, mode[..., None], axis=-1)[..., 0].astype(float),
        "metres": np.linalg.norm(places[row, mode] - places[row, true_mode], axis=-1),
        "auc": shuffled_auc(grid, true_mode, usual),
    }
    return {name: np.where(counted, values, np.nan) for name, values in found.items()}


def cell_points(truth: Targets, views: Views) -> Floats:
    """[V, G * G, 3] what the cells' centres show, in the current camera's frame, metres.

    Cells without a measured depth count as the farthest of their view, so that pointing there is no way out.
    """
    depth = truth.cell_depth.double().numpy()
    depth = np.where(depth > 0, depth, depth.max(axis=(1, 2), keepdims=True))
    side = depth.shape[-1]
    height, width = views.depth.shape[-2:]
    y, x = ((np.indices((side, side)) + 0.5) / side).reshape(2, -1)
    pixels = np.stack([x * width, y * height, np.ones(side * side)])
    rays = np.linalg.solve(views.intrinsics[:, -1].double().numpy(), pixels[None])
    return np.asarray(np.swapaxes(rays, 1, 2) * depth.reshape(len(depth), -1, 1))


def shuffled_auc(grid: Floats, place: NDArray[np.int64], usual: Floats) -> Floats:
    """[V, K] chance that the true place (cell [V, K]) gets more than the place of another pair, drawn from `usual`.

    Equal values count half, so a constant map has .5; so has, on average, one map for all pairs, however well it knows
    where places usually lie (L. Zhang et al., "SUN: A Bayesian framework for saliency using natural statistics",
    Journal of Vision 8(7), 2008).
    """
    at_place = np.take_along_axis(grid, place[..., None], axis=-1)
    return np.asarray(((at_place > grid) + 0.5 * (at_place == grid)) @ usual)


def usual_places(maps: Floats, counted: Bools) -> Floats:
    """[G * G] share of the counted pairs [U, K] whose target [U, K, C] has its mode in the cell.

    Even where nothing is counted.
    """
    cells = maps.shape[-1] - 1
    found = np.bincount(maps[counted][:, :-1].argmax(axis=-1), minlength=cells).astype(float)
    return found / found.sum() if found.any() else np.full(cells, 1 / cells)
