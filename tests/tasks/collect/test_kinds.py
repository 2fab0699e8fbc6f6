"""Kinds of buildings: halls are another world by the same seeds; homes are what they were."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tasks.collect.embedded.building import Building, build
from tasks.collect.embedded.kinds import BY_LETTER, KINDS
from tasks.collect.embedded.simulator import building_of
from tasks.collect.schedule import LETTERS, scenes_of
from tasks.collect.spec import CollectPlan, Split
from tasks.errors import UsageError


def test_a_scene_id_names_its_kind() -> None:
    assert {name: kind.letter for name, kind in KINDS.items()} == LETTERS
    kinds = [scenes_of(CollectPlan.model_validate({"buildings": kind}), 1, Split.TRAIN) for kind in KINDS]
    assert all([scene[1:] for scene in scenes] == [scene[1:] for scene in kinds[0]] for scenes in kinds)
    assert [{scene[0] for scene in scenes} for scenes in kinds] == [{letter} for letter in BY_LETTER]
    with pytest.raises(UsageError, match="no scene of the embedded simulator"):
        building_of("x17", (4, 5))


def test_halls_are_larger_higher_darker_and_paler() -> None:
    homes, halls = ([building_of(f"{letter}{seed}", (4, 6)) for seed in range(8)] for letter in "bh")

    def mean(buildings: list[Building], of: Callable[[Building], float]) -> float:
        return float(np.mean([of(building) for building in buildings]))

    def room(building: Building) -> float:
        return float(np.mean([room.cell.area for room in building.plan.rooms]))

    assert mean(halls, room) > 1.8 * mean(homes, room)
    assert mean(halls, lambda b: b.plan.height) == pytest.approx(mean(homes, lambda b: b.plan.height) + 1.2, abs=0.2)
    assert mean(halls, lambda b: b.mesh.colour.mean()) < mean(homes, lambda b: b.mesh.colour.mean())
    paleness = [mean(them, lambda b: np.ptp([s.wall for s in b.styles], axis=1).mean()) for them in (homes, halls)]
    assert paleness[1] < 0.3 * paleness[0]
    assert building_of("b3", (4, 6)).plan == build(3, (4, 6)).plan
