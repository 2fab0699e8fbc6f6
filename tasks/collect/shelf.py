"""Where finished shards wait, so that a collection that was cut off goes on where it stopped."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Protocol

from tasks.collect.schedule import Shard
from tasks.collect.spec import CollectPlan
from tasks.spec import canonical, code_version
from tasks.store import ArtefactStore, Manifest


class Shelf(Protocol):
    """Keeps finished shards beyond the life of a folder."""

    def take(self, shard: Shard, tar: Path, report: Path) -> bool:
        """Put a kept shard's tar and report in place; whether there was one."""

    def keep(self, shard: Shard, tar: Path, report: Path) -> None:
        """Keep a finished shard."""


class NoShelf:
    """The folder itself is all there is."""

    def take(self, shard: Shard, tar: Path, report: Path) -> bool:
        """Nothing is kept."""
        return False

    def keep(self, shard: Shard, tar: Path, report: Path) -> None:
        """Nothing to do."""


class StoreShelf:
    """Keeps shards in the artefact store, under a key that follows from code, plan, seed and the shard's number."""

    def __init__(self, store: ArtefactStore, plan: CollectPlan, seed: int) -> None:
        self.store = store
        work = {"code": code_version("collect"), "plan": plan.model_dump(mode="json"), "seed": seed}
        self.work = hashlib.sha256(canonical(work)).hexdigest()

    def name(self, shard: Shard) -> str:
        """Name of a shard's ref."""
        return f"{self.work}-{shard.number:05d}"

    def holds(self, shard: Shard) -> bool:
        """Whether a shard is kept."""
        id = self.store.ref("shard", self.name(shard))
        return id is not None and self.store.complete(id)

    def take(self, shard: Shard, tar: Path, report: Path) -> bool:
        """See Shelf."""
        id = self.store.ref("shard", self.name(shard))
        if id is None or not self.store.complete(id):
            return False
        manifest = self.store.manifest(id)
        for place, name in ((tar, "walks.tar"), (report, "report.json")):
            shutil.copyfile(self.store.fetch(manifest.blobs[name]), place)
        return True

    def keep(self, shard: Shard, tar: Path, report: Path) -> None:
        """See Shelf. Of two workers on one shard both publish the same bytes, so the second changes nothing."""
        blobs = {"walks.tar": self.store.put_blob(tar), "report.json": self.store.put_blob(report)}
        manifest = Manifest(kind="shard", blobs=blobs, inputs={}, meta={"blob": shard.blob, "split": shard.split.value})
        self.store.set_ref("shard", self.name(shard), self.store.publish(manifest))
