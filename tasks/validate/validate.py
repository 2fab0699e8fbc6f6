"""The stage `validate`: measures a collected dataset, judges it, and publishes what may be trained on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tasks.errors import DataError
from tasks.spec import ManifestId, canonical
from tasks.stage import StageContext, StageOutcome
from tasks.store import Manifest
from tasks.validate.checks import Severity
from tasks.validate.docs import write_docs
from tasks.validate.examine import examine
from tasks.validate.judge import Report
from tasks.validate.quality import Quality
from tasks.validate.reading import Dataset, Rows, read_dataset
from tasks.validate.spec import ValidateSpec


def validate(spec: ValidateSpec, context: StageContext) -> StageOutcome:
    """Publish the accepted part of a dataset with its quality report; `DataError` with the reasons below the gate."""
    dataset = read_dataset(context.store, spec.dataset)
    with context.progress.track("validating", dataset.episodes, "episodes") as track:
        quality, reports = examine(dataset, spec.thresholds, spec.workers, track.advance)
    published = publish(context, dataset, quality, reports)
    if not quality.passed:
        raise DataError(
            f"The dataset is not fit to train on: {'; '.join(quality.reasons)}. The report is in {published}."
        )
    return StageOutcome({"dataset": published}, metrics(quality))


def publish(context: StageContext, dataset: Dataset, quality: Quality, reports: Sequence[Report]) -> ManifestId:
    """The validated dataset: the same blobs, its index cut to the accepted episodes, the report and its pages."""
    accepted = [rows for rows in dataset.walks() if rows["episode"][0] not in quality.rejected]
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
