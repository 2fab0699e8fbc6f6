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
    return Suite(
        (Member(desk, 0, -depth / 2 + desk.size[2] / 2), Member(chair, -0.12, depth / 2 - 0.25, np.pi + float(shop.rng.uniform(-0.5, 0.5)))),
        desk.size[0], depth,
    )  # fmt: skip


def piano_suite(shop: Workshop) -> Suite:
    """A piano with its stool."""
    piano, stool = shop.make(work.piano), shop.make(rest.stool)
    depth = piano.size[2] + 0.45
    return Suite((Member(piano, 0, -depth / 2 + piano.size[2] / 2), Member(stool, 0, depth / 2 - 0.2)), piano.size[0], depth)


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


@dataclass(frozen=True)
class Wish:
    """What a room wants: one of `choices` in order until one fits, with a chance, somewhere."""

    choices: tuple[Callable[[Workshop], Suite], ...]
    where: str
    """`wall`, `corner`, `centre`, `floor` (flat, may lie under things) or `hung`."""
    chance: float = 1.0


def one(maker: Make, where: str, chance: float = 1.0) -> Wish:
    """A wish for a single piece."""
    return Wish((partial(single, maker),), where, chance)


BED = Wish((partial(bed_suite, stands=2), partial(bed_suite, stands=1), partial(bed_suite, stands=0)), "wall")
LOUNGE = Wish((partial(lounge, with_rug=True), partial(lounge, with_rug=False), partial(single, rest.sofa)), "wall")
DINING = Wish((partial(dining, chairs=6), partial(dining, chairs=4), partial(dining, chairs=2)), "centre")
SMALL_DINING = Wish((partial(dining, chairs=4), partial(dining, chairs=2)), "centre", 0.8)
KITCHEN = Wish(
    (
        *(partial(kitchen_run, units=n) for n in (5, 4, 3, 2)),
        *(partial(kitchen_run, units=n, with_fridge=False) for n in (3, 2)),
    ),
    "wall",
)
DESK = Wish((desk_suite,), "wall")
PICTURE = one(decor.picture, "hung", 0.85)
PLANT = one(decor.plant, "corner", 0.6)
RADIATOR = one(decor.radiator, "hung", 0.6)
RUG = one(decor.rug, "floor", 0.6)

WISHES: dict[str, tuple[Wish, ...]] = {
    "living room": (
        LOUNGE, one(decor.tv, "wall", 0.85), one(storage.bookshelf, "wall", 0.6), one(rest.armchair, "corner", 0.7),
        one(decor.fireplace, "wall", 0.3), Wish((piano_suite,), "wall", 0.15), one(storage.sideboard, "wall", 0.5),
        PLANT, one(decor.floor_lamp, "corner", 0.7), PLANT, PICTURE, PICTURE, PICTURE, RADIATOR, one(decor.clock, "hung", 0.4),
    ),
    "kitchen": (
        KITCHEN, SMALL_DINING, one(storage.sideboard, "wall", 0.4), one(decor.bin_, "corner", 0.7), PLANT, PICTURE,
        one(decor.clock, "hung", 0.6), RADIATOR,
    ),
    "bedroom": (
        BED, one(storage.wardrobe, "wall", 0.9), one(storage.dresser, "wall", 0.5), Wish((desk_suite,), "wall", 0.4),
        one(rest.crib, "wall", 0.15), one(rest.armchair, "corner", 0.3), PLANT, RUG, one(decor.floor_lamp, "corner", 0.3),
        PICTURE, PICTURE, one(decor.mirror, "hung", 0.5), RADIATOR,
    ),
    "bathroom": (
        one(decor.toilet, "wall"), one(decor.washbasin, "wall"), Wish((partial(single, decor.bathtub), partial(single, decor.shower)), "wall", 0.9),
        one(storage.washing_machine, "wall", 0.25), one(storage.laundry_basket, "corner", 0.5), one(decor.towel_rail, "hung", 0.8),
        one(decor.towel_rail, "hung", 0.4), RADIATOR,
    ),
    "hallway": (
        one(storage.shoe_cabinet, "wall", 0.8), one(decor.coat_rack, "corner", 0.7), one(decor.runner, "floor", 0.7),
        one(rest.bench, "wall", 0.3), one(decor.plant, "corner", 0.5), PICTURE, PICTURE, PICTURE, one(decor.mirror, "hung", 0.6),
        one(decor.clock, "hung", 0.4),
    ),
    "dining room": (
        DINING, one(storage.sideboard, "wall", 0.9), PLANT, one(storage.bookshelf, "wall", 0.3), PLANT, PICTURE, PICTURE,
        RADIATOR, RUG,
    ),
    "study": (
        DESK, one(storage.bookshelf, "wall"), one(storage.bookshelf, "wall", 0.6), one(rest.armchair, "corner", 0.6), RUG,
        one(storage.filing_cabinet, "wall", 0.4), one(decor.floor_lamp, "corner", 0.5), PLANT, PICTURE, PICTURE, RADIATOR,
    ),
    "office": (
        DESK, DESK, one(storage.filing_cabinet, "wall", 0.9), one(storage.bookshelf, "wall", 0.5), one(decor.whiteboard, "hung", 0.9),
        one(decor.bin_, "corner", 0.8), PLANT, PICTURE, one(decor.clock, "hung", 0.7), RADIATOR,
    ),
    "storage room": (
        one(storage.rack, "wall"), one(storage.rack, "wall", 0.7), one(storage.boxes, "corner", 0.9), one(storage.boxes, "wall", 0.6),
        one(work.ironing_board, "wall", 0.3),
    ),
    "laundry room": (
        one(storage.washing_machine, "wall"), one(storage.washing_machine, "wall", 0.5), one(storage.rack, "wall", 0.7),
        one(storage.laundry_basket, "corner", 0.9), one(work.ironing_board, "wall", 0.7), one(decor.towel_rail, "hung", 0.5),
    ),
    "playroom": (
        one(storage.toy_chest, "wall"), one(work.toy_table, "centre", 0.8), one(storage.bookshelf, "wall", 0.7), one(rest.bean_bag, "corner", 0.9),
        one(rest.bean_bag, "corner", 0.5), RUG, one(decor.ball, "corner", 0.5), PICTURE, PICTURE, PICTURE, RADIATOR,
    ),
    "gym": (
        one(work.treadmill, "wall", 0.9), one(work.exercise_bike, "wall", 0.8), one(work.weight_bench, "centre", 0.7),
        one(decor.ball, "corner", 0.9), one(decor.mirror, "hung", 0.9), one(rest.bench, "wall", 0.5), PICTURE, one(decor.clock, "hung", 0.6),
    ),
    "library": (
        one(storage.bookshelf, "wall"), one(storage.bookshelf, "wall"), one(storage.bookshelf, "wall", 0.8), one(rest.armchair, "corner"),
        one(work.coffee_table, "centre", 0.6), one(storage.bookshelf, "wall", 0.7), Wish((desk_suite,), "wall", 0.5),
        one(decor.floor_lamp, "corner", 0.8), RUG, PICTURE, PICTURE,
    ),
    "music room": (
        Wish((piano_suite,), "wall"), one(work.drum, "corner", 0.6), one(rest.sofa, "wall", 0.6), one(rest.stool, "corner", 0.6), RUG,
        one(storage.bookshelf, "wall", 0.6), PLANT, PICTURE, PICTURE, RADIATOR,
    ),
}  # fmt: skip
"""In order of importance: what comes later takes the room that is left."""
