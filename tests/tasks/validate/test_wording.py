"""What instructions say of each other, where there are enough of them to say anything."""

from __future__ import annotations

import math
from itertools import product

import pytest

from tasks.validate.wording import familiar, manners

THINGS = ("sofa", "table", "lamp", "shelf", "plant")
WAYS = {
    "forward": "turn left and walk past the {}, then stop by the {}",
    "revisit": "walk past the {} and the {}, then go back the way you came",
    "loop": "walk a full circle past the {} and the {}",
}
TOLD = [(way.format(a, b), stratum) for stratum, way in WAYS.items() for a, b in product(THINGS, THINGS)] * 2


def test_words_tell_one_manner_of_walking_from_another() -> None:
    instructions, strata = zip(*TOLD, strict=True)
    assert min(manners(instructions, strata)) > 0
    wrong = ["revisit" if i in (52, 60, 70) else stratum for i, stratum in enumerate(strata)]
    judged = manners(instructions, wrong)
    assert {i for i, value in enumerate(judged) if value < 0} == {52, 60, 70}


def test_many_that_tell_of_another_manner_do_not_make_sound_ones_doubtful() -> None:
    instructions, strata = zip(*TOLD, strict=True)
    loops = [i for i, stratum in enumerate(strata) if stratum == "loop"]
    wrong = ["revisit" if i in loops[::2] else stratum for i, stratum in enumerate(strata)]
    judged = manners(instructions, wrong)
    assert max(judged[i] for i in loops[::2]) < 0
    alone = manners(*zip(*(told for i, told in enumerate(TOLD) if i not in loops[::2]), strict=True))
    assert [value for i, value in enumerate(judged) if i not in loops[::2]] == pytest.approx(alone)


def test_a_hard_walk_is_told_like_a_forward_one() -> None:
    strata = ["hard" if stratum == "forward" and i % 3 == 0 else stratum for i, (_, stratum) in enumerate(TOLD)]
    assert min(manners([text for text, _ in TOLD], strata)) > 0


@pytest.mark.parametrize("count", [1, 99])
def test_few_instructions_say_nothing_of_manners(count: int) -> None:
    instructions, strata = zip(*TOLD[:count], strict=True)
    assert all(math.isnan(value) for value in manners(instructions, strata))


def test_one_manner_alone_is_not_compared() -> None:
    assert all(math.isnan(value) for value in manners([text for text, _ in TOLD], ["forward"] * len(TOLD)))


def test_gibberish_is_in_words_that_nobody_else_uses() -> None:
    shares = familiar([*(text for text, _ in TOLD), "klaw tsap eht aofs", "", "stop"])
    assert min(shares[: len(TOLD)]) > 0.6 and shares[-3] == 0
    assert math.isnan(shares[-2]) and math.isnan(shares[-1])
    assert all(math.isnan(share) for share in familiar(["walk on", "walk on"]))
