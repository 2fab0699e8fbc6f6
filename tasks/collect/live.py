"""How a collection goes while it runs: each walk's own figures, and the running ones that its progress tells."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from tasks.collect.simulator import Observation
from tasks.progress import Track


@dataclass(frozen=True)
class Walked:
    """What is told of an episode that is over. One that was not walked now (known, or not to be had) has no frames."""

    episode: str
    stratum: str = ""
    frames: int = 0
    replaced: int = 0
    """Attempts that gave no good walk."""
    depth: float = float("nan")
    """Mean over the pixels that have one, metres."""
    known: float = float("nan")
    """Share of the pixels that have a depth."""
    light: float = float("nan")
    """Mean brightness, 0..1."""


def walked(episode: str, stratum: str, frames: Sequence[Observation], replaced: int) -> Walked:
    """The figures of a walk; of one that was given up, with no frames, only how often it was tried."""
    if not frames:
        return Walked(episode, stratum, replaced=replaced)
    depth = np.stack([frame.depth for frame in frames])
    seen = depth[np.isfinite(depth) & (depth > 0)]
    return Walked(
        episode,
        stratum,
        len(frames),
        replaced,
        depth=float(seen.mean()) if len(seen) else float("nan"),
        known=len(seen) / depth.size,
        light=float(np.mean([frame.rgb.mean() for frame in frames])) / 255,
    )


@dataclass
class LiveCollection:
    """Takes in walks as they end, and says how it goes."""

    frames: int = 0
    kept: Counter[str] = field(default_factory=Counter)
    """Walks by stratum."""
    replaced: Counter[str] = field(default_factory=Counter)
    """Attempts that gave none, by stratum."""

    def hear(self, walk: Walked, seconds: float) -> dict[str, float]:
        """The figures to be told after a walk, `seconds` from the start.

        The last walk's depth, known depth and light; frames a second and the share of attempts that were kept, over
        all so far, also by stratum where any was not. Nothing where nothing was walked.
        """
        if not walk.frames and not walk.replaced:
            return {}
        self.frames += walk.frames
        self.kept[walk.stratum] += walk.frames > 0
        self.replaced[walk.stratum] += walk.replaced
        told = {"depth": walk.depth, "known_depth": walk.known, "light": walk.light} if walk.frames else {}
        if seconds > 0:
            told["frames_a_second"] = self.frames / seconds
        told["kept"] = self.kept.total() / (self.kept.total() + self.replaced.total())
        for stratum, count in sorted(self.replaced.items()):
            if count:
                told[f"kept_{stratum}"] = self.kept[stratum] / (self.kept[stratum] + count)
        return told


def telling(track: Track) -> Callable[[Walked], None]:
    """What is to be called with each walk: moves the track and tells how the collection goes."""
    live = LiveCollection()

    def tell(walk: Walked) -> None:
        track.advance(1, episode=walk.episode, **live.hear(walk, track.seconds))

    return tell
