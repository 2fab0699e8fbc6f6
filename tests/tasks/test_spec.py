"""What belongs to a stage's key, and what does not."""

from __future__ import annotations

from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tasks.spec import Frozen, ManifestId, StageSpec, canonical, free, stage_key


class Plan(Frozen):
    views: int = 4
    batch: int = free(16)


class Spec(StageSpec):
    task: ClassVar[str] = "some"
    stage: str = "some"
    dataset: ManifestId
    init: ManifestId | None = None
    note: str = ""
    plan: Plan = Plan()
    workers: int = free(2)


DATASET, INIT = "dataset/" + "a" * 64, "checkpoint/" + "b" * 64


def test_free_fields_are_left_out_at_every_depth() -> None:
    assert Spec(dataset=DATASET).identity() == {
        "stage": "some",
        "seed": 0,
        "dataset": DATASET,
        "init": None,
        "note": "",
        "plan": {"views": 4},
    }
    slow, fast = Spec(dataset=DATASET, workers=1, plan=Plan(batch=1)), Spec(dataset=DATASET, workers=8)
    assert stage_key(slow, "code") == stage_key(fast, "code")
    assert stage_key(slow, "code") != stage_key(Spec(dataset=DATASET, plan=Plan(views=5)), "code")


def test_inputs_are_the_artefacts_that_are_named() -> None:
    assert Spec(dataset=DATASET, note="dataset/none").inputs() == {"dataset": DATASET}
    assert Spec(dataset=DATASET, init=INIT).inputs() == {"dataset": DATASET, "init": INIT}


@pytest.mark.parametrize(
    "wrong", [{"dataset": "dataset/1"}, {"dataset": DATASET, "sede": 1}, {"dataset": DATASET, "seed": -1}]
)
def test_a_wrong_spec_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Spec.model_validate(wrong)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), json_values, max_size=5))
def test_equal_values_have_equal_bytes(value: dict[str, object]) -> None:
    assert canonical(dict(reversed(value.items()))) == canonical(value)
