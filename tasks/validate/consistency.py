"""Whether pictures, depth, labels, poses and intrinsics of neighbouring frames tell of one and the same world.

Each frame's points are carried into the next frame's camera, `X = T_next^-1 T D K^-1 u`; there its depth, its light and
its label are compared with what that frame recorded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from tasks.validate.walks import Walk

POINTS_A_SIDE = 32
"""Points of a frame that are carried over: a grid of at most so many a side."""
NEAR = 0.04
"""Metres before the camera from which on a point counts as seen."""
COMPARED = ("depth_agrees", "seen_through", "labels_agree", "light_differs", "light_shift")
SHIFTS = (-1, 0, 1)
"""Frames by which the pictures are shifted against depth and poses, to find out whether zero fits best."""


@dataclass(frozen=True)
class Carried:
    """Points of N - 1 frames, P each, in the camera of the frame that follows."""

    origin: NDArray[np.intp]
    """[P] flat pixel index in the frame itself."""
    target: NDArray[np.intp]
    """[N - 1, P] flat pixel index in the next frame; 0 where not inside."""
    z: NDArray[np.float32]
    """[N - 1, P] expected depth in the next frame, metres."""
    inside: NDArray[np.bool_]
    """[N - 1, P] valid, before the camera and within the picture."""


def carry(walk: Walk) -> Carried:
    """Carry a grid of points of each frame into the next one."""
    height, width = walk.depth.shape[1:]
    stride = max(1, -(-max(height, width) // POINTS_A_SIDE))
    ys, xs = np.mgrid[stride // 2 : height : stride, stride // 2 : width : stride].reshape(2, -1)
    pixels = np.stack([xs + 0.5, ys + 0.5, np.ones(len(xs))])
    rays = np.linalg.inv(walk.intrinsics[:-1]) @ pixels
    depth = walk.depth[:-1].reshape(len(walk.depth) - 1, -1)[:, ys * width + xs]
    relative = np.linalg.inv(walk.pose[1:]) @ walk.pose[:-1]
    points = relative[:, :3, :3] @ (rays * depth[:, None]) + relative[:, :3, 3:]
    z = points[:, 2]
    seen = (depth > 0) & (z > NEAR)
    projected = walk.intrinsics[1:] @ (points / np.where(seen, z, 1.0)[:, None])
    column, row = np.floor(projected[:, 0]), np.floor(projected[:, 1])
    inside = seen & (column >= 0) & (column < width) & (row >= 0) & (row < height)
    target = np.where(inside, row * width + column, 0).astype(np.intp)
    return Carried(ys * width + xs, target, z.astype(np.float32), inside)


def compare(walk: Walk, near: float, share: float) -> dict[str, float]:
    """How well neighbours agree, as shares over the whole walk; NaN where no point could be compared.

    `near` and `share` bound the depth difference that still counts as equal: max(near, share * z) metres.
    """
    carried = carry(walk)
    inside = carried.inside
    if not inside.any():
        return dict.fromkeys(COMPARED, float("nan"))
    low, high = surroundings(walk.depth[1:])
    tolerance = np.maximum(near, share * carried.z)
    through = inside & (at(low, carried.target) > carried.z + tolerance)
    hidden = inside & (at(high, carried.target) < carried.z - tolerance)
    agrees = inside & ~through & ~hidden
    grey = np.stack([cv2.blur(image, (3, 3)) for image in walk.grey]).reshape(len(walk.rgb), -1)
    ids = walk.semantic.reshape(len(walk.semantic), -1)
    same_label = at(ids[1:], carried.target) == ids[:-1, carried.origin]
    kept = float(same_label[agrees].mean()) if agrees.any() else float("nan")
    shares = {"depth_agrees": agrees.sum(), "seen_through": through.sum()}
    told = {name: float(count / inside.sum()) for name, count in shares.items()}
    return {**told, "labels_agree": kept, **light(grey, carried, agrees)}


def light(grey: NDArray[np.float32], carried: Carried, agrees: NDArray[np.bool_]) -> dict[str, float]:
    """Change of light along carried points over that on the spot, and how much better a shift in time fits."""
    pairs = len(grey) - 1
    differs = {}
    for shift in SHIFTS:
        first, last = max(0, -shift), min(pairs, pairs - shift)
        moved = np.arange(first, last) + shift
        mask = agrees[first:last]
        here = grey[moved][:, carried.origin]
        there = at(grey[moved + 1], carried.target[first:last])
        spot = grey[moved + 1][:, carried.origin]
        still = np.abs(here - spot)[mask].sum()
        differs[shift] = float(np.abs(here - there)[mask].sum() / max(still, 1e-6)) if mask.any() else float("nan")
    return {"light_differs": differs[0], "light_shift": differs[0] - min(differs[-1], differs[1])}


def surroundings(depth: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """[N, H * W] least and largest valid depth in the 3 x 3 pixels around; inf and 0 where none is valid."""
    kernel = np.ones((3, 3), np.uint8)
    low: NDArray[Any] = np.stack(
        [cv2.erode(np.where(image > 0, image, np.inf).astype(np.float32), kernel) for image in depth]
    )
    high: NDArray[Any] = np.stack([cv2.dilate(image, kernel) for image in depth])
    # Where all around is invalid nothing can be said: the bounds take in every depth.
    unknown = high <= 0
    low[unknown], high[unknown] = 0, np.inf
    return low.reshape(len(depth), -1), high.reshape(len(depth), -1)


def at(values: NDArray[Any], target: NDArray[np.intp]) -> NDArray[Any]:
    """[N, P] of [N, H * W] at flat indices."""
    return np.take_along_axis(values, target, axis=1)
