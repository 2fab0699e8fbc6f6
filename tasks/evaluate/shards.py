"""An evaluation in shards whose scores are kept, so that one that was cut off measures only what is missing."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from tasks.evaluate.scoring import joined
from tasks.evaluate.spec import EvaluateSpec
from tasks.scores import PlanRows, ScoreBook, read_scores, write_scores
from tasks.spec import canonical, code_version
from tasks.store import ArtefactStore, Manifest

KIND = "part"


@dataclass(frozen=True)
class Shard:
    """Consecutive views of the plan."""

    start: int
    stop: int


def shards_of(views: int, batch: int, size: int) -> Iterator[Shard]:
    """The plan cut into shards of about `size` views, each of whole batches.

    So that every view is predicted in the same batch, hence with the same rounding, however the plan is cut.
    """
    step = max(1, round(size / batch)) * batch
    return (Shard(start, min(start + step, views)) for start in range(0, views, step))


class ScoreShelf:
    """Keeps the scores of finished shards in the artefact store, by what they follow from."""

    def __init__(self, store: ArtefactStore, spec: EvaluateSpec) -> None:
        self.store = store
        work = {"code": code_version("evaluate"), "spec": spec.identity()}
        self.work = hashlib.sha256(canonical(work)).hexdigest()

    def name(self, shard: Shard) -> str:
        """Name of a shard's ref."""
        return f"{self.work}-{shard.start:07d}-{shard.stop:07d}"

    def take(self, shard: Shard) -> ScoreBook | None:
        """The scores of a shard that was measured before."""
        id = self.store.ref(KIND, self.name(shard))
        if id is None or not self.store.complete(id):
            return None
        self.store.keep_ref(KIND, self.name(shard), id)
        return read_scores(self.store.fetch(self.store.manifest(id).blobs["views.parquet"]))

    def keep(self, shard: Shard, book: ScoreBook) -> ScoreBook:
        """Keep a shard's scores; gives them back as `take` will, so that both ways lead to equal figures."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "views.parquet"
            write_scores(book, path)
            manifest = Manifest(kind="scores", blobs={"views.parquet": self.store.put_blob(path)})
            self.store.set_ref(KIND, self.name(shard), self.store.publish(manifest))
            return read_scores(path)


def together(books: Sequence[ScoreBook]) -> ScoreBook:
    """Consecutive shards as one book."""
    plan = PlanRows(**{f.name: np.concatenate([getattr(b.plan, f.name) for b in books]) for f in fields(PlanRows)})
    systems = {name: joined([book.systems[name] for book in books]) for name in books[0].systems}
    return ScoreBook(plan, systems)
