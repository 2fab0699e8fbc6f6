"""What instructions say of each other: talk as nobody else talks, and words of another manner of walking."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from math import log

ENOUGH = 100
"""Episodes from which on their words are compared: fewer have not said all that can be said."""
PRIOR = 5.0
"""Episodes that the words of all manners together weigh in the words of each."""
MOST = 2.0
"""What one word or pair of words can say, in nats."""
SAME = {"hard": "forward"}
"""Strata that are walked, and so told, alike."""
WORD = re.compile(r"[^\W\d_]+")


def familiar(instructions: Sequence[str]) -> list[float]:
    """Share of each instruction's pairs of neighbouring words that another uses too; NaN where nothing can be said."""
    spoken = [{pair for pair in words_and_pairs(text) if " " in pair} for text in instructions]
    if len(spoken) < ENOUGH:
        return [float("nan")] * len(spoken)
    counts = Counter(pair for pairs in spoken for pair in pairs)
    return [sum(counts[pair] > 1 for pair in pairs) / len(pairs) if pairs else float("nan") for pairs in spoken]


def manners(instructions: Sequence[str], strata: Sequence[str]) -> list[float]:
    """By how much each instruction's words fit its stratum better than any other one: a log likelihood ratio.

    Naive Bayes over words and pairs of neighbours; each instruction is judged by the others. NaN where there are too
    few episodes, or one manner alone.
    """
    manner = [SAME.get(stratum, stratum) for stratum in strata]
    whole = Counter(manner)
    if len(manner) < ENOUGH or len(whole) < 2:
        return [float("nan")] * len(manner)
    spoken = [words_and_pairs(text) for text in instructions]
    counts: dict[str, Counter[str]] = {name: Counter() for name in whole}
    for words, name in zip(spoken, manner, strict=True):
        counts[name].update(words)

    def judged(words: set[str], own: str) -> float:
        fit = dict.fromkeys(whole, 0.0)
        for word in words:
            seen = {name: counts[name][word] - (name == own) for name in whole}
            usual = (sum(seen.values()) + 0.5) / len(manner)
            for name in whole:
                share = (seen[name] + PRIOR * usual) / (whole[name] - (name == own) + PRIOR)
                fit[name] += max(-MOST, min(MOST, log(share / usual)))
        return fit[own] - max(value for name, value in fit.items() if name != own)

    return [judged(words, own) for words, own in zip(spoken, manner, strict=True)]


def words_and_pairs(text: str) -> set[str]:
    """All words of a text, and all pairs of neighbours."""
    words = WORD.findall(text.lower())
    return {*words, *(f"{a} {b}" for a, b in pairwise(words))}
