"""Statistics of features as LeRobot keeps them: least, most, mean, deviation, count and quantiles."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

QUANTILES = {"q01": 0.01, "q10": 0.10, "q50": 0.50, "q90": 0.90, "q99": 0.99}

Statistics = dict[str, list]
"""Name of a statistic -> its values, nested as the feature is."""


def of_vectors(values: NDArray[np.float64]) -> Statistics:
    """Of [n, d] values, per column."""
    quantiles = {name: np.quantile(values, share, axis=0) for name, share in QUANTILES.items()}
    found = {
        "min": values.min(axis=0),
        "max": values.max(axis=0),
        "mean": values.mean(axis=0),
        "std": values.std(axis=0),
        **quantiles,
    }
    return {name: np.asarray(value, dtype=np.float64).tolist() for name, value in found.items()} | {
        "count": [len(values)]
    }


@dataclass
class PixelCounts:
    """How often each value occurs in each channel of images: exact statistics in a memory that does not grow."""

    channels: int
    levels: int
    """Values are 0 .. levels - 1."""
    images: int = 0
    counts: NDArray[np.int64] = field(init=False)
    """[channels, levels]."""

    def __post_init__(self) -> None:
        self.counts = np.zeros((self.channels, self.levels), dtype=np.int64)

    def add(self, images: NDArray[np.unsignedinteger]) -> None:
        """Count the pixels of [n, H, W, channels]."""
        self.images += len(images)
        for channel in range(self.channels):
            self.counts[channel] += np.bincount(images[..., channel].ravel(), minlength=self.levels)

    def statistics(self, unit: float) -> Statistics:
        """Values divided by `unit`, each in the shape (channels, 1, 1)."""
        levels, total = np.arange(self.levels), self.counts.sum(axis=1, keepdims=True)
        mean = (self.counts * levels).sum(axis=1, keepdims=True) / total
        deviation = np.sqrt((self.counts * (levels - mean) ** 2).sum(axis=1, keepdims=True) / total)
        upto = np.cumsum(self.counts, axis=1) / total
        found = {
            "min": (self.counts > 0).argmax(axis=1),
            "max": self.levels - 1 - (self.counts[:, ::-1] > 0).argmax(axis=1),
            "mean": mean[:, 0],
            "std": deviation[:, 0],
            **{name: (upto >= share - 1e-12).argmax(axis=1) for name, share in QUANTILES.items()},
        }
        shaped = {name: (value / unit).reshape(-1, 1, 1).tolist() for name, value in found.items()}
        return shaped | {"count": [self.images]}
