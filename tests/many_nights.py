"""A store as many nights leave it, written straight into an S3 server's folder: for tests and measurements."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tasks.spec import HOUSE, ManifestId
from tasks.store import Blob, Manifest
from tasks.store.blobs import blob_of, key
from tasks.store.manifests import path
from tests.rclone_server import RcloneServer

PHASES = ("geometry", "pretrain", "finetune", "joint")
EPISODES = 4


@dataclass
class Nights:
    """A bucket's folder, filled one night after another; each challenger beats the champion before it."""

    folder: Path
    verdicts: list[ManifestId] = field(default_factory=list)
    checkpoints: list[ManifestId] = field(default_factory=list)
    datasets: list[ManifestId] = field(default_factory=list)
    evaluations: list[ManifestId] = field(default_factory=list)
    head: ManifestId | None = None
    objects: int = 0

    def add(self, night: int) -> None:
        """One whole night: 18 manifests, their blobs, their refs."""
        shards = {f"shards/{n:03d}.tar": self.blob(f"night {night} shard {n}".encode()) for n in range(2)}
        index = {"index.parquet": self.blob(walks(night))}
        meta = {"seed": night, "episodes": EPISODES, "frames": 10 * EPISODES}
        raw = self.stage("collect", night, Manifest(kind="dataset", blobs=index | shards, meta=meta))
        passed = {**meta, "quality": {"passed": True, "reasons": [], "rejected": 0}}
        dataset = self.stage(
            "validate", night, Manifest(kind="dataset", blobs=index | shards, inputs={"raw": raw}, meta=passed)
        )
        weights: ManifestId | None = None
        for phase in PHASES:
            blobs = {"weights.safetensors": self.blob(f"night {night} {phase}".encode())}
            inputs = {"dataset": dataset, **({"init": weights} if weights else {})}
            made = Manifest(kind="checkpoint", blobs=blobs, inputs=inputs, meta={"phase": phase, "steps": 10})
            weights = self.stage(phase, night, made)
        assert weights is not None
        evaluation = self.evaluation(night, dataset, weights)
        inputs = {"dataset": dataset, "checkpoint": weights, "evaluation": evaluation}
        if self.checkpoints:
            rival = self.evaluation(night, dataset, self.checkpoints[-1])
            inputs |= {"champion": self.checkpoints[-1], "champion_evaluation": rival}
        verdict = Manifest(kind="verdict", inputs=inputs, meta={"ruling": "promote", "reason": f"night {night} won"})
        self.verdicts.append(self.stage("promote", night, verdict))
        self.enter(night, weights)
        self.checkpoints.append(weights)
        self.datasets.append(dataset)
        self.evaluations.append(evaluation)

    def evaluation(self, night: int, dataset: ManifestId, checkpoint: ManifestId) -> ManifestId:
        """A checkpoint measured on a dataset."""
        blobs = {"metrics.json": self.blob(f"night {night} {checkpoint}".encode())}
        inputs = {"dataset": dataset, "checkpoint": checkpoint}
        meta = {"split": "val_unseen", "views": 20, "scenes": 5}
        return self.stage("evaluate", night, Manifest(kind="evaluation", blobs=blobs, inputs=inputs, meta=meta))

    def enter(self, night: int, champion: ManifestId) -> None:
        """Write the night's verdict into the ledger."""
        entry = {
            "number": night,
            "verdict": self.verdicts[-1],
            "checkpoint": champion,
            "ruling": "promote",
            "champion": champion,
            "former": self.checkpoints[-1] if self.checkpoints else None,
            "by": "test@home",
            "at": "2026-11-23T02:00:00+00:00",
        }
        inputs = {"verdict": self.verdicts[-1], **({"previous": self.head} if self.head else {})}
        meta = {"registered": "backsight", "entry": entry}
        self.head = self.publish(Manifest(kind="ledger", inputs=inputs, meta=meta))
        self.write("refs/ledger/backsight", self.head.encode())

    def stage(self, name: str, night: int, product: Manifest) -> ManifestId:
        """A product and the record of the stage that made it."""
        id = self.publish(product)
        result = {
            "stage": name,
            "key": "",
            "outcome": "succeeded",
            "outputs": {product.kind: id},
            "run_id": f"{night:032x}",
        }
        meta = {"task": name, "spec": {"stage": name, "seed": night}, "result": result}
        record = self.publish(Manifest(kind="stage", inputs=product.inputs, meta=meta))
        self.write(f"refs/stage/{record.partition('/')[2]}", record.encode())
        self.write(f"refs/latest/{name}", id.encode())
        return id

    def publish(self, manifest: Manifest) -> ManifestId:
        """A manifest's file."""
        self.write(path(manifest.id), manifest.encoded())
        return manifest.id

    def blob(self, data: bytes) -> Blob:
        """A blob's file."""
        blob = blob_of(data)
        self.write(key(blob), data)
        return blob

    def write(self, name: str, data: bytes) -> None:
        """An object's file."""
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        self.objects += not file.exists()
        file.write_bytes(data)


def walks(night: int) -> bytes:
    """An `index.parquet` with the columns that lineage reads."""
    names = [f"b{night}-train-{k}" for k in range(EPISODES)]
    columns = {
        "episode": names,
        "scene": [f"b{night}"] * EPISODES,
        "split": ["train"] * EPISODES,
        "stratum": ["forward", "loop"] * (EPISODES // 2),
        "shard": [f"shards/{k % 2:03d}.tar" for k in range(EPISODES)],
    }
    stream = io.BytesIO()
    pq.write_table(pa.table(columns), stream)
    return stream.getvalue()


def environment_of(server: RcloneServer, home: Path) -> dict[str, str]:
    """For `python -m flows.cli` of this source, on the server's bucket `bench`."""
    # A shell may forbid Python to keep what it has compiled; then every command would compile all libraries anew.
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return inherited | server.variables("bench") | {"BACKSIGHT_HOME": str(home), "PYTHONPATH": str(HOUSE)}


def lines_of(figures: Mapping[str, float]) -> str:
    """Measured figures for a person."""
    return "\n".join(f"{name:<36} {value:10.1f}" for name, value in figures.items())
