"""False promotions in a row of nights, power against gain, and scenes saved: counted over invented nights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass

import numpy as np

from tasks.promote.spec import Policy
from tasks.rehearsal.foreign import Foreign, drawn
from tasks.rehearsal.generators import GENERATORS, Generator
from tasks.rehearsal.nights import Nights, Outcome, rehearse, summed
from tasks.scores import Bools

AT_ONCE = 2400
"""Nights drawn at once: forty rows of sixty, about 100 MB."""

NAIVE_ALPHA = 0.05
"""Level of the naive tests in each night, as who knows no better takes it."""

GAINS = (0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7)


@dataclass(frozen=True)
class Rows:
    """Rows of nights in which both models are equal."""

    generator: str
    scenes: int
    rows: int
    false: float
    """Share of the rows with a false promotion."""
    high: float
    """Upper 95 % bound of that share."""
    naive: float
    """The same of the two-sample t-test of all views at 0.05 a night."""
    paired: float
    """The same of the paired t-test of all views at 0.05 a night."""
    looked_at: float
    """Mean number of scenes."""


@dataclass(frozen=True)
class Power:
    """Nights in which the challenger is better by a true gain."""

    scenes: int
    runs: int
    gain: float
    promoted: float
    at_the_end: float
    """The same test with one look at the whole sample."""
    looked_at: float
    saved: float
    """Share of the scenes that were not looked at."""
    naive: float
    """Two-sample t-test of all views at 0.05 a night."""
    naive_same: float
    """The same at the gate's own level a night."""


@dataclass(frozen=True)
class Counted:
    """All nights of a point."""

    outcome: Outcome
    naive: np.ndarray
    paired: np.ndarray


def played(source: Iterator[Nights], policy: Policy) -> Counted:
    """The gate's answers to all nights of a source, in order."""
    outcomes, naive, paired = [], [], []
    for nights in source:
        outcomes.append(rehearse(nights, policy))
        naive.append(nights.naive)
        paired.append(nights.paired)
    joined = Outcome(**{name: np.concatenate([getattr(o, name) for o in outcomes]) for name in asdict(outcomes[0])})
    return Counted(joined, np.concatenate(naive), np.concatenate(paired))


def source(generator: Generator, seed: int, nights: int, scenes: int, gain: float) -> Iterator[Nights]:
    """Nights of a generator of ours, in blocks that memory can hold."""
    rng = np.random.default_rng(seed)
    for start in range(0, nights, AT_ONCE):
        yield summed(generator(rng, min(AT_ONCE, nights - start), scenes, gain))


def equal_rows(name: str, scenes: int, policy: Policy, rows: int, seed: int, foreign: Foreign | None = None) -> Rows:
    """Rows of `policy.nights` nights of equal models."""
    nights = rows * policy.nights
    if foreign is not None:
        counted = played(drawn(foreign, np.random.default_rng(seed), nights, 0.0), policy)
    else:
        counted = played(source(GENERATORS[name][0], seed, nights, scenes, 0.0), policy)
    beyond = quantile(NAIVE_ALPHA)
    false = share_of_rows(counted.outcome.promoted, policy.nights)
    return Rows(
        generator=name,
        scenes=scenes,
        rows=rows,
        false=false,
        high=upper(false, rows),
        naive=share_of_rows(counted.naive > beyond, policy.nights),
        paired=share_of_rows(counted.paired > beyond, policy.nights),
        looked_at=float(counted.outcome.scenes.mean()),
    )


def power(
    name: str, scenes: int, policy: Policy, runs: int, gain: float, seed: int, foreign: Foreign | None = None
) -> Power:
    """Nights with one true gain."""
    if foreign is not None:
        counted = played(drawn(foreign, np.random.default_rng(seed), runs, gain), policy)
    else:
        counted = played(source(GENERATORS[name][0], seed, runs, scenes, gain), policy)
    looked_at = float(counted.outcome.scenes.mean())
    return Power(
        scenes=scenes,
        runs=runs,
        gain=gain,
        promoted=float(counted.outcome.promoted.mean()),
        at_the_end=float(counted.outcome.at_the_end.mean()),
        looked_at=looked_at,
        saved=1 - looked_at / scenes,
        naive=float((counted.naive > quantile(NAIVE_ALPHA)).mean()),
        naive_same=float((counted.naive > quantile(policy.level)).mean()),
    )


def share_of_rows(promoted: Bools, nights: int) -> float:
    """Share of the rows of nights with at least one."""
    return float(promoted.reshape(-1, nights).any(axis=1).mean())


def upper(share: float, number: int) -> float:
    """Exact upper 95 % bound of a share (Clopper and Pearson)."""
    from scipy.stats import beta

    hits = round(share * number)
    return 1.0 if hits == number else float(beta.ppf(0.95, hits + 1, number - hits))


def quantile(tail: float) -> float:
    """Normal quantile."""
    from statistics import NormalDist

    return NormalDist().inv_cdf(1 - tail)
