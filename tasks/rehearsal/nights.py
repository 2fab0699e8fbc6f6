"""The gate over many invented nights at once: the very test of `tasks.promote`, on arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tasks.promote.gate import design_for
from tasks.promote.guards import loss_bounds
from tasks.promote.sequential import SceneScores, follow, log_ratio
from tasks.promote.spec import Policy
from tasks.rehearsal.generators import Errors, Views
from tasks.scores import Bools, Floats

GUARD = "brier"
"""The guard that is rehearsed, where a generator draws it."""


@dataclass(frozen=True)
class Nights:
    """R nights, summed over their scenes."""

    scores: SceneScores
    """[R, S]"""
    guard: SceneScores | None
    naive: Floats
    """[R] two-sample t of all views, which knows neither pairs nor scenes; positive = the challenger is better."""
    paired: Floats
    """[R] paired t of all views, which knows no scenes."""


@dataclass(frozen=True)
class Outcome:
    """What the gate said of R nights."""

    promoted: Bools
    """[R]"""
    scenes: np.ndarray
    """[R] scenes that it looked at."""
    at_the_end: Bools
    """[R] whether the same test, looked at once with the whole sample, would have promoted."""


def summed(views: Views) -> Nights:
    """The sums that the gate works on, and the statistics that a naive analyst would compute."""
    champion, challenger, counted = views.champion, views.challenger, views.counted
    if counted is None:
        pairs = np.full(champion.shape[:2], float(champion.shape[2]))
    else:
        champion, challenger = champion * counted, challenger * counted
        pairs = counted.sum(axis=-1).astype(float)
    ratio = log_ratio(champion, challenger).sum(axis=-1, dtype=np.float64) / np.maximum(pairs, 1)
    scores = SceneScores(pairs, total(champion), total(challenger), ratio)
    guard = None
    if views.guard is not None:
        theirs, mine = views.guard
        guard = SceneScores(pairs, total(theirs), total(mine), ratio)
    return Nights(scores, guard, *naive_statistics(champion, challenger, scores))


def total(errors: Errors) -> Floats:
    """[R, S] sums over the views, in double precision."""
    return np.asarray(errors.sum(axis=-1, dtype=np.float64))


def naive_statistics(champion: Errors, challenger: Errors, scores: SceneScores) -> tuple[Floats, Floats]:
    """[R] the two t statistics over views as if all were independent."""

    def squares(errors: Errors) -> Floats:
        return np.asarray(np.einsum("rsv,rsv->r", errors, errors, dtype=np.float64))

    return statistics(
        scores.pairs.sum(axis=-1),
        scores.rival.sum(axis=-1),
        scores.challenger.sum(axis=-1),
        squares(champion),
        squares(challenger),
        squares(champion - challenger),
    )


def statistics(
    number: Floats, theirs: Floats, mine: Floats, their_squares: Floats, my_squares: Floats, between: Floats
) -> tuple[Floats, Floats]:
    """[R] two-sample and paired t of views from sums of errors, of their squares, and of squared differences."""
    theirs, mine = theirs / number, mine / number
    apart = their_squares + my_squares - number * (theirs**2 + mine**2)
    together = between - number * (theirs - mine) ** 2
    with np.errstate(divide="ignore", invalid="ignore"):
        t = [(theirs - mine) / np.sqrt(np.maximum(s, 0) / number / (number - 1)) for s in (apart, together)]
    return np.nan_to_num(t[0]), np.nan_to_num(t[1])


def rehearse(nights: Nights, policy: Policy) -> Outcome:
    """The gate's answer to every night."""
    scores = nights.scores
    course = follow(scores, design_for(policy, scores.scenes))
    stop = course.won | course.lost | course.hopeless
    last = len(course.scenes) - 1
    look = np.where(stop.any(axis=-1), stop.argmax(axis=-1), last)
    won = np.take_along_axis(course.won, look[:, None], axis=-1)[:, 0]
    used = course.scenes[look]
    held, unproven = guarded(nights, policy, used)
    used = np.where(won & unproven, scores.scenes, used)
    held_at_last, _ = guarded(nights, policy, np.full(len(used), scores.scenes))
    return Outcome(
        promoted=won & (held | (unproven & held_at_last)),
        scenes=used,
        at_the_end=course.won[:, last] & held_at_last,
    )


def guarded(nights: Nights, policy: Policy, used: np.ndarray) -> tuple[Bools, Bools]:
    """[R] whether the guard is proven after so many scenes, and whether nothing is known of it."""
    if nights.guard is None or GUARD not in policy.guards:
        return np.ones(len(used), dtype=bool), np.zeros(len(used), dtype=bool)
    margin = policy.guards[GUARD]
    _, low, high = loss_bounds(nights.guard, margin, policy)
    low, high = (np.take_along_axis(bound, used[:, None] - 1, axis=-1)[:, 0] for bound in (low, high))
    held, lost = low >= -margin, high < -margin
    return held, ~held & ~lost
