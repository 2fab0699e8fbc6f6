"""`backsight bench`: one row a benchmark, arguments handed on untouched, one sentence without the source."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path

import pytest

import flows.cli as cli
from flows.cli import bench

Capture = pytest.CaptureFixture[str]


def test_every_row_of_the_table_is_a_benchmark_and_every_benchmark_a_row() -> None:
    assert all(callable(import_module(module).main) for module, _ in bench.BENCHMARKS.values())
    files = {path.stem for path in (bench.HOUSE / "tests" / "benchmarks").glob("[a-z]*.py")}
    rows = {module.removeprefix(bench.CHECKOUT) for module, _ in bench.BENCHMARKS.values()}
    assert files <= rows


def test_arguments_reach_the_benchmark(capsys: Capture) -> None:
    assert cli.invoke(["bench", "sampling", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["sampling"]["same_picks"] is True


def test_help_is_the_benchmarks_own(capsys: Capture) -> None:
    with pytest.raises(SystemExit) as left:
        cli.invoke(["bench", "render", "--help"])
    assert left.value.code == 0
    assert capsys.readouterr().out.startswith("usage: backsight bench render")


def test_without_the_source_one_sentence_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Capture
) -> None:
    monkeypatch.setattr(bench, "HOUSE", tmp_path)
    assert cli.invoke(["bench", "sampling"]) == 2
    assert "part of the source" in capsys.readouterr().err
