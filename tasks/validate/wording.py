"""What instructions say of each other: talk as nobody else talks, and words of another manner of walking."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import numpy as np
from numpy.typing import NDArray

ENOUGH = 100
"""Episodes from which on their words are compared: fewer have not said all that can be said."""
PRIOR = 5.0
"""Episodes that the words of all manners together weigh in the words of each."""
MOST = 2.0
"""What one word or pair of words can say, in nats."""
ROUNDS = 3
"""How often all are judged."""
STOPS = (".", "!", "?")
USUAL = 0.8
"""Share of the instructions that end in a full stop where all are to."""
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


def broken_off(instructions: Sequence[str]) -> list[bool]:
    """Which instructions end in no full stop where nearly all others do; none with too few episodes."""
    ends = [text.rstrip().endswith(STOPS) for text in instructions]
    usual = len(ends) >= ENOUGH and sum(ends) >= USUAL * len(ends)
    return [usual and not end for end in ends]


def manners(instructions: Sequence[str], strata: Sequence[str]) -> list[float]:
    """By how much each instruction's words fit its stratum better than any other one: a log likelihood ratio.

    Naive Bayes over words and pairs of neighbours. Each instruction is judged by the others, and then again by those of
    them that fit their own stratum best: many that tell of a foreign manner would else teach it to their stratum, and
    the sound ones of that manner would seem to fit there, too. NaN with too few episodes, or one manner alone.
    """
    manner = [SAME.get(stratum, stratum) for stratum in strata]
    if len(manner) < ENOUGH or len(set(manner)) < 2:
        return [float("nan")] * len(manner)
    spoken = Spoken.of(instructions)
    numbers = np.unique(manner, return_inverse=True)[1]
    counted = np.ones(len(manner), bool)
    for _ in range(ROUNDS - 1):
        counted = fits(spoken, numbers, counted) > 0
    return [float(fit) for fit in fits(spoken, numbers, counted)]


@dataclass(frozen=True)
class Spoken:
    """Which instruction uses which words, a row each."""

    instruction: NDArray[np.intp]
    """[R]"""
    word: NDArray[np.intp]
    """[R]"""

    @classmethod
    def of(cls, instructions: Sequence[str]) -> Self:
        """The words and pairs of all instructions, each once."""
        numbers: dict[str, int] = {}
        rows = [
            (i, numbers.setdefault(word, len(numbers)))
            for i, text in enumerate(instructions)
            for word in sorted(words_and_pairs(text))
        ]
        instruction, word = np.array(rows, np.intp).reshape(-1, 2).T
        return cls(instruction, word)


def fits(spoken: Spoken, manner: NDArray[np.intp], counted: NDArray[np.bool_]) -> NDArray[np.float64]:
    """[N] each instruction's log likelihood ratio, judged by the others that are counted; `manner`: [N] numbers."""
    manners = int(manner.max()) + 1
    # [N, manners] what an instruction adds to the counts, and takes away from them where it is judged itself.
    mine = (manner[:, None] == np.arange(manners)) & counted[:, None]
    others = mine.sum(axis=0) - mine
    everyone = others.sum(axis=1)
    seen = np.zeros((int(spoken.word.max(initial=0)) + 1, manners))
    np.add.at(seen, spoken.word, mine[spoken.instruction])
    heard = seen[spoken.word] - mine[spoken.instruction]
    usual = ((heard.sum(axis=1) + 0.5) / (everyone[spoken.instruction] + 1))[:, None]
    share = (heard + PRIOR * usual) / (others[spoken.instruction] + PRIOR)
    told = np.clip(np.log(share / usual), -MOST, MOST)
    fit = np.stack([np.bincount(spoken.instruction, column, len(manner)) for column in told.T], axis=1)
    own = np.arange(manners) == manner[:, None]
    return np.asarray(fit[own] - np.where(own, -np.inf, fit).max(axis=1))


def words_and_pairs(text: str) -> set[str]:
    """All words of a text, and all pairs of neighbours."""
    words = WORD.findall(text.lower())
    return {*words, *(f"{a} {b}" for a, b in pairwise(words))}
