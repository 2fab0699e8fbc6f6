"""Pretraining's questions: a text that names a category, and the pixels of the current view that show it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

TEMPLATE = "Where is the {}?"

LEAST_SHARE = 0.005
"""Share of the pixels from which on a category may be asked for as something that is in view."""

ABSENT_SHARE = 0.2
"""How often the question names something of the scene that is not in view: the answer is the none bin."""


@dataclass(frozen=True)
class Question:
    """A question about one view."""

    text: str
    mask: NDArray[np.bool_]
    """[H, W] pixels of the thing; all False where it is not in view."""


def ask(semantic: NDArray[np.uint16], categories: Mapping[int, str], draw: Generator) -> Question | None:
    """A question about a view with these semantic ids; None where nothing of a known category is in view."""
    ids, counts = np.unique(semantic, return_counts=True)
    shares: dict[str, float] = {}
    for number, count in zip(ids.tolist(), counts.tolist(), strict=True):
        if number in categories:
            shares[categories[number]] = shares.get(categories[number], 0.0) + count / semantic.size
    shown = sorted(name for name, share in shares.items() if share >= LEAST_SHARE)
    absent = sorted(set(categories.values()) - set(shares))
    pool = absent if absent and draw.random() < ABSENT_SHARE else shown
    if not pool:
        return None
    name = pool[int(draw.integers(len(pool)))]
    wanted = np.array([number for number, category in categories.items() if category == name])
    return Question(TEMPLATE.format(name), np.isin(semantic, wanted))


def all_questions(categories: Iterable[Mapping[int, str]]) -> list[str]:
    """Every text that `ask` can say, for the tokenizer."""
    return sorted({TEMPLATE.format(name) for scene in categories for name in scene.values()})
