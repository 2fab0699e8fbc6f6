"""Whether two samples of scenes come from one distribution: MMD of groups of features decides, KS and PSI explain.

Frames of one walk, and walks of one building, are not independent: the unit here is the scene, whose features are
averages over its frames, and permutations exchange whole scenes. Groups decide, at p-values corrected by Holm; single
features only explain, at p-values corrected by Benjamini and Hochberg.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.errors import DataError

Floats = NDArray[np.float64]

LEAST_SCENES = 4
"""Of each side. With fewer not even the clearest difference could be told from an accident."""

BINS = 10


@dataclass(frozen=True)
class Group:
    """Features that are judged together."""

    names: tuple[str, ...]
    values: Floats
    """[scenes, features]."""


Sample = Mapping[str, Group]
"""Name -> group; all groups over the same scenes."""


@dataclass(frozen=True)
class GroupDrift:
    """How far a group moved."""

    group: str
    effect: float
    """MMD, the root of the unbiased estimate (0 where that is negative); at most 1.41."""
    p: float
    """Of the permutation test."""
    corrected: float
    """By Holm, over the groups."""


@dataclass(frozen=True)
class FeatureDrift:
    """How far one feature moved."""

    group: str
    feature: str
    before: float
    after: float
    """Means."""
    ks: float
    """Largest distance of the two distribution functions."""
    psi: float
    """Population stability index, less what it would be for equal distributions."""
    p: float
    corrected: float
    """By Benjamini and Hochberg, over all features."""


@dataclass(frozen=True)
class DriftReport:
    """All that was compared."""

    scenes: tuple[int, int]
    """Of the reference and of the newest data."""
    groups: tuple[GroupDrift, ...]
    """Least probable first."""
    features: tuple[FeatureDrift, ...]
    """Least probable first."""

    @property
    def most(self) -> GroupDrift:
        """The group that moved most certainly, and of equally certain ones the farthest."""
        return self.groups[0]

    def lines(self, features: int = 5) -> list[str]:
        """In words: every group, and the features that moved most."""
        told = [f"{g.group}: MMD {g.effect:.3f}, p {g.p:.3g}, corrected {g.corrected:.3g}" for g in self.groups]
        moved = [
            f"{f.group}.{f.feature}: {f.before:.3g} -> {f.after:.3g}, KS {f.ks:.2f}, PSI {f.psi:.2f}, "
            f"corrected p {f.corrected:.2g}"
            for f in self.features[:features]
        ]
        return [f"{self.scenes[0]} scenes of the reference, {self.scenes[1]} of the newest data", *told, *moved]


def compare(reference: Sample, newest: Sample, permutations: int, seed: int) -> DriftReport:
    """All tests of two samples. `DataError` where they have other groups or features, or too few scenes."""
    require_comparable(reference, newest)
    draw = np.random.default_rng(seed)
    sizes = tuple(len(next(iter(sample.values())).values) for sample in (reference, newest))
    raw = {name: mmd(reference[name].values, newest[name].values, permutations, draw) for name in sorted(reference)}
    holm = dict(zip(raw, holm_corrected([p for _, p in raw.values()]), strict=True))
    groups = [GroupDrift(name, effect, p, holm[name]) for name, (effect, p) in raw.items()]
    return DriftReport(
        scenes=(sizes[0], sizes[1]),
        groups=tuple(sorted(groups, key=lambda g: (g.corrected, -g.effect))),
        features=tuple(sorted(each_feature(reference, newest), key=lambda f: (f.p, -f.ks))),
    )


def require_comparable(reference: Sample, newest: Sample) -> None:
    """Refuse what cannot be compared, in a sentence."""
    shapes = [{name: group.names for name, group in sample.items()} for sample in (reference, newest)]
    if shapes[0] != shapes[1]:
        other = sorted(
            name for name in shapes[0].keys() | shapes[1].keys() if shapes[0].get(name) != shapes[1].get(name)
        )
        raise DataError(f"Reference and newest data have other features in {', '.join(other)}: they do not compare.")
    for what, sample in (("reference", reference), ("newest data", newest)):
        count = len(next(iter(sample.values())).values)
        if count < LEAST_SCENES:
            raise DataError(
                f"The {what} has {count} scenes to compare, at least {LEAST_SCENES} are needed: collect more."
            )


def mmd(before: Floats, after: Floats, permutations: int, draw: np.random.Generator) -> tuple[float, float]:
    """(effect, p) of two samples of scenes, by a Gaussian kernel at the median distance of standardised features.

    A. Gretton et al., "A Kernel Two-Sample Test", JMLR 13 (2012): the unbiased estimate of its lemma 6.
    """
    from scipy.spatial.distance import pdist, squareform

    both = standardised(np.vstack([before, after]))
    distances = squareform(pdist(both))
    positive = distances[distances > 0]
    if len(positive) == 0:
        return 0.0, 1.0
    kernel = np.exp(-(distances**2) / (2 * np.median(positive) ** 2))
    count, size = len(before), len(both)
    chosen = np.zeros((permutations + 1, size))
    chosen[0, :count] = 1
    for row in chosen[1:]:
        row[draw.permutation(size)[:count]] = 1
    values = unbiased(kernel, chosen)
    p = float((1 + np.count_nonzero(values[1:] >= values[0] - 1e-12)) / (permutations + 1))
    return float(np.sqrt(max(values[0], 0.0))), p


def unbiased(kernel: Floats, chosen: Floats) -> Floats:
    """[P] unbiased squared MMD for each way (a row of ones and zeros) of dividing the scenes in two."""
    other = 1 - chosen
    off = kernel - np.diag(np.diag(kernel))
    n, m = chosen.sum(axis=1), other.sum(axis=1)
    within = ((chosen @ off) * chosen).sum(axis=1) / (n * (n - 1)) + ((other @ off) * other).sum(axis=1) / (m * (m - 1))
    across = ((chosen @ off) * other).sum(axis=1) / (n * m)
    return np.asarray(within - 2 * across)


def standardised(values: Floats) -> Floats:
    """Each feature by median and spread of both samples together; a feature that never varies becomes zero."""
    middle = np.median(values, axis=0)
    spread = values.std(axis=0)
    return np.where(spread > 1e-12, (values - middle) / np.where(spread > 1e-12, spread, 1.0), 0.0)


def holm_corrected(p: Sequence[float]) -> list[float]:
    """p-values that hold for all tests together (S. Holm, Scandinavian Journal of Statistics 6, 1979)."""
    order = np.argsort(p, kind="stable")
    scaled = np.asarray(p)[order] * (len(p) - np.arange(len(p)))
    corrected = np.empty(len(p))
    corrected[order] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return corrected.tolist()


def each_feature(reference: Sample, newest: Sample) -> list[FeatureDrift]:
    """Every single feature's tests."""
    from scipy.stats import false_discovery_control, ks_2samp

    found = []
    for group in sorted(reference):
        for column, feature in enumerate(reference[group].names):
            a, b = reference[group].values[:, column], newest[group].values[:, column]
            test = ks_2samp(a, b)
            found.append(
                (group, feature, float(a.mean()), float(b.mean()), float(test.statistic), psi(a, b), test.pvalue)
            )
    p = np.array([row[-1] for row in found])
    corrected = false_discovery_control(p).tolist()
    return [FeatureDrift(*row[:6], p=float(row[6]), corrected=c) for row, c in zip(found, corrected, strict=True)]


def psi(before: Floats, after: Floats) -> float:
    """Population stability index over bins that hold equal shares of `before`, less its expectation under no change.

    That expectation is (bins - 1)(1/n + 1/m) (B. Yurdakul, "Statistical Properties of Population Stability Index",
    2018); with few scenes the plain index calls everything drift.
    """
    edges = np.unique(np.quantile(before, np.linspace(0, 1, BINS + 1)[1:-1]))
    shares = []
    for sample in (before, after):
        counts = np.bincount(np.searchsorted(edges, sample, side="right"), minlength=len(edges) + 1)
        shares.append((counts + 0.5) / (counts.sum() + 0.5 * len(counts)))
    raw = float(((shares[1] - shares[0]) * np.log(shares[1] / shares[0])).sum())
    return max(0.0, raw - len(edges) * (1 / len(before) + 1 / len(after)))
