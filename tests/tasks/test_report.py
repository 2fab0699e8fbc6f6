"""The table that a night ends with."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.evaluation import Evaluation
from tasks.report import metrics_markdown, metrics_table, written
from tests.promotions import evaluation_record
from tests.score_books import score_book


def evaluation(checkpoint: str = "a", model: float = 0.1, scenes: int = 8) -> Evaluation:
    return evaluation_record(score_book(model, 0.8, scenes=scenes), f"checkpoint/{checkpoint * 64}")


def test_table_fits_the_terminal_and_names_every_system_with_its_figure() -> None:
    night = evaluation()
    table = metrics_table(night, evaluation("b", 0.3))
    assert max(len(line) for line in table.splitlines()) <= 100
    row = next(line for line in table.splitlines() if line.startswith("this model")).split()
    assert row[2] == written(night.model["kld"].value)
    assert [line.split("  ")[0] for line in table.splitlines() if line.startswith(("champion", "mean map"))] == [
        "champion before",
        "mean map by slot",
    ]
    assert "8 scenes of val_unseen" in table
    assert "  this model − mean map by slot: KLD all -0." in table


def test_the_champion_is_not_listed_beside_itself() -> None:
    assert "champion before" not in metrics_table(evaluation(), evaluation())


def test_markdown_has_one_header_and_as_many_cells_everywhere() -> None:
    lines = [line for line in metrics_markdown(evaluation(), evaluation("b")).splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in lines}) == 1
    assert set(lines[1]) <= set("|-: ")
    assert sum("**" in line for line in lines) == 1


def test_one_scene_is_told_by_dashes_not_by_made_up_bounds() -> None:
    rows = metrics_table(evaluation(scenes=1)).splitlines()
    assert rows[4].split()[3:] == ["–"] * 10


@given(st.floats(-99, 999))
def test_figures_stay_narrow_and_close(value: float) -> None:
    text = written(value)
    assert len(text) <= 6
    assert float(text) == pytest.approx(value, abs=5.1e-3 if abs(value) >= 0.9995 else 5.1e-4)


def test_what_rounds_to_one_is_written_as_one() -> None:
    assert written(0.9999) == "1.00"
    assert written(-0.25) == "-.250"
    assert written(None) == "–"
