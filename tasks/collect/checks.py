"""What a recorded walk must not be; one that is gets replaced by the next seed, and is counted under its reason."""

from __future__ import annotations

import numpy as np

from tasks.collect.simulator import Observation
from tasks.collect.walking import Stance

DARKEST = 10.0
"""Mean of RGB (0..255) below which a frame is black."""
NOSE = 0.4
"""Median z-depth in metres below which a frame shows only what is before the nose."""
NOSE_SHARE = 0.15
HOLES = 0.01
"""Share of pixels without depth above which a frame has holes."""


def black(frames: list[Observation]) -> bool:
    """Whether any frame is black."""
    return any(float(frame.rgb.mean()) < DARKEST for frame in frames)


def nose_at_wall(frames: list[Observation]) -> bool:
    """Whether too many frames show nothing but a near surface."""
    near = [float(np.median(frame.depth)) < NOSE for frame in frames]
    return sum(near) > NOSE_SHARE * len(frames)


def holed(frames: list[Observation]) -> bool:
    """Whether any frame misses depth."""
    return any(float(np.mean(~(frame.depth > 0))) > HOLES for frame in frames)


def stuck(stances: list[Stance], step: float) -> bool:
    """Whether the walk covered less than four steps of floor."""
    places = np.stack([stance.position for stance in stances])
    return float(np.linalg.norm(np.diff(places, axis=0), axis=1).sum()) < 4 * step


def repeated(stances: list[Stance]) -> bool:
    """Whether an action changed nothing."""
    rows = np.stack([np.append(stance.position, stance.heading) for stance in stances])
    return bool((np.abs(np.diff(rows, axis=0)).max(axis=1) < 1e-9).any())


def fault(stances: list[Stance], step: float) -> str | None:
    """What is wrong with a planned walk, before anything is rendered."""
    if stuck(stances, step):
        return "stuck"
    return "repeated pose" if repeated(stances) else None


def fault_of_frames(frames: list[Observation]) -> str | None:
    """What is wrong with the pictures of a walk."""
    checks = {"black frame": black, "depth holes": holed, "nose at the wall": nose_at_wall}
    return next((reason for reason, check in checks.items() if check(frames)), None)
