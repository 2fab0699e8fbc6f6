"""The night as pure data: order, inputs, keys, the champion's part."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.plan import CHAMPION, NIGHT, PRODUCT, RIVAL, Night, Stage, Step, night_seed
from model.training.config import PhaseConfig
from tasks.preset import Preset, Training
from tasks.spec import ManifestId, stage_key

PHASE = PhaseConfig(steps=10, losses={"heatmap": 1.0})
PRESET = Preset(training=Training(geometry=PHASE, pretrain=PHASE, finetune=PHASE, joint=PHASE))
CODE = "code"


def manifest(kind: str, name: str) -> ManifestId:
    """A manifest id that differs by name."""
    import hashlib

    return f"{kind}/{hashlib.sha256(name.encode()).hexdigest()}"


REIGNING = manifest("checkpoint", "reigning")


def product(step: Step, of: str = "") -> ManifestId:
    return manifest(PRODUCT[step.stage], step.name + of)


def walked(night: Night, products: dict[str, ManifestId] | None = None) -> list[tuple[Step, str]]:
    """All steps of a night with their keys, each step publishing what `products` says or something of its own."""
    taken = []
    while step := night.next_step():
        taken.append((step, stage_key(night.spec(step), CODE)))
        night = night.after(step, (products or {}).get(step.name, product(step, taken[-1][1])))
    return taken


def names(taken: list[tuple[Step, str]]) -> list[str]:
    return [step.name for step, _ in taken]


def test_the_first_night_has_no_champion_to_measure() -> None:
    assert names(walked(Night(PRESET, 1))) == [step.name for step in NIGHT if step.name != RIVAL]


def test_a_later_night_measures_the_champion_on_its_own_data() -> None:
    night, specs = Night(PRESET, 1, REIGNING), {}
    while step := night.next_step():
        specs[step.name] = night.spec(step)
        night = night.after(step, product(step))
    assert list(specs) == [step.name for step in NIGHT]
    assert specs[RIVAL].inputs() == {"dataset": night.products["validate"], "checkpoint": REIGNING}
    assert specs["promote"].inputs() == {"evaluation": night.products["evaluate"], "champion": night.products[RIVAL]}


def test_a_challenger_that_is_the_champion_is_not_measured_twice() -> None:
    taken = walked(Night(PRESET, 1, REIGNING), {"joint": REIGNING})
    assert RIVAL not in names(taken)
    assert Night(PRESET, 1, REIGNING, {"joint": REIGNING}).challenger_is_champion


def test_each_stage_reads_what_the_stages_before_it_published() -> None:
    night = Night(PRESET, 1, REIGNING, {step.name: product(step) for step in NIGHT})
    by_name = {step.name: night.spec(step) for step in NIGHT}
    assert by_name["collect"].inputs() == {}
    assert by_name["validate"].inputs() == {"dataset": night.products["collect"]}
    assert by_name["geometry"].inputs() == {"dataset": night.products["validate"]}
    for phase, before in (("pretrain", "geometry"), ("finetune", "pretrain"), ("joint", "finetune")):
        assert by_name[phase].inputs() == {"dataset": night.products["validate"], "init": night.products[before]}
        assert by_name[phase].stage == phase
    assert by_name["evaluate"].inputs() == {
        "dataset": night.products["validate"],
        "checkpoint": night.products["joint"],
    }


def test_the_same_night_has_the_same_keys() -> None:
    assert walked(Night(PRESET, 7)) == walked(Night(PRESET, 7))


@given(seeds=st.lists(st.integers(0, 2**31 - 1), min_size=2, max_size=2, unique=True))
def test_another_seed_shares_no_key(seeds: list[int]) -> None:
    one, other = ({key for _, key in walked(Night(PRESET, seed))} for seed in seeds)
    assert one.isdisjoint(other)


def test_what_is_found_of_walks_and_of_the_champion_on_them_is_known_to_nights_of_other_seeds() -> None:
    nights = [Night(PRESET, seed, REIGNING, {step.name: product(step) for step in NIGHT}) for seed in (1, 2)]
    for step in NIGHT:
        one, other = (stage_key(night.spec(step), CODE) for night in nights)
        assert (one == other) == (step.stage in (Stage.VALIDATE, Stage.EVALUATE)), step.name


@pytest.mark.parametrize(
    ("changed", "first"),
    [
        ({"collect": {"steps": 16}}, "collect"),
        ({"training": {"finetune": {"steps": 11}}}, "finetune"),
        ({"training": {"joint": {"lr": 0.5}}}, "joint"),
        ({"evaluate": {"views": 7}}, "evaluate"),
        ({"promote": {"minimum_gain": 0.5}}, "promote"),
    ],
)
def test_a_changed_setting_spares_the_stages_before_it(changed: dict[str, dict[str, object]], first: str) -> None:
    values = PRESET.model_dump(mode="json")
    for section, settings in changed.items():
        for key, value in settings.items():
            nested = values[section][key]
            values[section][key] = {**nested, **value} if isinstance(value, dict) else value
    before, after = walked(Night(PRESET, 1)), walked(Night(Preset.model_validate(values), 1))
    spared = [name for name, (a, b) in zip(names(before), zip(before, after, strict=True), strict=True) if a == b]
    assert spared == names(before)[: names(before).index(first)]


def test_a_night_goes_on_where_it_stopped() -> None:
    done = {step.name: product(step) for step in NIGHT[:5]}
    assert names(walked(Night(PRESET, 1, products=done))) == ["joint", "evaluate", "promote"]


def test_every_source_is_a_step_before_it_or_the_champion() -> None:
    for place, step in enumerate(NIGHT):
        earlier = {other.name for other in NIGHT[:place]} | {CHAMPION}
        assert set(step.sources.values()) <= earlier


def test_every_stage_has_its_turn() -> None:
    assert {step.stage for step in NIGHT} == set(Stage) == set(PRODUCT)


def test_the_seed_of_a_night_is_its_date() -> None:
    scheduled = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
    assert night_seed(scheduled) == int(f"{scheduled.astimezone():%Y%m%d}")
    assert night_seed(scheduled) < 2**31
