"""A way out for a follower that no single step brings nearer: search over the places that steps and turns reach."""

from __future__ import annotations

import heapq
from itertools import count

import numpy as np

from tasks.collect.simulator import DistanceField
from tasks.collect.walking import Stance, Walker

SPAN = 4
"""Steps worth of distance that a detour must gain before the follower takes over again."""
MOST = 4000
"""Places that are looked at before the search is given up."""
TILE = 0.05
"""Metres within which two places count as one."""


def detour(walker: Walker, field: DistanceField) -> list[int] | None:
    """Turns (positive: left) before each of the steps that lead round; None where the search finds no way."""
    start = walker.stance
    wanted = max(float(field.at(start.position[None])[0]) - SPAN * walker.step, walker.step)
    around = round(np.pi / walker.turn)
    turns = np.arange(-around + 1, around + 1)
    order = count()
    queue: list[tuple[float, int, Stance, list[int]]] = [(0.0, next(order), start, [])]
    seen = {tile(start)}
    while queue and len(seen) < MOST:
        _, _, stance, taken = heapq.heappop(queue)
        places = np.stack([walker_at(walker, stance).ahead(stance.heading + t * walker.turn) for t in turns])
        for turn, place, left in zip(turns.tolist(), places, field.at(places), strict=True):
            ahead = Stance(place, stance.heading + turn * walker.turn)
            if not np.isfinite(left) or tile(ahead) in seen or not walker.simulator.is_clear(stance.position, place):
                continue
            seen.add(tile(ahead))
            way = [*taken, turn]
            if left <= wanted:
                return way
            heapq.heappush(queue, (len(way) * walker.step + float(left), next(order), ahead, way))
    return None


def walker_at(walker: Walker, stance: Stance) -> Walker:
    """The same walker elsewhere."""
    return Walker(walker.simulator, stance, walker.step, walker.turn, walker.most)


def tile(stance: Stance) -> tuple[int, ...]:
    """The cell that a place counts as."""
    return tuple(np.round(stance.position / TILE).astype(int).tolist())
