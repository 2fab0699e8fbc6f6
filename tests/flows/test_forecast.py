"""The forecast of a night: what is known, what runs, what cannot be known yet, and what it may cost."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from pathlib import Path

import pytest
from click.testing import CliRunner

from flows.cli.plan import plan
from flows.forecast import Forecast, Prices, Question, forecast, read_prices
from flows.launch.resources import read_table
from tasks.errors import UsageError
from tasks.preset import load_preset
from tasks.spec import Outcome, StageResult, StageSpec, stage_key

PRODUCTS = {"collect": "dataset", "validate": "dataset", "evaluate": "evaluation", "promote": "verdict"}
PRICES = Prices(core_hour=1.0, memory_gib_hour=0.0, gpu_hour=10.0)


def knowing(stages: Collection[str]) -> Callable[[StageSpec], StageResult | None]:
    def known(spec: StageSpec) -> StageResult | None:
        product = PRODUCTS.get(spec.stage, "checkpoint")
        outputs = {product: f"{product}/{len(spec.stage):064d}"}
        found = StageResult(stage=spec.stage, key="k", outcome=Outcome.CACHED, outputs=outputs, seconds=7200)
        return found if spec.stage in stages else None

    return known


def asked(known: Collection[str] | None, preset: str = "tiny") -> list[Forecast]:
    look_up = None if known is None else knowing(known)
    table = read_table()
    key = lambda spec: stage_key(spec, "code")  # noqa: E731
    return forecast(Question(preset, load_preset(preset), 7, None, table, PRICES, key, look_up))


def test_a_first_night_runs_everything_and_knows_one_key() -> None:
    lines = asked(())
    assert [line.step for line in lines] == [
        "collect", "validate", "geometry", "pretrain", "finetune", "joint", "evaluate", "promote",
    ]  # fmt: skip
    assert [bool(line.key) for line in lines] == [True] + [False] * 7
    assert all(line.known is False and line.most_cost > 0 for line in lines)


def test_what_is_known_costs_nothing_and_gives_the_next_key() -> None:
    lines = asked({"collect", "validate", "geometry"})
    assert [line.known for line in lines] == [True] * 3 + [False] * 5
    assert [bool(line.key) for line in lines] == [True] * 4 + [False] * 4
    assert [line.most_cost for line in lines[:3]] == [0, 0, 0] and lines[0].ran_hours == 2


def test_without_a_store_nothing_counts_as_known() -> None:
    assert all(line.known is None and line.launches for line in asked(None))


def test_cost_is_pods_times_price_times_deadline() -> None:
    collect = asked((), "full")[0]
    r = collect.resources
    assert collect.most_gpu_hours == r.pods * r.gpus * r.deadline_hours
    assert collect.most_cost == pytest.approx(r.pods * (r.cpu + 10 * r.gpus) * r.deadline_hours)


def test_broken_prices_name_the_key(tmp_path: Path) -> None:
    (tmp_path / "prices.yaml").write_text("core_hours: 1")
    with pytest.raises(UsageError, match="core_hour"):
        read_prices(tmp_path / "prices.yaml")


def test_the_command_needs_no_store_and_says_so(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BACKSIGHT_S3_ENDPOINT", raising=False)
    done = CliRunner().invoke(plan, ["nightly", "--profile", "cluster", "--seed", "3"])
    assert done.exit_code == 0, done.output
    assert "8 stages run, 0 are known" in done.output and "No artefact store is configured" in done.output
    as_json = CliRunner().invoke(plan, ["nightly", "--seed", "3", "--json"])
    assert len(json.loads(as_json.output)["steps"]) == 8
