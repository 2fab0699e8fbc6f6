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
ROUNDS = 3
"""How often all are judged."""
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

    Naive Bayes over words and pairs of neighbours. Each instruction is judged by the others, and then again by those of
    them that fit their own stratum best: many that tell of a foreign manner would else teach it to their stratum, and
    the sound ones of that manner would seem to fit there, too. NaN with too few episodes, or one manner alone.
    """
    manner = [SAME.get(stratum, stratum) for stratum in strata]
    if len(manner) < ENOUGH or len(set(manner)) < 2:
        return [float("nan")] * len(manner)
    spoken = [words_and_pairs(text) for text in instructions]
    counted = [True] * len(manner)
    for _ in range(ROUNDS - 1):
        counted = [fit > 0 for fit in fits(spoken, manner, counted)]
    return fits(spoken, manner, counted)


def fits(spoken: Sequence[set[str]], manner: Sequence[str], counted: Sequence[bool]) -> list[float]:
    """Each instruction's log likelihood ratio, judged by the others that are counted."""
    whole = Counter(name for name, counts in zip(manner, counted, strict=True) if counts)
    seen: dict[str, Counter[str]] = {name: Counter() for name in sorted(set(manner))}
    for words, name, counts in zip(spoken, manner, counted, strict=True):
        if counts:
            seen[name].update(words)

    def judged(words: set[str], own: str, counts: bool) -> float:
        others = {name: whole[name] - (counts and name == own) for name in seen}
        everyone = sum(others.values())
        fit = dict.fromkeys(seen, 0.0)
        for word in words:
            heard = {name: seen[name][word] - (counts and name == own) for name in seen}
            usual = (sum(heard.values()) + 0.5) / (everyone + 1)
            for name in seen:
                share = (heard[name] + PRIOR * usual) / (others[name] + PRIOR)
                fit[name] += max(-MOST, min(MOST, log(share / usual)))
        return fit[own] - max(value for name, value in fit.items() if name != own)

    return [judged(*each) for each in zip(spoken, manner, counted, strict=True)]


def words_and_pairs(text: str) -> set[str]:
    """All words of a text, and all pairs of neighbours."""
    words = WORD.findall(text.lower())
    return {*words, *(f"{a} {b}" for a, b in pairwise(words))}
