"""The work of the stage: make the shards, publish the dataset, draw what was made."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from tasks.collect.dataset import DATASET_FILES, Summary, collect_into
from tasks.collect.live import telling
from tasks.collect.schedule import shards_of
from tasks.collect.shelf import StoreShelf
from tasks.collect.spec import CollectSpec
from tasks.spec import ManifestId
from tasks.stage import StageContext, StageOutcome
from tasks.store import ArtefactStore, Manifest


def collect(spec: CollectSpec, context: StageContext) -> StageOutcome:
    """Outputs {"dataset"}; metrics count episodes, frames, scenes, and what was replaced or given up."""
    from tasks.collect.draw import draw_dataset
    from tasks.collect.mining import with_hard_views

    inputs = {"mined_from": spec.plan.mined_from} if spec.plan.mined_from else {}
    spec = spec.model_copy(update={"plan": with_hard_views(spec.plan, context.store)})
    folder = context.scratch / "dataset"
    shelf = StoreShelf(context.store, spec.plan, spec.seed)
    asked = sum(shard.episodes for shard in shards_of(spec.plan, spec.seed))
    with context.progress.track("collect", asked, "episodes") as track:
        summary = collect_into(folder, spec.plan, spec.seed, spec.workers, telling(track), shelf)
    dataset = context.store.publish(dataset_manifest(context.store, folder, spec, summary, inputs))
    metrics = {
        "episodes": summary.episodes,
        "frames": summary.frames,
        "scenes": sum(summary.scenes.values()),
        "rejected": sum(summary.rejected.values()),
        "missing": summary.missing,
        "unusable_scenes": len(summary.unusable),
    }
    pictures = draw_dataset(folder, context.scratch)
    return StageOutcome({"dataset": dataset}, {name: float(value) for name, value in metrics.items()}, pictures)


def dataset_manifest(
    store: ArtefactStore, folder: Path, spec: CollectSpec, summary: Summary, inputs: dict[str, ManifestId]
) -> Manifest:
    """Store a dataset's files as blobs; the manifest that names them."""
    names = [*DATASET_FILES, *(shard.blob for shard in shards_of(spec.plan, spec.seed))]
    blobs = {name: store.put_blob(folder / name) for name in names}
    return Manifest(kind="dataset", blobs=blobs, inputs=inputs, meta={"seed": spec.seed, **asdict(summary)})
