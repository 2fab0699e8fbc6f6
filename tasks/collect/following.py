"""Walks that follow a given path: the reference path of a public episode, from its start in its first direction."""

from __future__ import annotations

import numpy as np

from tasks.collect.given import GivenEpisode
from tasks.collect.simulator import Points, Simulator
from tasks.collect.strata import Manner, Walk
from tasks.collect.walking import Stance, Walker

APART = 0.75
"""Metres between the corners that a walk heads for; a path that was recorded step by step has more."""
UNREACHABLE = "unreachable goal"
PASSED = 0.4
"""Metres from a corner at which the walk heads for the next one."""


def follow(simulator: Simulator, manner: Manner, given: GivenEpisode) -> Walk | str:
    """The walk along an episode's path, or in a few words why there is none."""
    start, goal = np.array(given.start), np.array(given.goal)
    if not np.isfinite(simulator.distances_to(goal).at(start[None])[0]):
        return UNREACHABLE
    walker = Walker(simulator, Stance(start, given.heading), manner.step, manner.turn, manner.steps)
    corners = thinned(np.array(given.path))
    for corner in corners[1:-1]:
        walker.follow(simulator.distances_to(corner), until=PASSED)
    arrived = walker.follow(simulator.distances_to(goal))
    if not walker.left:
        return "longer than collect.steps"
    if not arrived and np.linalg.norm(walker.stance.position - goal) > given.radius:
        return "path cannot be followed"
    return Walk(tuple(walker.finish()), goal)


def thinned(path: Points) -> Points:
    """[n, 3] the path's ends, and of its other corners those at least `APART` from the one kept before."""
    kept, gone = [0], 0.0
    for i in range(1, len(path) - 1):
        gone += float(np.linalg.norm(path[i] - path[i - 1]))
        if gone >= APART:
            kept.append(i)
            gone = 0.0
    return path[[*kept, len(path) - 1]]
