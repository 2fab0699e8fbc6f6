"""What is refused before anything is submitted, and the forms on Prefect's page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.cli.submit import checked, flow_named, parameters_of, parsed, submit
from flows.deployments import Deployment, deployments, form, local_timezone
from flows.parameters import KEYS, merged
from flows.plan import Stage
from tasks.errors import BacksightError, UsageError


def test_values_are_what_they_look_like() -> None:
    words = ["training.joint.batch=8", "a.lr=0.5", "a.pairs=true", "dataset=latest", "a.b=x=y"]
    assert parsed(words) == {"training.joint.batch": 8, "a.lr": 0.5, "a.pairs": True, "dataset": "latest", "a.b": "x=y"}


@pytest.mark.parametrize("word", ["", "steps", "=8", "steps:8"])
def test_a_setting_without_key_or_value_is_refused(word: str) -> None:
    with pytest.raises(UsageError, match="--set key=value"):
        parsed([word])


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"seed": -1}, "seed should be greater than or equal to 0, not -1."),
        ({"training_scenes": 0}, "training_scenes should be greater than or equal to 1, not 0."),
        ({"finetune_steps": "many"}, "finetune_steps should be a valid integer"),
        ({"force": "perhaps"}, "force should be a valid boolean"),
    ],
)
def test_a_value_out_of_bounds_is_refused(parameters: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        checked(flow_named("nightly"), parameters)


def test_an_unknown_setting_names_the_nearest(smoke: Path) -> None:
    with pytest.raises(UsageError, match="nightly has no setting 'training_scene'; did you mean training_scenes"):
        parameters_of(flow_named("nightly"), str(smoke), None, False, {"training_scene": 4})
    with pytest.raises(UsageError, match="did you mean batch"):
        parameters_of(flow_named("nightly"), str(smoke), None, False, {"training.joint.bach": 4})
    with pytest.raises(UsageError, match="There is no preset 'tinny'"):
        parameters_of(flow_named("nightly"), "tinny", None, False, {})


def test_settings_go_where_they_belong(smoke: Path) -> None:
    settings = {"training_scenes": 9, "training.joint.lr": 0.5}
    found = parameters_of(flow_named("nightly"), str(smoke), 3, True, settings)
    assert found == {
        "preset": str(smoke.absolute()),
        "seed": 3,
        "force": True,
        "overrides": {"training.joint.lr": 0.5},
        "training_scenes": 9,
    }


@given(st.dictionaries(st.sampled_from(sorted(KEYS)), st.none() | st.integers(1, 9)), st.integers(10, 20))
def test_a_parameter_with_a_name_wins_over_a_free_key(named: dict[str, int | None], free: int) -> None:
    changed = merged(dict.fromkeys(KEYS.values(), free), **named)
    assert changed == {key: named.get(name) or free for name, key in KEYS.items()}


@pytest.fixture(scope="module")
def served() -> dict[str, Deployment]:
    return {deployment.name: deployment for deployment in deployments()}


def test_each_stage_and_the_night_are_served(served: dict[str, Deployment]) -> None:
    assert set(served) == {f"{name}/{name}" for name in [*Stage, "approval", "approval-expiry", "nightly", "monitor"]}
    assert [name for name, deployment in served.items() if deployment.schedules] == [
        "nightly/nightly",
        "monitor/monitor",
    ]
    assert served["collect/collect"].entrypoint == "flows.stages.collect"


def test_every_field_of_every_form_says_what_it_is_for(served: dict[str, Deployment]) -> None:
    for deployment in served.values():
        for name, field in form(deployment.flow)["properties"].items():
            assert field.get("title") and field["title"] != name, (deployment.name, name)
            assert field.get("description", "").endswith((".", "}.")), (deployment.name, name)


def test_numbers_in_the_forms_are_bounded(served: dict[str, Deployment]) -> None:
    for deployment in served.values():
        for name, field in form(deployment.flow)["properties"].items():
            for kind in field.get("anyOf", [field]):
                if kind.get("type") == "integer":
                    assert "minimum" in kind and {"maximum", "exclusiveMaximum"} & set(kind), (deployment.name, name)


def test_the_time_zone_is_the_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Zurich")
    assert local_timezone() == "Europe/Zurich"
    monkeypatch.setenv("TZ", "Nowhere/Land")
    assert local_timezone() == "UTC"


def test_a_server_that_dies_meanwhile_is_told_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    import httpx

    def refused(*_: object, **__: object) -> None:
        raise httpx.ConnectError("[Errno 111] Connection refused")

    monkeypatch.setattr("prefect.deployments.run_deployment", refused)
    with pytest.raises(BacksightError, match=r"stopped answering \(ConnectError\) while nightly was submitted"):
        submit("nightly", {}, "night")
