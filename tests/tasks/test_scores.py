"""Per-view scores on disk."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.errors import DataError
from tasks.scores import Scores, read_scores, write_scores
from tasks.summary import over_scenes, summarise
from tests.score_books import score_book


def test_scores_survive_the_file_exactly(tmp_path: Path) -> None:
    book = score_book()
    write_scores(book, tmp_path / "views.parquet")
    back = read_scores(tmp_path / "views.parquet")
    assert back.plan.same_as(book.plan)
    assert list(back.systems) == ["model", "slot_mean"]
    for name, system in book.systems.items():
        for field in fields(Scores):
            np.testing.assert_array_equal(getattr(back.systems[name], field.name), getattr(system, field.name))


def test_what_is_undefined_is_null_on_disk(tmp_path: Path) -> None:
    book = score_book()
    write_scores(book, tmp_path / "views.parquet")
    column = pq.read_table(tmp_path / "views.parquet").column("cc").combine_chunks()
    seen = book.plan.valid & book.plan.visible
    assert column.flatten().null_count == 2 * int((~seen).sum())


def test_a_file_of_before_a_metric_was_known_says_nothing_of_it_and_compares_in_the_others(tmp_path: Path) -> None:
    book, path = score_book(), tmp_path / "views.parquet"
    write_scores(book, path)
    pq.write_table(pq.read_table(path).drop_columns(["metres", "auc"]), path)
    old = read_scores(path).systems["model"]
    assert old.metres.shape == old.kld.shape and np.isnan(old.metres).all() and np.isnan(old.auc).all()
    np.testing.assert_array_equal(old.inside, book.systems["model"].inside)
    figures = summarise(book.plan, old, over_scenes(book.plan, 100, 0.95, 0))
    assert figures["metres"].value is figures["acc05"].value is figures["sauc"].value is None
    assert figures["kld"].value is not None


def test_a_foreign_file_is_told(tmp_path: Path) -> None:
    pq.write_table(pa.table({"system": ["model"], "view": [0]}), tmp_path / "views.parquet")
    with pytest.raises(DataError, match=r"views\.parquet has no column 'cc'"):
        read_scores(tmp_path / "views.parquet")


def test_systems_with_different_views_are_told(tmp_path: Path) -> None:
    book = score_book()
    write_scores(book, tmp_path / "views.parquet")
    table = pq.read_table(tmp_path / "views.parquet")
    pq.write_table(table.slice(0, len(table) - 1), tmp_path / "views.parquet")
    with pytest.raises(DataError, match="do not share one plan"):
        read_scores(tmp_path / "views.parquet")
