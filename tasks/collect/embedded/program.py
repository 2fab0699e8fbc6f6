"""What buildings are made of: which rooms, how large, which rooms open onto which, what stands in them."""

from __future__ import annotations

import numpy as np

AREAS: dict[str, tuple[float, float]] = {
    "living room": (17, 30),
    "kitchen": (9, 16),
    "bedroom": (10.5, 18),
    "bathroom": (4.5, 9),
    "hallway": (6, 12),
    "dining room": (10, 17),
    "study": (8, 14),
    "storage room": (4, 7),
    "laundry room": (4.5, 8),
    "playroom": (9, 15),
    "gym": (10, 17),
    "library": (10, 17),
    "office": (9, 15),
    "music room": (10, 16),
}
"""Least and most square metres."""

CORE = ("living room", "kitchen", "bedroom", "bathroom")
EXTRA = (
    "bedroom", "bedroom", "dining room", "study", "bathroom", "storage room", "laundry room", "playroom", "gym",
    "library", "office", "music room", "bedroom", "living room", "bathroom", "storage room", "office", "study",
)  # fmt: skip

OPEN_PAIRS = {
    frozenset(pair)
    for pair in (
        ("living room", "kitchen"),
        ("living room", "dining room"),
        ("kitchen", "dining room"),
        ("living room", "library"),
        ("living room", "hallway"),
        ("living room", "playroom"),
        ("living room", "music room"),
        ("office", "library"),
        ("hallway", "hallway"),
    )
}
"""Rooms that often flow into one another without a door."""

DOOR_COST = {
    "living room": 0.6,
    "dining room": 1.0,
    "kitchen": 1.5,
    "bathroom": 4.0,
    "storage room": 4.5,
    "laundry room": 3.5,
}
"""How unusual a door into a room from anywhere but a hallway is (2 where not listed)."""


def room_program(rng: np.random.Generator, count: int) -> tuple[list[str], list[float]]:
    """Categories and areas (square metres) of `count` rooms; hallways come first."""
    with_hall = 2 if count >= 12 else int(count >= 7 or (count >= 5 and rng.random() < 0.6))
    names = list(CORE)
    extras = [EXTRA[i] for i in rng.permutation(len(EXTRA))]
    limit = {"bathroom": 1 + count // 5, "storage room": 1, "laundry room": 1, "living room": 1 + count // 9}
    for name in extras:
        if len(names) < count - with_hall and names.count(name) < limit.get(name, 1 if name != "bedroom" else 4):
            names.append(name)
    while len(names) < count - with_hall:
        names.append("bedroom")
    names = ["hallway"] * with_hall + names
    return names, [float(rng.uniform(*AREAS[name])) for name in names]
