"""How `backsight bench chaos` judges: on books that were kept by hand. The trials themselves are the benchmark."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tasks.errors import UsageError
from tests.benchmarks.chaos import parts_of, row, table
from tests.chaos.books import Books, double, lost, unnamed
from tests.chaos.trial import Finding, how_it_ended

CUT = Books(
    stages={"k1": "stage/a", "k2": "stage/b"},
    names={"k1": "collect", "k2": "validate"},
    records=["stage/a", "stage/b", "stage/cut-off"],
)
WHOLE = Books(
    stages={"k1": "stage/a", "k2": "stage/b", "k3": "stage/c"},
    names={"k1": "collect", "k2": "validate", "k3": "promote"},
    records=["stage/a", "stage/b", "stage/c", "stage/cut-off"],
    verdicts=["verdict/1"],
    champion="checkpoint/1",
    referred="checkpoint/1",
    aliased="checkpoint/1",
    versions=["checkpoint/1"],
)
FINDING = Finding("s3", 1, "40 s, geometry", "right", 50.0, 3.0, "right", known=2)


def test_a_rerun_that_goes_on_where_the_night_was_cut_off_has_lost_nothing() -> None:
    assert lost(CUT, WHOLE, {"promote"}) == [] and double(CUT, WHOLE) == []
    assert unnamed(WHOLE) == 1


def test_a_stage_that_had_published_and_runs_again_is_lost() -> None:
    assert lost(CUT, WHOLE, {"validate", "promote"}) == ["validate"]
    assert lost(CUT, replace(WHOLE, stages={"k1": "stage/a", "k3": "stage/c"}), {"promote"}) == ["validate"]
    assert lost(CUT, replace(WHOLE, broken=["collect"]), set()) == ["collect (incomplete)"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"stages": {"k1": "stage/z", "k2": "stage/b"}}, "collect (other record)"),
        ({"verdicts": ["verdict/1", "verdict/1"]}, "ledger entry of verdict/1"),
        ({"versions": ["checkpoint/1", "checkpoint/1"]}, "version of checkpoint/1"),
        ({"aliased": None}, "champion: ledger, ref and alias differ"),
        ({"referred": "checkpoint/0"}, "champion: ledger, ref and alias differ"),
    ],
)
def test_what_stands_twice_in_the_books_is_named(change: dict[str, object], said: str) -> None:
    assert double(CUT, replace(WHOLE, **change)) == [said]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("code", "errors", "said", "loud"),
    [
        (0, "", "right", True),
        (1, "noise\nerror: MLflow does not answer.\n", "failed: MLflow does not answer.", True),
        (1, "Traceback\nValueError: x\n", "SILENT (exit code 1): ValueError: x", False),
        (-9, "", "SILENT (exit code -9): ", False),
    ],
)
def test_an_end_is_right_or_loud_or_neither(code: int, errors: str, said: str, loud: bool) -> None:
    assert how_it_ended(code, errors) == said
    assert replace(FINDING, ended=said).loud is loud


@pytest.mark.parametrize(
    "change", [{"ended": "HUNG for 300 s"}, {"rerun": "failed: x"}, {"lost": ("collect",)}, {"hanging": ("night",)}]
)
def test_what_is_to_be_mended_is_not_called_good(change: dict[str, object]) -> None:
    assert FINDING.good and not replace(FINDING, **change).good  # type: ignore[arg-type]


def test_the_table_has_a_line_a_trial_and_a_strange_part_is_refused() -> None:
    lines = table([row(FINDING), row(replace(FINDING, hanging=("collect smoke 1",)))]).splitlines()
    assert lines[2] == "| s3 | 40 s, geometry | right (50 s after) | 3 | right, 2 stages known | 0 | 0 |"
    assert lines[3].endswith("| collect smoke 1 (never ends) |")
    assert parts_of("s3, rank") == ["s3", "rank"]
    with pytest.raises(UsageError, match="no part 'disk'"):
        parts_of("disk")
