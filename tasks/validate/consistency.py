"""Whether pictures, depth, labels, poses and intrinsics of neighbouring frames tell of one and the same world.

Each frame's points are carried into the next frame's camera, `X = T_next^-1 T D K^-1 u`; there its depth, its light and
its label are compared with what that frame recorded. Lengths are in millimetres, as depths are stored.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from tasks.validate.walks import Walk, tall

POINTS_A_SIDE = 13
"""Points of a frame that are carried over: a grid of at most so many a side."""
NEAR = 40.0
"""Millimetres before the camera from which on a point counts as seen."""
FARTHEST = 65535
COMPARED = ("depth_agrees", "seen_through", "labels_agree", "light_differs", "light_shift", "unsteady", "leap")
MANY = 20
"""Points of a frame that must be seen in the next one before the two are judged by themselves."""
SHIFTS = (-1, 0, 1)
"""Frames by which the pictures are shifted against depth and poses, to find out whether zero fits best."""
AROUND = np.ones((3, 3), np.uint8)


@dataclass(frozen=True)
class Carried:
    """Points of N - 1 frames, P each, in the camera of the frame that follows."""

    origin: NDArray[np.intp]
    """[P] flat pixel index in the frame itself."""
    target: NDArray[np.intp]
    """[N - 1, P] flat pixel index in the next frame; 0 where not inside."""
    z: NDArray[np.float32]
    """[N - 1, P] expected depth in the next frame."""
    inside: NDArray[np.bool_]
    """[N - 1, P] valid, before the camera and within the picture, its first and last row apart."""


def carry(walk: Walk) -> Carried:
    """Carry a grid of points of each frame into the next one."""
    count, height, width = walk.depth.shape
    stride = max(1, -(-max(height, width) // POINTS_A_SIDE))
    ys, xs = np.mgrid[stride // 2 : height : stride, stride // 2 : width : stride].reshape(2, -1)
    origin = ys * width + xs
    depth = walk.depth[:-1].reshape(count - 1, -1)[:, origin].astype(np.float32)
    pixels = np.stack([xs + 0.5, ys + 0.5, np.ones(len(xs))])
    relative = np.linalg.inv(walk.pose[1:]) @ walk.pose[:-1]
    turned = relative[:, :3, :3] @ np.linalg.inv(walk.intrinsics[:-1])
    rays = turned.astype(np.float32) @ pixels.astype(np.float32)
    points = rays * depth[:, None] + (1000 * relative[:, :3, 3:]).astype(np.float32)
    z = points[:, 2]
    seen = (depth > 0) & (z > NEAR)
    projected = walk.intrinsics[1:].astype(np.float32) @ points
    safe = np.where(seen, z, np.float32(1))
    column, row = np.floor(projected[:, 0] / safe), np.floor(projected[:, 1] / safe)
    # What is around a pixel of the first or last row lies partly in another picture.
    inside = seen & (column >= 0) & (column < width) & (row >= 1) & (row < height - 1)
    target = np.where(inside, row * width + column, 0).astype(np.intp)
    return Carried(origin, target, z, inside)


def compare(walk: Walk, near: float, share: float, contrast: float) -> dict[str, float]:
    """How well neighbours agree, as shares over the whole walk; NaN where no point could be compared.

    `near` and `share` bound the depth difference that still counts as equal: max(near metres, share * z). `contrast`:
    mean spread of light in a frame.
    """
    carried = carry(walk)
    inside = carried.inside
    if not inside.any():
        return dict.fromkeys(COMPARED, float("nan"))
    low, high = surroundings(walk.depth[1:], carried.target)
    tolerance = np.maximum(np.float32(1000 * near), np.float32(share) * carried.z)
    through = inside & (low > carried.z + tolerance)
    hidden = inside & (high < carried.z - tolerance)
    agrees = inside & ~through & ~hidden
    ids = walk.semantic.reshape(len(walk.semantic), -1)[:-1, carried.origin]
    same_label = at(walk.semantic[1:], carried.target) == ids
    kept = float(same_label[agrees].mean()) if agrees.any() else float("nan")
    shares = {"depth_agrees": agrees.sum(), "seen_through": through.sum()}
    told = {name: float(count / inside.sum()) for name, count in shares.items()}
    return {**told, "labels_agree": kept, **light(blurred(walk.grey), carried, agrees, contrast)}


def light(grey: NDArray[np.uint8], carried: Carried, agrees: NDArray[np.bool_], contrast: float) -> dict[str, float]:
    """Change of light along carried points over that on the spot, and how much better a shift in time fits.

    `unsteady`, `leap`: that change between two frames, in units of the contrast: median and largest.
    """
    pairs = len(grey) - 1
    started = grey.reshape(len(grey), -1)[:, carried.origin].astype(np.int16)
    differs, alone = {}, {}
    for shift in SHIFTS:
        first, last = max(0, -shift), min(pairs, pairs - shift)
        moved, later = slice(first + shift, last + shift), slice(first + shift + 1, last + shift + 1)
        mask = agrees[first:last]
        here, spot = started[moved], started[later]
        there = at(grey[later], carried.target[first:last])
        still = float((np.abs(here - spot) * mask).sum())
        changed = (np.abs(here - there) * mask).sum(axis=1)
        differs[shift] = float(changed.sum()) / max(still, 1e-6) if mask.any() else float("nan")
        if shift == 0 and (enough := (count := np.count_nonzero(mask, axis=1)) >= MANY).any():
            each = changed[enough] / count[enough] / max(contrast, 1.0)
            alone = {"unsteady": float(np.median(each)), "leap": float(each.max())}
    return {"light_differs": differs[0], "light_shift": differs[0] - min(differs[-1], differs[1]), **alone}


def surroundings(depth: NDArray[np.uint16], target: NDArray[np.intp]) -> tuple[NDArray[np.uint16], NDArray[np.uint16]]:
    """[N, P] least and largest valid depth in the 3 x 3 pixels around [N, P] flat indices into [N, H, W].

    Where none is valid nothing can be said: the bounds take in every depth.
    """
    # Invalid depths are zero; to be the least of none, they wrap around to the largest.
    low = at(cv2.erode(tall(depth - np.uint16(1)), AROUND).reshape(depth.shape), target) + np.uint16(1)
    high = at(cv2.dilate(tall(depth), AROUND).reshape(depth.shape), target)
    return low, np.where(high == 0, np.uint16(FARTHEST), high)


def blurred(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """[N, H, W] each pixel the mean of the 3 x 3 around it; the first and last row as the ones beside them."""
    found = np.asarray(cv2.blur(tall(grey), (3, 3)), np.uint8).reshape(grey.shape)
    found[:, 0], found[:, -1] = found[:, 1], found[:, -2]
    return found


def at(pictures: NDArray[Any], target: NDArray[np.intp]) -> NDArray[Any]:
    """[N, P] of [N, H, W] at flat indices."""
    size = pictures.shape[1] * pictures.shape[2]
    return pictures.reshape(-1)[target + np.arange(0, len(pictures) * size, size)[:, None]]
