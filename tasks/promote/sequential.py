"""The sequential test: evidence that grows scene by scene and may be looked at after any of them.

All arrays have the scenes as their last axis, in the order in which they are looked at; what stands before it (the
runs of a simulation) is carried along. One night of the gate is the case without such axes.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from tasks.scores import Bools, Floats

SLOPES = (1.0, 3.0, 9.0)
"""Three bettors: how soon each is sure of a sign. Their mean wealth is the evidence."""

BET = 0.98
"""Share of the wealth that a bettor puts on a scene at most."""

MOST_RATIO = 3.0
"""Where the logarithm of a view's error ratio is cut: a factor of 20."""

BOUND_SHARE = 1 / 3
"""Share of the night's level at which the plain mean's lower bound must hold: a small sample seldom shows how long the
tail of its losses is."""

FEWEST_FOR_SPREAD = 3
"""With fewer scenes nothing is said of their spread."""

SMALLEST_SKEW = 1e-6


@dataclass(frozen=True)
class SceneScores:
    """Paired errors of two systems, summed over each scene. An error is never negative; less is better."""

    pairs: Floats
    """[..., S] pairs (or views) that were counted."""
    rival: Floats
    """[..., S] sum of the rival's errors over them."""
    challenger: Floats
    """[..., S] sum of the challenger's."""
    ratio: Floats
    """[..., S] mean over the scene's views of `log_ratio`."""

    @property
    def scenes(self) -> int:
        """Number of scenes."""
        return self.pairs.shape[-1]

    def gains(self, minimum: float = 0.0) -> Floats:
        """[..., S] by how much the rival's errors, less the share `minimum`, exceed the challenger's."""
        return (1 - minimum) * self.rival - self.challenger


@dataclass(frozen=True)
class Design:
    """How the test looks and when it stops."""

    level: float
    """Chance of a false promotion."""
    keep_level: float
    """Chance of calling a better challenger worse."""
    reserve: float
    """Share of the rival's error that a win must exceed in the typical view: for what the sample may not show."""
    minimum_gain: float
    first: int
    """Scenes before the first look."""
    every: int

    def looks(self, scenes: int) -> np.ndarray:
        """Numbers of scenes after which the test looks; the last is the whole sample."""
        regular = np.arange(min(self.first, scenes), scenes, self.every)
        return np.append(regular, scenes)


def log_ratio(rival: np.ndarray, challenger: np.ndarray) -> Floats:
    """ln(rival / challenger) of two errors, cut at `MOST_RATIO`; 0 where both are 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.log(rival) - np.log(challenger)
    return np.asarray(np.clip(np.where(np.isnan(ratio), 0.0, ratio), -MOST_RATIO, MOST_RATIO))


LEAST_RESERVE, MOST_RESERVE = 0.125, 0.5
"""Of the default: a large sample is first looked at when little of it has been seen."""


def reserve_for(scenes: int) -> float:
    """The reserve of a sample of this size. It shrinks as the plain mean's own error does, within bounds."""
    return min(MOST_RESERVE, max(LEAST_RESERVE, 1 / scenes**0.5))


def advantage(scores: SceneScores, share: float) -> Floats:
    """[..., S] each scene's log ratio less that of a gain of `share`; 0 where nothing was counted."""
    return np.where(scores.pairs > 0, scores.ratio + np.log1p(-share), 0.0)


def stakes(advantage: Floats) -> list[Floats]:
    """What each bettor wins or loses of one unit: an odd and rising function of the advantage, within [-1, 1]."""
    return [np.tanh(slope * advantage) for slope in SLOPES]


def log_evidence(advantage: Floats) -> Floats:
    """[..., S] log of the wealth of bettors on advantages after each scene.

    Where each scene's advantage is, given the scenes before, symmetric about 0 or less, the stakes have expectation 0
    or less, and the wealth ever exceeds 1/a with chance a at most (Ville's inequality), however often and whenever it
    is looked at: I. Waudby-Smith, A. Ramdas, "Estimating means of bounded random variables by betting", JRSS B 86(1),
    2024, section 4; bets mixed as in their section 5; bets on signs as in A. Ramdas et al., "Admissible
    anytime-valid sequential inference must rely on nonnegative martingales", arXiv 2009.03167. Two models that could be
    swapped have such advantages, whatever their tails and however views hang together within a scene.
    """
    wealth = [np.cumsum(np.log1p(BET * stake), axis=-1) for stake in stakes(advantage)]
    return np.asarray(functools.reduce(np.logaddexp, wealth) - np.log(len(SLOPES)))


def bounds(gain: Floats, pairs: Floats, tail: float) -> tuple[Floats, Floats, Floats]:
    """Mean gain a pair and its one-sided bounds (low, high), each erring with chance `tail`, after each scene.

    The mean is a ratio of sums over scenes, linearised; the bounds are the wider of Student's and of Hall's, which
    corrects for skewness (P. Hall, "On the removal of skewness by transformation", JRSS B 54(1), 1992). Infinite where
    there are too few scenes to know their spread.
    """
    number = np.arange(1, gain.shape[-1] + 1)
    size = np.cumsum(pairs, axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.cumsum(gain, axis=-1) / size
        spread, skew = spread_and_skew(gain, pairs, mean)
        error = spread * np.sqrt(number) / size
    quantile = student(tail, gain.shape[-1])
    most, least = (hall(sign * quantile, skew, number) for sign in (1, -1))
    with np.errstate(invalid="ignore"):
        low = mean - error * np.maximum(most, quantile)
        high = mean - error * np.minimum(least, -quantile)
    unknown = (number < FEWEST_FOR_SPREAD) | ~np.isfinite(mean)
    return mean, np.where(unknown, -np.inf, low), np.where(unknown, np.inf, high)


def spread_and_skew(gain: Floats, pairs: Floats, mean: Floats) -> tuple[Floats, Floats]:
    """Standard deviation and skewness over scenes of `gain - mean * pairs`, after each scene."""
    number = np.arange(1, gain.shape[-1] + 1)

    def total(a: int, b: int) -> Floats:
        return np.asarray(np.cumsum(gain**a * pairs**b, axis=-1))

    second = total(2, 0) - 2 * mean * total(1, 1) + mean**2 * total(0, 2)
    third = total(3, 0) - 3 * mean * total(2, 1) + 3 * mean**2 * total(1, 2) - mean**3 * total(0, 3)
    spread = np.sqrt(np.maximum(second, 0.0) / np.maximum(number - 1, 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        skew = np.where(spread > 0, third / number / spread**3, 0.0)
    return spread, np.nan_to_num(skew)


def hall(quantile: Floats, skew: Floats, number: np.ndarray) -> Floats:
    """The value of Student's statistic at which Hall's cubic transform of it reaches a quantile."""
    slope = np.where(np.abs(skew) < SMALLEST_SKEW, SMALLEST_SKEW, skew) / np.sqrt(number)
    return np.asarray(3 / slope * (np.cbrt(1 + slope * (quantile - slope / 6)) - 1))


@functools.cache
def student(tail: float, scenes: int) -> Floats:
    """[S] quantile of Student's distribution that is exceeded with chance `tail`, after each number of scenes."""
    from scipy.stats import t

    return np.asarray(t.isf(tail, np.maximum(np.arange(scenes), 1)))


@dataclass(frozen=True)
class Course:
    """What the test saw at its L looks. The first two of three reasons to stop may be both reached; a win counts."""

    scenes: np.ndarray
    """[L]"""
    evidence: Floats
    """[..., L] log evidence for a gain, the most so far."""
    against: Floats
    """[..., L] log evidence that there is none, the most so far."""
    gain: Floats
    """[..., L] mean gain a pair beyond the minimum"""
    low: Floats
    """[..., L] its lower bound at the night's level."""
    won: Bools
    """[..., L]"""
    lost: Bools
    """[..., L]"""
    hopeless: Bools
    """[..., L] whether even a lucky rest of the sample would not do."""


def follow(scores: SceneScores, design: Design) -> Course:
    """The whole course of the test over a sample, as if it never stopped.

    A win needs the evidence of the typical view and a plain mean whose lower bound is positive too: rare scenes that
    cost much hide from the first, and most of the skewness of the gains from neither.
    """
    ahead = advantage(scores, 1 - (1 - design.minimum_gain) * (1 - design.reserve))
    looks = design.looks(scores.scenes)
    at = looks - 1
    up, down = log_evidence(ahead), log_evidence(-advantage(scores, design.minimum_gain))
    most, least = (np.maximum.accumulate(e, axis=-1)[..., at] for e in (up, down))
    gain, low, _ = bounds(scores.gains(design.minimum_gain), scores.pairs, BOUND_SHARE * design.level)
    return Course(
        scenes=looks,
        evidence=most,
        against=least,
        gain=gain[..., at],
        low=low[..., at],
        won=(most >= -np.log(design.level)) & (low[..., at] > 0),
        lost=least >= -np.log(design.keep_level),
        hopeless=hopeless(ahead, design, at),
    )


def hopeless(ahead: Floats, design: Design, at: np.ndarray) -> Bools:
    """[..., L] whether the evidence would stay too small although the rest went two standard errors better than so far.

    Stopping so can only keep a champion: the error rate of promotions is untouched whatever this rule says.
    """
    scenes = ahead.shape[-1]
    number = at + 1
    reached = []
    for stake in stakes(ahead):
        mean = np.cumsum(stake, axis=-1)[..., at] / number
        variance = np.maximum(np.cumsum(stake**2, axis=-1)[..., at] / number - mean**2, 0.0)
        lucky = np.minimum(mean + 2 * np.sqrt((variance + 1 / number) / number), 1.0)
        growth = np.log1p(BET * lucky) - BET**2 * variance / (2 * (1 + BET * lucky) ** 2)
        now = np.cumsum(np.log1p(BET * stake), axis=-1)[..., at]
        reached.append(now + (scenes - number) * np.maximum(growth, 0.0))
    hoped = functools.reduce(np.logaddexp, reached) - np.log(len(SLOPES))
    return np.asarray(hoped < -np.log(design.level))
