"""Which furniture each kind of room wants, and where."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from tasks.collect.embedded.furniture import decor, rest, storage, work
from tasks.collect.embedded.furniture.suites import (
    Make,
    Suite,
    Workshop,
    bed_suite,
    desk_suite,
    dining,
    kitchen_run,
    lounge,
    piano_suite,
    single,
)


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
        LOUNGE,
        one(decor.tv, "wall", 0.85),
        one(storage.bookshelf, "wall", 0.6),
        one(rest.armchair, "corner", 0.7),
        one(decor.fireplace, "wall", 0.3),
        Wish((piano_suite,), "wall", 0.15),
        one(storage.sideboard, "wall", 0.5),
        PLANT,
        one(decor.floor_lamp, "corner", 0.7),
        PLANT,
        PICTURE,
        PICTURE,
        PICTURE,
        RADIATOR,
        one(decor.clock, "hung", 0.4),
    ),
    "kitchen": (
        KITCHEN,
        SMALL_DINING,
        one(storage.sideboard, "wall", 0.4),
        one(decor.bin_, "corner", 0.7),
        PLANT,
        PICTURE,
        one(decor.clock, "hung", 0.6),
        RADIATOR,
    ),
    "bedroom": (
        BED,
        one(storage.wardrobe, "wall", 0.9),
        one(storage.dresser, "wall", 0.5),
        Wish((desk_suite,), "wall", 0.4),
        one(rest.crib, "wall", 0.15),
        one(rest.armchair, "corner", 0.3),
        PLANT,
        RUG,
        one(decor.floor_lamp, "corner", 0.3),
        PICTURE,
        PICTURE,
        one(decor.mirror, "hung", 0.5),
        RADIATOR,
    ),
    "bathroom": (
        one(decor.toilet, "wall"),
        one(decor.washbasin, "wall"),
        Wish((partial(single, decor.bathtub), partial(single, decor.shower)), "wall", 0.9),
        one(storage.washing_machine, "wall", 0.25),
        one(storage.laundry_basket, "corner", 0.5),
        one(decor.towel_rail, "hung", 0.8),
        one(decor.towel_rail, "hung", 0.4),
        RADIATOR,
    ),
    "hallway": (
        one(storage.shoe_cabinet, "wall", 0.8),
        one(decor.coat_rack, "corner", 0.7),
        one(decor.runner, "floor", 0.7),
        one(rest.bench, "wall", 0.3),
        one(decor.plant, "corner", 0.5),
        PICTURE,
        PICTURE,
        PICTURE,
        one(decor.mirror, "hung", 0.6),
        one(decor.clock, "hung", 0.4),
    ),
    "dining room": (
        DINING,
        one(storage.sideboard, "wall", 0.9),
        PLANT,
        one(storage.bookshelf, "wall", 0.3),
        PLANT,
        PICTURE,
        PICTURE,
        RADIATOR,
        RUG,
    ),
    "study": (
        DESK,
        one(storage.bookshelf, "wall"),
        one(storage.bookshelf, "wall", 0.6),
        one(rest.armchair, "corner", 0.6),
        RUG,
        one(storage.filing_cabinet, "wall", 0.4),
        one(decor.floor_lamp, "corner", 0.5),
        PLANT,
        PICTURE,
        PICTURE,
        RADIATOR,
    ),
    "office": (
        DESK,
        DESK,
        one(storage.filing_cabinet, "wall", 0.9),
        one(storage.bookshelf, "wall", 0.5),
        one(decor.whiteboard, "hung", 0.9),
        one(decor.bin_, "corner", 0.8),
        PLANT,
        PICTURE,
        one(decor.clock, "hung", 0.7),
        RADIATOR,
    ),
    "storage room": (
        one(storage.rack, "wall"),
        one(storage.rack, "wall", 0.7),
        one(storage.boxes, "corner", 0.9),
        one(storage.boxes, "wall", 0.6),
        one(work.ironing_board, "wall", 0.3),
    ),
    "laundry room": (
        one(storage.washing_machine, "wall"),
        one(storage.washing_machine, "wall", 0.5),
        one(storage.rack, "wall", 0.7),
        one(storage.laundry_basket, "corner", 0.9),
        one(work.ironing_board, "wall", 0.7),
        one(decor.towel_rail, "hung", 0.5),
    ),
    "playroom": (
        one(storage.toy_chest, "wall"),
        one(work.toy_table, "centre", 0.8),
        one(storage.bookshelf, "wall", 0.7),
        one(rest.bean_bag, "corner", 0.9),
        one(rest.bean_bag, "corner", 0.5),
        RUG,
        one(decor.ball, "corner", 0.5),
        PICTURE,
        PICTURE,
        PICTURE,
        RADIATOR,
    ),
    "gym": (
        one(work.treadmill, "wall", 0.9),
        one(work.exercise_bike, "wall", 0.8),
        one(work.weight_bench, "centre", 0.7),
        one(decor.ball, "corner", 0.9),
        one(decor.mirror, "hung", 0.9),
        one(rest.bench, "wall", 0.5),
        PICTURE,
        one(decor.clock, "hung", 0.6),
    ),
    "library": (
        one(storage.bookshelf, "wall"),
        one(storage.bookshelf, "wall"),
        one(storage.bookshelf, "wall", 0.8),
        one(rest.armchair, "corner"),
        one(work.coffee_table, "centre", 0.6),
        one(storage.bookshelf, "wall", 0.7),
        Wish((desk_suite,), "wall", 0.5),
        one(decor.floor_lamp, "corner", 0.8),
        RUG,
        PICTURE,
        PICTURE,
    ),
    "music room": (
        Wish((piano_suite,), "wall"),
        one(work.drum, "corner", 0.6),
        one(rest.sofa, "wall", 0.6),
        one(rest.stool, "corner", 0.6),
        RUG,
        one(storage.bookshelf, "wall", 0.6),
        PLANT,
        PICTURE,
        PICTURE,
        RADIATOR,
    ),
}
"""In order of importance: what comes later takes the room that is left."""
