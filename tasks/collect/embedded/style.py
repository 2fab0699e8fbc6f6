"""Colours and surfaces of a room, chosen by seed so that no two rooms of a building look alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tasks.collect.embedded.materials import LAYER
from tasks.collect.embedded.meshes import Colour

PAINTS: dict[str, Colour] = {
    "white": (0.93, 0.93, 0.91),
    "cream": (0.94, 0.89, 0.76),
    "grey": (0.70, 0.72, 0.74),
    "blue": (0.55, 0.70, 0.86),
    "dark blue": (0.28, 0.37, 0.55),
    "green": (0.62, 0.78, 0.60),
    "dark green": (0.33, 0.47, 0.38),
    "yellow": (0.95, 0.83, 0.50),
    "orange": (0.93, 0.68, 0.47),
    "red": (0.74, 0.36, 0.32),
    "pink": (0.93, 0.72, 0.74),
    "purple": (0.68, 0.60, 0.80),
    "turquoise": (0.50, 0.77, 0.75),
    "brown": (0.66, 0.52, 0.41),
}
FABRICS: dict[str, Colour] = {
    "grey": (0.50, 0.51, 0.53),
    "black": (0.17, 0.17, 0.19),
    "white": (0.88, 0.87, 0.84),
    "blue": (0.24, 0.38, 0.62),
    "green": (0.29, 0.47, 0.32),
    "red": (0.68, 0.22, 0.20),
    "yellow": (0.88, 0.70, 0.25),
    "orange": (0.85, 0.48, 0.22),
    "brown": (0.46, 0.31, 0.21),
    "purple": (0.45, 0.32, 0.56),
    "turquoise": (0.22, 0.57, 0.57),
    "pink": (0.85, 0.53, 0.57),
}
WOODS: tuple[Colour, ...] = (
    (0.72, 0.54, 0.36),
    (0.55, 0.38, 0.24),
    (0.38, 0.26, 0.18),
    (0.83, 0.70, 0.52),
    (0.90, 0.89, 0.86),
    (0.30, 0.29, 0.29),
)
FLOORS: dict[str, tuple[tuple[str, ...], tuple[Colour, ...]]] = {
    "dry": (
        ("planks", "planks", "parquet", "carpet"),
        ((0.76, 0.58, 0.40), (0.60, 0.43, 0.29), (0.45, 0.32, 0.23), (0.85, 0.72, 0.55), (0.66, 0.64, 0.60)),
    ),
    "soft": (
        ("carpet", "planks", "parquet"),
        ((0.68, 0.62, 0.55), (0.52, 0.56, 0.64), (0.62, 0.48, 0.44), (0.54, 0.60, 0.50), (0.76, 0.58, 0.40)),
    ),
    "wet": (
        ("tiles", "checker", "mosaic", "marble"),
        ((0.86, 0.86, 0.84), (0.62, 0.70, 0.74), (0.74, 0.68, 0.60), (0.55, 0.58, 0.58), (0.80, 0.72, 0.62)),
    ),
    "rough": (("concrete", "tiles"), ((0.66, 0.66, 0.66), (0.58, 0.56, 0.53), (0.70, 0.66, 0.60))),
}
GROUND = {
    "bathroom": "wet",
    "kitchen": "wet",
    "laundry room": "wet",
    "storage room": "rough",
    "gym": "rough",
    "bedroom": "soft",
    "playroom": "soft",
    "music room": "soft",
}
TEXTURE_METRES = {"planks": 1.3, "parquet": 1.2, "tiles": 1.0, "checker": 1.6, "mosaic": 0.8, "brick": 1.0}
"""Metres that one repeat covers (1.5 where not listed)."""


@dataclass(frozen=True)
class RoomStyle:
    """How a room looks."""

    paint: str
    """Name of the walls' colour, for instructions."""
    wall: Colour
    wall_layer: int
    accent: Colour
    accent_layer: int
    accent_side: int
    """Which of the four walls (order of Rect.sides) differs; -1 = none."""
    floor: Colour
    floor_layer: int
    floor_scale: float
    """Metres that one repeat of the floor covers."""
    wood: Colour
    fabrics: tuple[str, str]
    """Names of the two colours that upholstery and textiles prefer."""


def room_styles(rng: np.random.Generator, categories: list[str]) -> list[RoomStyle]:
    """One style a room; paints do not repeat while there are enough of them."""
    paints = [list(PAINTS)[i] for i in rng.permutation(len(PAINTS))] * 2
    woods = rng.permutation(len(WOODS))[:3]
    common = WOODS[woods[0]]
    return [
        room_style(rng, category, paint, WOODS[rng.choice(woods)], common)
        for category, paint in zip(categories, paints, strict=False)
    ]


def room_style(rng: np.random.Generator, category: str, paint: str, wood: Colour, common: Colour) -> RoomStyle:
    """A style that fits what the room is for."""
    ground = GROUND.get(category, "dry")
    layers, tones = FLOORS[ground]
    material = str(rng.choice(layers))
    tone = common if material in ("planks", "parquet") and rng.random() < 0.6 else tones[rng.integers(len(tones))]
    wet = category == "bathroom"
    pattern = str(rng.choice(["plaster", "plaster", "plaster", "stripes", "diamonds", "dots", "panelling"]))
    accent = str(rng.choice(["plaster", "stripes", "brick", "panelling", "diamonds", "dots"]))
    fabrics = [str(name) for name in rng.choice(list(FABRICS), 2, replace=False)]
    other = PAINTS[str(rng.choice(list(PAINTS)))]
    jitter = rng.uniform(0.95, 1.04, 3)
    return RoomStyle(
        paint=paint,
        wall=scaled(PAINTS[paint], jitter),
        wall_layer=LAYER["tiles" if wet else pattern],
        accent=scaled(other if rng.random() < 0.5 else PAINTS[paint], np.full(3, 0.82)),
        accent_layer=LAYER["mosaic" if wet else accent],
        accent_side=int(rng.integers(4)) if rng.random() < 0.5 else -1,
        floor=scaled(tone, jitter),
        floor_layer=LAYER[material],
        floor_scale=TEXTURE_METRES.get(material, 1.5),
        wood=wood,
        fabrics=(fabrics[0], fabrics[1]),
    )


def scaled(colour: Colour, factors: np.ndarray) -> Colour:
    """A colour times factors, kept within 0..1."""
    r, g, b = np.clip(np.array(colour) * factors, 0, 1)
    return float(r), float(g), float(b)
