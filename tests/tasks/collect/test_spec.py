"""Plans that cannot be are refused with the field's name."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from tasks.collect.spec import CollectPlan, CollectSpec
from tasks.spec import stage_key

BAD: list[tuple[dict[str, Any], str]] = [
    ({"train": {"scenes": -1}}, "train.scenes"),
    ({"train": {"scenes": 3, "episodes": 0}}, "train.episodes"),
    ({"steps": 2}, "steps"),
    ({"size": (8, 64)}, "size"),
    ({"strata": {"forward": -1.0}}, "strata"),
    ({"strata": {"forward": 0.0}}, "strata"),
    ({"strata": {"sideways": 1.0}}, "strata"),
    ({"strata": {"hard": 1.0}}, "hard"),
    ({"hfov": (95.0, 75.0)}, "hfov"),
    ({"height": (0.0, 1.0)}, "height"),
    ({"pitch": (-80.0, 0.0)}, "pitch"),
    ({"rooms": (4, 40)}, "rooms"),
    ({"turns": ()}, "turns"),
    ({"turns": (1.0,)}, "turns"),
    ({"styles": ("poem",)}, "styles"),
    ({"styles": ()}, "styles"),
    ({"val_seen": {"scenes": 500}}, "val_seen"),
    ({"simulator": "habitat"}, "scene_list"),
    ({"simulator": "unreal"}, "simulator"),
    ({"episodes": 3}, "episodes"),
]


@pytest.mark.parametrize(("fields", "named"), BAD)
def test_a_bad_plan_is_refused_by_name(fields: dict[str, Any], named: str) -> None:
    with pytest.raises(ValidationError) as caught:
        CollectPlan(**fields)
    places = ".".join(str(part) for error in caught.value.errors() for part in error["loc"])
    assert named in places + str(caught.value)


def test_workers_do_not_change_the_key_but_the_plan_and_seed_do() -> None:
    spec = CollectSpec()
    key = stage_key(spec, "code")
    assert stage_key(spec.model_copy(update={"workers": 7}), "code") == key
    assert stage_key(spec.model_copy(update={"seed": 1}), "code") != key
    other = CollectPlan(steps=33)
    assert stage_key(spec.model_copy(update={"plan": other}), "code") != key


def test_a_spec_survives_json() -> None:
    spec = CollectSpec(plan=CollectPlan(hfov=(80, 90)))
    assert CollectSpec.model_validate_json(spec.model_dump_json()) == spec
