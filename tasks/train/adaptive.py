"""The adaptive scheduler's inputs from the store: the phase before, and how the data fared at its gate."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from model.training.adaptive import Quality, adapt
from model.training.history import History

if TYPE_CHECKING:
    from model.training.checkpoint import CheckpointFiles
    from model.training.config import PhaseConfig
    from tasks.spec import ManifestId
    from tasks.stage import StageContext
    from tasks.store import ArtefactStore
    from tasks.train.spec import TrainSpec


def adapted(spec: TrainSpec, context: StageContext, init: CheckpointFiles | None) -> PhaseConfig:
    """The phase's numbers as the scheduler has them; what it changed, with the causes, lies in MLflow.

    All of it follows from the spec's own inputs, so equal specs still give equal checkpoints.
    """
    config = spec.phase.adaptive
    if not config.enabled:
        return spec.phase
    before = History.read(init.history) if init else None
    phase, changes = adapt(config, spec.phase, before, Quality(accepted_shares(context.store, spec.dataset)))
    path = context.scratch / "adaptive.json"
    path.write_text(json.dumps([change.as_json() for change in changes], indent=1))
    context.run.file(path)
    return phase


def accepted_shares(store: ArtefactStore, dataset: ManifestId) -> dict[str, float]:
    """Stratum -> share of the collected episodes that validation accepted."""
    manifest = store.manifest(dataset)
    raw = manifest.inputs.get("raw")
    if raw is None:
        return {}
    collected = episodes_by_stratum(store, raw)
    accepted = episodes_by_stratum(store, dataset)
    return {stratum: accepted.get(stratum, 0) / count for stratum, count in collected.items()}


def episodes_by_stratum(store: ArtefactStore, dataset: ManifestId) -> dict[str, int]:
    """Stratum -> episodes of a dataset."""
    import pyarrow.parquet as pq

    index = pq.read_table(store.fetch(store.manifest(dataset).blobs["index.parquet"]), columns=["episode", "stratum"])
    pairs = set(zip(index["episode"].to_pylist(), index["stratum"].to_pylist(), strict=True))
    found: dict[str, int] = {}
    for _, stratum in pairs:
        found[stratum] = found.get(stratum, 0) + 1
    return found
