"""The stage `validate`: measures a collected dataset, judges it, and publishes what may be trained on."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.errors import DataError
from tasks.spec import ManifestId, canonical
from tasks.stage import StageContext, StageOutcome
from tasks.store import Manifest
from tasks.validate.checks import Severity, all_checks, limits
from tasks.validate.docs import write_docs
from tasks.validate.gate import Gate, decide, rejected_of
from tasks.validate.judge import Report, judge
from tasks.validate.measure import measure
from tasks.validate.quality import Quality, check_results, statistics
from tasks.validate.reading import Dataset, Rows, read_dataset
from tasks.validate.spec import Thresholds, ValidateSpec
from tasks.validate.tables import strata_table, tables

if TYPE_CHECKING:
    from pandas import DataFrame

STRATA = ["forward", "look_around", "revisit", "loop", "hard"]
SPLITS = ["train", "val_seen", "val_unseen", "sealed"]


def validate(spec: ValidateSpec, context: StageContext) -> StageOutcome:
    """Publish the accepted part of a dataset with its quality report; `DataError` with the reasons below the gate."""
    # The library takes seconds to import: it does so while the walks are measured.
    threading.Thread(target=import_library, daemon=True).start()
    dataset = read_dataset(context.store, spec.dataset)
    with context.progress.track("validating", dataset.episodes, "episodes") as track:
        measures = measure(dataset, spec.thresholds, spec.workers, track.advance)
    checks = all_checks(spec.thresholds, limits(spec.thresholds, dataset.plan), STRATA, SPLITS)
    checked = tables(dataset, measures)
    reports = judge(checked, checks)
    rejected = rejected_of(reports)
    accepted = [rows for rows in dataset.walks() if rows["episode"][0] not in rejected]
    checked["strata"] = strata_table(dataset, accepted)
    reports += judge({"strata": checked["strata"]}, checks)
    gate = decide(dataset, accepted, rejected, spec.thresholds.gate)
    quality = quality_of(dataset, gate, rejected, reports, checked, spec.thresholds)
    published = publish(context, dataset, accepted, quality, reports)
    if not gate.passed:
        raise DataError(f"The dataset is not fit to train on: {'; '.join(gate.reasons)}. The report is in {published}.")
    return StageOutcome({"dataset": published}, metrics(quality))


def import_library() -> None:
    """Have Great Expectations imported."""
    import great_expectations  # noqa: F401 - the import itself is the work


def quality_of(
    dataset: Dataset, gate: Gate, rejected: dict[str, list[str]], reports: Sequence[Report],
    checked: dict[str, DataFrame], thresholds: Thresholds,
) -> Quality:  # fmt: skip
    """The report on all of it."""
    return Quality(
        dataset=dataset.id,
        passed=gate.passed,
        reasons=list(gate.reasons),
        episodes=dataset.episodes,
        accepted=dataset.episodes - len(rejected),
        rejected=rejected,
        checks=check_results(reports),
        strata=checked["strata"].round(6).to_dict("records"),
        statistics=statistics(checked),
        thresholds=thresholds.model_dump(mode="json"),
    )


def publish(
    context: StageContext, dataset: Dataset, accepted: list[Rows], quality: Quality, reports: Sequence[Report]
) -> ManifestId:
    """The validated dataset: the same blobs, its index cut to the accepted episodes, the report and its pages."""
    index = write_index(context.scratch / "index.parquet", dataset, accepted)
    pages = write_docs(context.scratch / "data-docs", quality, reports)
    context.run.file(context.scratch / "data-docs", "data-docs")
    if quality.rejected:
        context.store.quarantine(dataset.id.partition("/")[2], {"dataset": dataset.id, "episodes": quality.rejected})
    store = context.store
    blobs = {
        **dataset.manifest.blobs,
        "index.parquet": store.put_blob(index),
        "quality.json": store.put_blob(canonical(quality.model_dump(mode="json"))),
        **{f"docs/{page.name}": store.put_blob(page) for page in pages},
    }
    told = {"passed": quality.passed, "reasons": quality.reasons, "rejected": len(quality.rejected)}
    meta = {**dataset.manifest.meta, **counts(accepted), "quality": told}
    return store.publish(Manifest(kind="dataset", blobs=blobs, inputs={"raw": dataset.id}, meta=meta))


def write_index(path: Path, dataset: Dataset, accepted: list[Rows]) -> Path:
    """The rows of the accepted episodes, in the same schema."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    names = pa.array([rows["episode"][0] for rows in accepted], dataset.index.schema.field("episode").type)
    kept = dataset.index.filter(pc.is_in(dataset.index.column("episode"), value_set=names))
    pq.write_table(kept, path, compression="zstd")
    return path


def counts(accepted: list[Rows]) -> dict[str, Any]:
    """What the accepted part holds."""
    scenes = {(rows["split"][0], rows["scene"][0]) for rows in accepted}
    return {
        "episodes": len(accepted),
        "frames": sum(len(rows["frame"]) for rows in accepted),
        "scenes": dict(sorted(Counter(split for split, _ in scenes).items())),
    }


def metrics(quality: Quality) -> dict[str, float]:
    """The figures of the stage."""
    failed = Counter(check.severity for check in quality.checks if check.failed)
    return {
        "episodes": float(quality.episodes),
        "accepted": float(quality.accepted),
        "rejected_share": len(quality.rejected) / quality.episodes,
        "checks": float(len(quality.checks)),
        "warnings": float(failed[Severity.WARN]),
    }
