"""Random generators that follow from names and numbers alone, so that work can be cut anywhere and stays the same."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


def seed_of(*parts: str | int) -> int:
    """A 32-bit number that depends on all parts and on nothing else (no hash randomisation, no call order)."""
    text = "\0".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")


def generator(*parts: str | int) -> np.random.Generator:
    """A generator seeded by `seed_of(*parts)`."""
    import numpy as np

    return np.random.default_rng(seed_of(*parts))
