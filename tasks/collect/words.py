"""The vocabulary block of an episode file, as habitat-lab's VLN datasets carry it."""

from __future__ import annotations

import re
from typing import Any

SPECIAL = ("<pad>", "<unk>")


def words(text: str) -> list[str]:
    """Lower-case words of an English instruction."""
    return re.findall(r"[a-z]+(?:-[a-z]+)*", text.lower())


def instruction_vocabulary(texts: list[str]) -> dict[str, Any]:
    """`instruction_vocab`: all words in order of the alphabet after padding and unknown."""
    known = sorted({word for text in texts for word in words(text)})
    listed = [*SPECIAL, *known]
    numbers = {word: i for i, word in enumerate(listed)}
    return {
        "word_list": listed, "word2idx_dict": numbers, "itos": listed, "stoi": numbers, "num_vocab": len(listed),
        "PAD_INDEX": 0, "UNK_INDEX": 1,
    }  # fmt: skip
