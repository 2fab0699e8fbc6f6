"""Per-view scores of several systems (the model and the baselines) on one plan of views, and their Parquet file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tasks.errors import DataError

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class PlanRows:
    """Who the V views are, and what is true of their K keyframes: the same for every system."""

    scene: NDArray[np.str_]
    """[V]"""
    episode: NDArray[np.str_]
    """[V]"""
    stratum: NDArray[np.str_]
    """[V]"""
    frame: NDArray[np.int64]
    """[V] the current view's frame in its episode."""
    keyframes: NDArray[np.int64]
    """[V, K] frames of the keyframes; -1 = padding."""
    visible: Bools
    """[V, K] at least 1 % of the current view is co-visible with the keyframe."""
    certain: Bools
    """[V, K] far enough from that border to count in the visibility metrics."""

    @property
    def valid(self) -> Bools:
        """[V, K] whether there is a keyframe at all."""
        return self.keyframes >= 0

    def same_as(self, other: PlanRows) -> bool:
        """Whether two systems were asked the same questions with the same answers."""
        return all(np.array_equal(getattr(self, f.name), getattr(other, f.name)) for f in fields(self))


@dataclass(frozen=True)
class Scores:
    """How one system did. NaN where a metric says nothing: maps of pairs without a true map, padding."""

    kld: Floats
    """[V, K] KL(T || P) over the cells and the none bin, nats."""
    cc: Floats
    """[V, K] linear correlation of the maps; visible pairs."""
    nss: Floats
    """[V, K] normalised scanpath saliency at the target's mode; visible pairs."""
    distance: Floats
    """[V, K] from the prediction's mode to the target's, as a share of the map's diagonal; visible pairs."""
    none: Floats
    """[V, K] predicted probability that the keyframe's place is not in view."""
    identity: Floats
    """[V, K] 1 where the prediction resembles its own keyframe's target most, else 0; visible pairs."""
    inside: Floats
    """[V, K] 1 where the prediction's mode lies in a cell that shows something of the keyframe; visible pairs."""
    metres: Floats
    """[V, K] between what the modes of prediction and target show, in space; visible pairs."""
    auc: Floats
    """[V, K] chance that a place of the target gets more than one of other views' targets; visible pairs."""
    confusion: Floats
    """[V, 3, 3] cells by true class (row) and predicted class (column); all zero for systems without classes."""

    def broken(self, plan: PlanRows) -> int:
        """Number of views in which a prediction is not a number."""
        lost = plan.valid & ~(np.isfinite(self.none) & np.isfinite(self.kld))
        return int(np.any(lost, axis=1).sum())


@dataclass(frozen=True)
class ScoreBook:
    """The plan's rows and every system's scores on them."""

    plan: PlanRows
    systems: Mapping[str, Scores]


def write_scores(book: ScoreBook, path: Path) -> None:
    """One row a (system, view): the plan's columns, then the scores as lists over the keyframes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    # A column of nothing but nulls, as a few views may give, would otherwise get no type that others can join.
    kinds = {f.name: pa.list_(pa.float64()) for f in fields(Scores)}
    tables = []
    for name, scores in book.systems.items():
        lists = columns(name, book.plan, scores)
        tables.append(pa.table({name: pa.array(values, kinds.get(name)) for name, values in lists.items()}))
    pq.write_table(pa.concat_tables(tables), path, compression="zstd")


def columns(system: str, plan: PlanRows, scores: Scores) -> dict[str, list[object]]:
    """Parquet columns of one system; NaN becomes null, so that readers cannot average over it unawares."""
    table: dict[str, list[object]] = {"system": [system] * len(plan.scene), "view": list(range(len(plan.scene)))}
    table |= {f.name: getattr(plan, f.name).tolist() for f in fields(PlanRows)}
    table |= {f.name: listed(getattr(scores, f.name)) for f in fields(Scores)}
    return table


def listed(values: Floats) -> list[object]:
    """Rows of an array as flat lists with None for NaN."""
    flat = values.reshape(len(values), -1)
    return [[None if np.isnan(x) else x for x in row] for row in flat.tolist()]


LATER = {"inside", "metres", "auc"}
"""Scores that evaluations of earlier versions lack: they say nothing there, and still compare in all others."""


def read_scores(path: Path) -> ScoreBook:
    """The file that `write_scores` wrote. `DataError` where columns are missing or the systems' views differ."""
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    wanted = {"system", "view", *(f.name for f in fields(PlanRows)), *(f.name for f in fields(Scores))}
    if missing := wanted - LATER - set(table.column_names):
        raise DataError(f"{path.name} has no column '{min(missing)}': an older version wrote it; evaluate again.")
    frame = {name: table.column(name).to_pylist() for name in wanted & set(table.column_names)}
    for name in wanted - frame.keys():
        frame[name] = [[None] * len(row) for row in frame["kld"]]
    rows_of: dict[str, list[int]] = {}
    for row, system in enumerate(frame["system"]):
        rows_of.setdefault(system, []).append(row)
    plans = {name: read_plan(frame, rows) for name, rows in rows_of.items()}
    if not plans or not all(plan.same_as(next(iter(plans.values()))) for plan in plans.values()):
        raise DataError(f"The systems in {path.name} do not share one plan of views: evaluate again.")
    return ScoreBook(next(iter(plans.values())), {name: read_system(frame, rows) for name, rows in rows_of.items()})


def read_plan(frame: Mapping[str, list[object]], rows: list[int]) -> PlanRows:
    """The plan's columns at some rows."""
    dtypes = {"scene": str, "episode": str, "stratum": str, "visible": bool, "certain": bool}
    return PlanRows(
        **{f.name: np.array([frame[f.name][r] for r in rows], dtypes.get(f.name, np.int64)) for f in fields(PlanRows)}
    )


def read_system(frame: Mapping[str, list[object]], rows: list[int]) -> Scores:
    """A system's scores at some rows; null becomes NaN."""
    values = {f.name: np.array([frame[f.name][r] for r in rows], dtype=np.float64) for f in fields(Scores)}
    values["confusion"] = values["confusion"].reshape(len(rows), 3, 3)
    return Scores(**values)
