"""What a sampler may look at: the frames before the current one, and nothing after."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Self

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Past:
    """The n frames seen so far, in order of time. Each sampler says which of them it reads; the others may be None."""

    count: int
    """n"""
    pose: NDArray[np.float64] | None = None
    """[n, 4, 4] camera-to-world, OpenCV; metres, or up to scale."""
    depth: NDArray[np.float32] | None = None
    """[n, H, W] z-depth in the poses' unit; 0 = invalid."""
    intrinsics: NDArray[np.float64] | None = None
    """[n, 3, 3] pixels."""
    rgb: NDArray[np.uint8] | None = None
    """[n, H, W, 3]."""
    confidence: NDArray[np.float32] | None = None
    """[n, H, W] of the depth, the more the better; None = all the same."""

    def before(self, current: int) -> Self:
        """The frames 0 .. current - 1 alone: cut a whole walk with this, so that no later frame can be picked."""
        cut = {f.name: getattr(self, f.name) for f in fields(self)}
        return type(self)(
            **{n: None if v is None else v[:current] for n, v in cut.items() if n != "count"}, count=current
        )
