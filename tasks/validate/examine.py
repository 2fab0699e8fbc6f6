"""From a dataset to its quality report: measures, checks, rejections, verdict. Nothing is published here."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from threadpoolctl import threadpool_limits

from tasks.validate.checks import Check, all_checks, limits
from tasks.validate.gate import decide, rejected_of
from tasks.validate.judge import Report, judge
from tasks.validate.library import import_library
from tasks.validate.measure import Measures, measure
from tasks.validate.quality import Quality, check_results, statistics
from tasks.validate.reading import Dataset
from tasks.validate.spec import Thresholds
from tasks.validate.tables import index_table, strata_table, tables

STRATA = ["forward", "look_around", "revisit", "loop", "hard"]
SPLITS = ["train", "val_seen", "val_unseen", "sealed"]


def examine(
    dataset: Dataset, thresholds: Thresholds, workers: int, advance: Callable[[int], None]
) -> tuple[Quality, list[Report]]:
    """The report on a dataset, and the library's results behind it; `advance` is called with episodes measured."""
    indexed: list[Report] = []

    def meanwhile() -> None:
        import_library()
        indexed.extend(of_the_index(dataset, thresholds))

    # Processes measure side by side: threads of the linear algebra would wait for each other, and burn as much again.
    with without_collection(), threadpool_limits(1):
        # The library takes a second to import: other processes measure meanwhile. In a thread it would take longer,
        # and the measuring beside it, too.
        measures = measure(dataset, thresholds, workers, advance, meanwhile)
        return concluded(dataset, thresholds, measures, indexed)


def of_the_index(dataset: Dataset, thresholds: Thresholds) -> list[Report]:
    """What is said of the index alone, for which nothing has to be measured."""
    return judge({"index": index_table(dataset)}, checks_of(dataset, thresholds))


def concluded(
    dataset: Dataset, thresholds: Thresholds, measures: Measures, indexed: list[Report]
) -> tuple[Quality, list[Report]]:
    """The report on a dataset whose walks are measured and whose index is judged."""
    checks = checks_of(dataset, thresholds)
    checked = tables(dataset, measures)
    reports = [*indexed, *judge(checked, checks)]
    rejected = rejected_of(reports)
    accepted = [rows for rows in dataset.walks() if rows["episode"][0] not in rejected]
    strata = strata_table(dataset, accepted)
    reports += judge({"strata": strata}, checks)
    gate = decide(dataset, accepted, rejected, thresholds.gate)
    quality = Quality(
        dataset=dataset.id,
        passed=gate.passed,
        reasons=list(gate.reasons),
        episodes=dataset.episodes,
        accepted=len(accepted),
        rejected=rejected,
        checks=check_results(reports),
        strata=strata.round(6).to_dict("records"),
        statistics=statistics(checked),
        thresholds=thresholds.model_dump(mode="json"),
    )
    return quality, reports


def checks_of(dataset: Dataset, thresholds: Thresholds) -> list[Check]:
    """All that a dataset is held to."""
    return all_checks(thresholds, limits(thresholds, dataset), STRATA, SPLITS)


@contextmanager
def without_collection() -> Iterator[None]:
    """Look for no cyclic rubbish: a validation leaves little, and looking through all that stays costs a tenth of it.

    The library's import alone makes a million objects for good, and takes half as long again when they are looked at.
    """
    collected = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collected:
            gc.enable()
