"""Kinds of buildings: what a whole house has in common beyond its seed. A scene's id begins with its kind's letter."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tasks.collect.embedded.materials import LAYER
from tasks.collect.embedded.meshes import Colour
from tasks.collect.embedded.rooms import Rect, snap
from tasks.collect.embedded.style import RoomStyle


@dataclass(frozen=True)
class Kind:
    """One kind. Nothing more is drawn for it than for a home, so homes are what they would be without kinds."""

    letter: str
    space: float = 1.0
    """Lengths of rooms, compared with a home's."""
    lift: float = 0.0
    """Metres that ceilings lie higher."""
    light: float = 1.0
    """Diffuse light, compared with a home's."""
    colour: float = 1.0
    """Saturation of walls, floors and fabrics."""
    bare: bool = False
    """Whether walls are of brick and concrete and floors of concrete."""
    floors: int = 1
    """Storeys: one, or two with stairs between them."""


KINDS = {
    "homes": Kind("b"),
    "halls": Kind("h", space=1.5, lift=1.2, light=0.75, colour=0.2, bare=True),
    "duplexes": Kind("d", floors=2),
}

BY_LETTER = {kind.letter: kind for kind in KINDS.values()}


def roomier(cell: Rect, kind: Kind) -> Rect:
    """A cell at the kind's size; cells that share an edge still do."""
    if kind.space == 1.0:
        return cell
    return Rect(*(snap(value * kind.space) for value in (cell.x0, cell.z0, cell.x1, cell.z1)))


def dressed(style: RoomStyle, kind: Kind) -> RoomStyle:
    """A room's style as the kind has it."""
    if not kind.bare:
        return style
    return replace(
        style,
        paint="grey",
        wall=pale(style.wall, kind.colour),
        accent=pale(style.accent, kind.colour),
        floor=pale(style.floor, kind.colour),
        wood=pale(style.wood, kind.colour),
        wall_layer=LAYER["concrete"],
        accent_layer=LAYER["brick"],
        floor_layer=LAYER["concrete"],
    )


def pale(colour: Colour, saturation: float) -> Colour:
    """A colour drawn towards the grey of its own lightness."""
    grey = float(np.mean(colour))
    r, g, b = (grey + saturation * (value - grey) for value in colour)
    return r, g, b
