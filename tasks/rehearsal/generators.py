"""Invented nights: paired errors by view and scene, like real ones or worse, of two models whose true gain is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.scores import Bools

Errors = NDArray[np.float32]


@dataclass(frozen=True)
class Views:
    """R nights of S scenes with at most V views each. Errors are never negative."""

    champion: Errors
    """[R, S, V]"""
    challenger: Errors
    counted: Bools | None = None
    """[R, S, V] which views there are; None = all."""
    guard: tuple[Errors, Errors] | None = None
    """[R, S, V] the champion's and the challenger's squared error of visibility; None = not drawn."""


Generator = Callable[[np.random.Generator, int, int, float], Views]
"""`(rng, nights, scenes, gain)`: the challenger's expected error is 1 - gain times the champion's."""

VIEWS = 10
"""Views a scene, as in the preset tiny."""

MEAN = 0.05
"""Typical KLD of a champion, nats."""

VIEW_SPREAD, SCENE_SPREAD, SHARED, OWN_SCENE = 1.18, 0.20, 0.84, 0.09
"""Of the log of a view's KLD: spread among the views of a scene and among scenes, correlation of two models over the
views, spread of their log ratio among scenes; `backsight bench gate --fit` on two real nights (docs/promotion.md)."""

BRIER_SHARE, BRIER_SPREAD = 0.1, 1.0
"""A view's squared error of visibility as a share of its KLD, and the spread of that share's log."""


def normal(rng: np.random.Generator, *shape: int) -> Errors:
    """Standard normal draws."""
    return rng.standard_normal(shape, dtype=np.float32)


def like_real(
    rng: np.random.Generator, nights: int, scenes: int, gain: float, views: int = VIEWS, own_scene: float = OWN_SCENE
) -> Views:
    """Two models as the real ones are: skewed errors, hard and easy views in common, each with luck of its own."""
    common = SCENE_SPREAD * normal(rng, nights, scenes, 1)
    common = common + VIEW_SPREAD * SHARED**0.5 * normal(rng, nights, scenes, views)

    def one(factor: float) -> Errors:
        own = normal(rng, nights, scenes, views)
        own *= VIEW_SPREAD * (1 - SHARED) ** 0.5
        own += common
        own += own_scene / 2**0.5 * normal(rng, nights, scenes, 1)
        np.exp(own, out=own)
        own *= np.float32(MEAN * factor)
        return own

    return Views(one(1.0), one(1.0 - gain))


def with_brier(rng: np.random.Generator, nights: int, scenes: int, gain: float) -> Views:
    """The same with a second metric that is large where the first is."""
    drawn = like_real(rng, nights, scenes, gain)
    share = np.exp(BRIER_SPREAD * normal(rng, nights, scenes, VIEWS)) * np.float32(BRIER_SHARE)
    champion, challenger = (np.minimum(errors * share, 1.0) for errors in (drawn.champion, drawn.challenger))
    return Views(drawn.champion, drawn.challenger, guard=(champion, challenger))


def same_scenes(rng: np.random.Generator, nights: int, scenes: int, gain: float, row: int = 60) -> Views:
    """The champion's errors stay for a row of nights, as they do where the held-out scenes are the same each night."""
    drawn = like_real(rng, nights, scenes, gain)
    first = np.arange(nights) // row * row
    common = drawn.champion[first] / drawn.champion
    return Views(drawn.champion[first], drawn.challenger * common ** np.float32(SHARED))


def rare_failures(rng: np.random.Generator, nights: int, scenes: int, gain: float) -> Views:
    """Two views in a hundred fail in each model, forty times worse than usual."""
    drawn = like_real(rng, nights, scenes, gain)
    for errors, factor in ((drawn.champion, 1.0), (drawn.challenger, 1 - gain)):
        errors += (rng.random(errors.shape, dtype=np.float32) < 0.02) * np.float32(40 * MEAN * factor)
    return drawn


def failing_scenes(rng: np.random.Generator, nights: int, scenes: int, gain: float) -> Views:
    """One scene in twenty fails as a whole, in each model on its own, ten times worse than usual."""
    drawn = like_real(rng, nights, scenes, gain)
    for errors, factor in ((drawn.champion, 1.0), (drawn.challenger, 1 - gain)):
        errors += (rng.random((nights, scenes, 1), dtype=np.float32) < 0.05) * np.float32(10 * MEAN * factor)
    return drawn


def uneven_scenes(rng: np.random.Generator, nights: int, scenes: int, gain: float) -> Views:
    """Three scenes in ten have twenty views, the others three; the challenger is better in small, worse in large."""
    drawn = like_real(rng, nights, scenes, gain, views=20)
    large = rng.random((nights, scenes, 1)) < 0.3
    better, small, big = 0.3, 0.7 * 3, 0.3 * 20
    factor = np.where(large, 1 + better * small / big, 1 - better).astype(np.float32)
    return Views(drawn.champion, drawn.challenger * factor, np.arange(20) < np.where(large, 20, 3))


def ties(rng: np.random.Generator, nights: int, scenes: int, gain: float) -> Views:
    """In seven scenes of ten both models err alike."""
    drawn = like_real(rng, nights, scenes, gain)
    same = rng.random((nights, scenes, 1)) < 0.7
    alike = np.asarray(np.where(same, drawn.champion * np.float32(1 - gain), drawn.challenger), np.float32)
    return Views(drawn.champion, alike)


def heteroscedastic(rng: np.random.Generator, nights: int, scenes: int, gain: float) -> Views:
    """Scenes differ in scale by a factor of e, up and down."""
    drawn = like_real(rng, nights, scenes, gain)
    scale = np.exp(normal(rng, nights, scenes, 1))
    return Views(drawn.champion * scale, drawn.challenger * scale)


def heavy_tails(rng: np.random.Generator, nights: int, scenes: int, gain: float) -> Views:
    """Each model's luck with a scene is large: the log ratio spreads by 0.8 among scenes."""
    return like_real(rng, nights, scenes, gain, own_scene=0.8)


def lucky_many(rng: np.random.Generator, nights: int, scenes: int, gain: float) -> Views:
    """A fifth better in most views, but far worse in one of fifty: no gain on the whole, skewed against the eye."""
    drawn = like_real(rng, nights, scenes, 0.2)
    usual = float(drawn.champion.mean())
    failing = rng.random(drawn.challenger.shape, dtype=np.float32) < 0.02
    errors = (drawn.challenger + failing * np.float32(0.2 * usual / 0.02)) * np.float32(1 - gain)
    return Views(drawn.champion, np.asarray(errors, np.float32))


def skewed_scenes(rng: np.random.Generator, nights: int, scenes: int, gain: float) -> Views:
    """The challenger's luck with a scene is a lognormal factor of mean 1: better in six scenes of ten, no gain."""
    drawn = like_real(rng, nights, scenes, gain, own_scene=0.0)
    spread = 0.5
    factor = np.exp(spread * normal(rng, nights, scenes, 1) - np.float32(spread**2 / 2))
    return Views(drawn.champion, np.asarray(drawn.challenger * factor, np.float32))


def hidden_disaster(rng: np.random.Generator, nights: int, scenes: int, gain: float) -> Views:
    """A fifth better, but lost in one scene of thirty: no gain on the whole, and most samples hold no such scene."""
    drawn = like_real(rng, nights, scenes, 0.2)
    lost = rng.random((nights, scenes, 1), dtype=np.float32) < 1 / 30
    errors = (drawn.challenger + lost * np.float32(0.2 * 30 * float(drawn.champion.mean()))) * np.float32(1 - gain)
    return Views(drawn.champion, np.asarray(errors, np.float32))


GENERATORS: dict[str, tuple[Generator, str]] = {
    "like real": (like_real, "the fitted model"),
    "two metrics": (with_brier, "with visibility, large where KLD is"),
    "same scenes": (same_scenes, "one champion's errors for all sixty nights"),
    "rare failures": (rare_failures, "2 % of views 40 times worse, in both"),
    "failing scenes": (failing_scenes, "5 % of scenes 10 times worse, in both"),
    "uneven scenes": (uneven_scenes, "3 or 20 views; better in small scenes, worse in large"),
    "ties": (ties, "70 % of scenes alike"),
    "heteroscedastic": (heteroscedastic, "scenes differ in scale by e"),
    "heavy tails": (heavy_tails, "log ratio spreads by 0.8 among scenes"),
    "lucky many": (lucky_many, "20 % better in most views, far worse in 2 %"),
    "skewed scenes": (skewed_scenes, "lognormal factor, better in 60 % of scenes"),
    "hidden disaster": (hidden_disaster, "20 % better, but lost in one scene of thirty"),
}
"""Name -> generator, and what is nasty about it. With gain 0 both models have the same expected error."""

BEYOND = ("hidden disaster",)
"""What no test can tell from a gain with so few scenes; left out of the table unless asked for."""
