"""Suites: furniture that belongs together (bed and nightstands, table and chairs), and which rooms want which."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from tasks.collect.embedded.furniture import decor, rest, storage, work
from tasks.collect.embedded.furniture.piece import Maker, Piece
from tasks.collect.embedded.style import RoomStyle

Make = Callable[[Maker], Piece]


@dataclass(frozen=True)
class Member:
    """A piece within a suite: shifted by (x, z) and turned by `yaw` in the suite's frame."""

    piece: Piece
    x: float = 0.0
    z: float = 0.0
    yaw: float = 0.0


@dataclass(frozen=True)
class Suite:
    """Pieces placed as one; the frame is that of a piece (origin in the middle, front = +z)."""

    members: tuple[Member, ...]
    width: float
    depth: float


@dataclass
class Workshop:
    """Makes suites for one room."""

    rng: np.random.Generator
    style: RoomStyle
    pictures: list[int]

    def make(self, maker: Make) -> Piece:
        """One piece."""
        return maker(Maker(self.rng, self.style, self.pictures))


def single(maker: Make, shop: Workshop) -> Suite:
    """One piece alone."""
    piece = shop.make(maker)
    return Suite((Member(piece),), piece.size[0], piece.size[2])


def bed_suite(shop: Workshop, stands: int) -> Suite:
    """A bed with 0-2 nightstands beside its head."""
    bed = shop.make(rest.bed)
    w, _, d = bed.size
    members = [Member(bed)]
    for sign in (-1, 1)[:stands]:
        stand = shop.make(storage.nightstand)
        members.append(Member(stand, sign * (w / 2 + 0.06 + stand.size[0] / 2), -d / 2 + stand.size[2] / 2))
    if stands == 1:
        return recentred(members, d)
    return Suite(tuple(members), w + stands * 0.58, d)


def recentred(members: list[Member], depth: float) -> Suite:
    """A suite whose origin is the middle of its members' extent along x."""
    low = min(m.x - m.piece.size[0] / 2 for m in members)
    high = max(m.x + m.piece.size[0] / 2 for m in members)
    moved = tuple(Member(m.piece, m.x - (low + high) / 2, m.z, m.yaw) for m in members)
    return Suite(moved, high - low, depth)


def lounge(shop: Workshop, with_rug: bool) -> Suite:
    """A sofa, a coffee table before it, a rug below both."""
    sofa, table = shop.make(rest.sofa), shop.make(work.coffee_table)
    gap = 0.38
    depth = sofa.size[2] + gap + table.size[2]
    members = [
        Member(sofa, 0, -depth / 2 + sofa.size[2] / 2),
        Member(table, float(shop.rng.uniform(-0.15, 0.15)), depth / 2 - table.size[2] / 2),
    ]
    if with_rug:
        members.append(Member(shop.make(decor.rug), 0, depth / 2 - table.size[2] / 2))
    return Suite(tuple(members), max(sofa.size[0], table.size[0]), depth)


def dining(shop: Workshop, chairs: int) -> Suite:
    """A table with chairs pushed in on its long sides (and at its ends)."""
    table = shop.make(work.dining_table)
    w, _, d = table.size
    members = [Member(table)]
    each = (chairs + 1) // 2
    for sign in (-1, 1):
        for i in range(each):
            x = ((i + 0.5) / each - 0.5) * (w - 0.25)
            z = sign * (d / 2 + float(shop.rng.uniform(0.0, 0.12)))
            yaw = (np.pi if sign > 0 else 0.0) + float(shop.rng.uniform(-0.15, 0.15))
            members.append(Member(shop.make(rest.chair), x, z, yaw))
    return Suite(tuple(members), w, d + 0.7)


def desk_suite(shop: Workshop) -> Suite:
    """A desk with its chair in front."""
    desk, chair = shop.make(work.desk), shop.make(rest.office_chair)
    depth = desk.size[2] + 0.45
    swivel = np.pi + float(shop.rng.uniform(-0.5, 0.5))
    members = (Member(desk, 0, -depth / 2 + desk.size[2] / 2), Member(chair, -0.12, depth / 2 - 0.25, swivel))
    return Suite(members, desk.size[0], depth)


def piano_suite(shop: Workshop) -> Suite:
    """A piano with its stool."""
    piano, stool = shop.make(work.piano), shop.make(rest.stool)
    depth = piano.size[2] + 0.45
    return Suite(
        (Member(piano, 0, -depth / 2 + piano.size[2] / 2), Member(stool, 0, depth / 2 - 0.2)), piano.size[0], depth
    )


def kitchen_run(shop: Workshop, units: int, with_fridge: bool = True) -> Suite:
    """A row of counters with sink and stove, cupboards above (where no window is), the fridge at one end."""
    tone = storage.FRONT_TONES[shop.rng.integers(len(storage.FRONT_TONES))]
    top = ((0.3, 0.3, 0.32), (0.85, 0.84, 0.8), (0.62, 0.47, 0.33))[shop.rng.integers(3)]
    kinds = ["counter"] * units
    stove, sink = (int(i) for i in shop.rng.choice(np.arange(units), 2, replace=False))
    kinds[stove], kinds[sink] = "stove", "sink"
    width = units * 0.6 + (0.66 if with_fridge else 0.0)
    members, flip = [], -1.0 if shop.rng.random() < 0.5 else 1.0
    for i, kind in enumerate(kinds):
        x = flip * (-width / 2 + 0.3 + i * 0.6)
        members.append(Member(shop.make(partial(storage.kitchen_unit, kind=kind, tone=tone, top=top)), x, -0.01))
        if kind != "stove":
            members.append(Member(shop.make(partial(storage.wall_cupboard, tone=tone)), x, -0.15))
    if with_fridge:
        members.append(Member(shop.make(storage.fridge), flip * (width / 2 - 0.33), 0))
    return Suite(tuple(members), width, 0.64)
