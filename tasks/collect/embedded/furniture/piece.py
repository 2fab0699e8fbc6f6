"""A piece of furniture in its own frame: origin on the floor below its middle, +z is its front. Metres."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from tasks.collect.embedded.materials import LAYER
from tasks.collect.embedded.meshes import Colour, Solids
from tasks.collect.embedded.style import FABRICS, RoomStyle

METAL = (0.62, 0.63, 0.65)
DARK = (0.16, 0.16, 0.18)
WHITE = (0.92, 0.92, 0.91)


@dataclass(frozen=True)
class Piece:
    """What is placed as one object."""

    category: str
    name: str
    """The category, with a colour where one is worth mentioning."""
    size: tuple[float, float, float]
    """Width, height, depth of its box."""
    solids: Solids
    floor: bool = True
    """Whether it stands on the floor and is in the way (rugs, pictures, lamps above are not)."""
    base: float = 0.0
    """Height of its underside above the floor."""


@dataclass
class Maker:
    """What the makers of furniture draw from: chance, the room's style, and shorthands for solids."""

    rng: np.random.Generator
    style: RoomStyle
    pictures: list[int]
    """Pictures of this building that are still to be hung."""
    solids: Solids = field(default_factory=Solids)

    def between(self, low: float, high: float) -> float:
        """A length drawn uniformly, to the centimetre."""
        return round(float(self.rng.uniform(low, high)), 2)

    def fabric(self) -> tuple[str, Colour]:
        """Name and value of a textile colour, mostly one of the room's two."""
        likely = self.rng.random() < 0.75
        name = str(self.rng.choice(self.style.fabrics if likely else list(FABRICS)))
        shade = float(self.rng.uniform(0.9, 1.1))
        r, g, b = (min(c * shade, 1.0) for c in FABRICS[name])
        return name, (r, g, b)

    def wood(self) -> Colour:
        """The room's wood, a little lighter or darker."""
        shade = float(self.rng.uniform(0.88, 1.08))
        r, g, b = (min(c * shade, 1.0) for c in self.style.wood)
        return r, g, b

    def box(
        self,
        x: float,
        y: float,
        z: float,
        w: float,
        h: float,
        d: float,
        tint: Colour,
        material: str = "plaster",
        glow: float = 0.0,
    ) -> None:
        """A box standing at (x, y, z)."""
        self.solids.box(x, y, z, w, h, d, tint, LAYER[material], glow)

    def legs(self, w: float, d: float, h: float, tint: Colour, thick: float = 0.05, inset: float = 0.04) -> None:
        """Four legs under a w x d top."""
        for sx in (-1, 1):
            for sz in (-1, 1):
                self.box(sx * (w / 2 - inset), 0, sz * (d / 2 - inset), thick, h, thick, tint, "wood")

    def fronts(
        self,
        w: float,
        low: float,
        high: float,
        z: float,
        columns: int,
        rows: int,
        tint: Colour,
        material: str = "wood",
        middle: float = 0.0,
    ) -> None:
        """Doors or drawers on a front at `z` around x = `middle`, each with a handle."""
        wide, tall = w / columns, (high - low) / rows
        for i in range(columns):
            for j in range(rows):
                x, y = middle + (i + 0.5) * wide - w / 2, low + j * tall
                self.box(x, y + 0.01, z, wide - 0.02, tall - 0.02, 0.016, tint, material)
                across = rows >= columns
                self.box(x if across else x + (wide / 2 - 0.06) * (1 if i % 2 == 0 else -1), y + tall * 0.5, z + 0.012,
                         0.12 if across else 0.02, 0.02 if across else 0.14, 0.03, METAL)  # fmt: skip

    def piece(
        self, category: str, size: tuple[float, float, float], colour: str = "", floor: bool = True, base: float = 0.0
    ) -> Piece:
        """Close the piece that was drawn so far."""
        name = f"{colour} {category}" if colour else category
        return Piece(category, name, size, self.solids, floor, base)


def darker(colour: Colour, by: float) -> Colour:
    """A colour times `by`."""
    r, g, b = (c * by for c in colour)
    return r, g, b
