"""The label's rules once more, a pixel at a time in plain Python: slow, and plain enough to be checked by eye."""

from __future__ import annotations

import math

import numpy as np

from tests.model.rooms import Array

OUT, HIDDEN, SEEN, NONE = 0, 1, 2, -100


def classify(
    depth_t: Array, pose_t: Array, k_t: Array, depth_k: Array, pose_k: Array, k_k: Array
) -> tuple[Array, Array]:
    """Classes [H, W] and landing points [H, W, 2] of the current view's pixels in the keyframe."""
    height, width = depth_t.shape
    classes, landing = np.full((height, width), NONE), np.full((height, width, 2), np.nan)
    to_keyframe = np.linalg.inv(pose_k) @ pose_t
    for row in range(height):
        for column in range(width):
            d = depth_t[row, column]
            if not (math.isfinite(d) and d > 0):
                continue
            ray = np.array([(column + 0.5 - k_t[0, 2]) / k_t[0, 0], (row + 0.5 - k_t[1, 2]) / k_t[1, 1], 1.0])
            x, y, z = to_keyframe[:3, :3] @ (d * ray) + to_keyframe[:3, 3]
            classes[row, column] = OUT
            if z <= 0.04:
                continue
            u, v = k_k[0, 0] * x / z + k_k[0, 2], k_k[1, 1] * y / z + k_k[1, 2]
            if 0 <= u < width and 0 <= v < height:
                landing[row, column] = u, v
                classes[row, column] = SEEN if agrees(depth_k, u, v, z) else HIDDEN
    return classes, landing


def agrees(depth: Array, u: float, v: float, z: float) -> bool:
    """Whether depth z agrees with the surface that a depth map shows at (u, v)."""
    tau = max(0.03, 0.02 * z)
    row, column = math.floor(v), math.floor(u)

    def inverse(r: int, c: int) -> float:
        inside = 0 <= r < depth.shape[0] and 0 <= c < depth.shape[1]
        return 1 / depth[r, c] if inside and math.isfinite(depth[r, c]) and depth[r, c] > 0 else math.nan

    here = inverse(row, column)
    if math.isnan(here):
        return False
    slope = 0.0
    for a, b in (
        (inverse(row, column - 1), inverse(row, column + 1)),
        (inverse(row - 1, column), inverse(row + 1, column)),
    ):
        steps = [abs(side - here) for side in (a, b) if not math.isnan(side)]
        slope += min(steps) / 2 if steps else 0.0
    if abs(here * z - 1) <= tau * here + slope * z:
        return True
    top, left = math.floor(v - 0.5), math.floor(u - 0.5)
    down, across = v - 0.5 - top, u - 0.5 - left
    upper = (1 - across) * inverse(top, left) + across * inverse(top, left + 1)
    lower = (1 - across) * inverse(top + 1, left) + across * inverse(top + 1, left + 1)
    surface = (1 - down) * upper + down * lower
    return abs(surface * z - 1) <= tau * surface


def heatmap(classes: Array, landing: Array, grid: int) -> Array:
    """[grid, grid] the target of a visible pair: gaze weights, summed by cell, blurred, normalised."""
    height, width = classes.shape
    cells = np.zeros((grid, grid))
    for row in range(height):
        for column in range(width):
            if classes[row, column] == SEEN:
                u, v = landing[row, column]
                weight = math.exp(-((u - width / 2) ** 2 + (v - height / 2) ** 2) / (2 * (0.25 * width) ** 2))
                cells[row * grid // height, column * grid // width] += weight
    blurred = np.zeros_like(cells)
    for i in range(grid):
        for j in range(grid):
            for k in range(grid):
                for m in range(grid):
                    blurred[i, j] += cells[k, m] * math.exp(-((i - k) ** 2 + (j - m) ** 2) / 2)
    return blurred / blurred.sum()
