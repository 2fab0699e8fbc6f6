"""Reads an artefact's lineage from a store: ancestors down to the episodes' seeds, descendants up to the verdicts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

from tasks.collect.seeds import seed_of
from tasks.lineage.describe import facts, made_by
from tasks.lineage.graph import Lineage, Node, Seed, reach
from tasks.lineage.walks import read_walks
from tasks.spec import REGISTERED, ManifestId
from tasks.store import ArtefactStore, Manifest
from tasks.store.index import ManifestIndex, Walk

RECORDS = ("stage", "night")
"""Kinds that tell of work; they are no work themselves and stand in no chain."""

EPISODE, SHARD = "episode", "shard"


@dataclass(frozen=True)
class Part:
    """A part of datasets that lineage can start from."""

    kind: str
    name: str
    datasets: tuple[ManifestId, ...]
    """Those that hold it."""
    walks: tuple[Walk, ...]
    """Its episodes."""


@dataclass
class Tracer:
    """Follows one store's artefacts through its index."""

    store: ArtefactStore
    index: ManifestIndex
    registered: str = REGISTERED
    manifests: dict[ManifestId, Manifest | None] = field(default_factory=dict)

    def of_artefact(self, id: ManifestId) -> Lineage:
        """The lineage of a published artefact."""
        back = reach(id, self.parents)
        forward = reach(id, self.children)
        return self._lineage(id, back, forward, self.seeds(back))

    def of_part(self, part: Part) -> Lineage:
        """The lineage of a shard or an episode: its seeds, and what was made from the datasets that hold it."""
        id = f"{part.kind}/{part.name}"
        holding = set(part.datasets)

        def children(node: str) -> list[str]:
            found = list(part.datasets) if node == id else self.children(node)
            # A dataset made from one that holds the episode may have left it out.
            return [child for child in found if not child.startswith("dataset/") or child in holding]

        first = next((d for d in part.datasets if "raw" not in self.manifest(d).inputs), part.datasets[0])
        seeds = tuple(self.seed(first, walk) for walk in part.walks)
        told = (f"{len(part.walks)} episodes",) if part.kind == SHARD else (part.walks[0].stratum, part.walks[0].split)
        forward = reach(id, children)
        return self._lineage(id, {id: ()}, forward, seeds, Node(id, part.kind, told))

    def parents(self, id: str) -> list[str]:
        """What an artefact was made from."""
        manifest = self._known(id)
        if manifest is None:
            return []
        return sorted({target for name, target in manifest.inputs.items() if not chained(manifest, name)})

    def children(self, id: str) -> list[str]:
        """What was made from an artefact."""
        return [
            source for source in self.index.naming(id) if id in self.parents(source) and kind(source) not in RECORDS
        ]

    def seeds(self, ancestors: Iterable[str]) -> tuple[Seed, ...]:
        """The seeds of all episodes in the collected datasets among some artefacts."""
        collected = [id for id in ancestors if kind(id) == "dataset" and not self.parents(id)]
        return tuple(self.seed(id, walk) for id in sorted(collected) for walk in self.walks(id))

    def seed(self, dataset: ManifestId, walk: Walk) -> Seed:
        """Where one episode of a dataset begins."""
        collection = int(self.manifest(dataset).meta.get("seed", 0))
        first = seed_of("episode", collection, walk.episode, 0)
        return Seed(dataset, walk.episode, walk.scene, walk.split, walk.stratum, collection, first)

    def walks(self, dataset: ManifestId) -> list[Walk]:
        """The episodes of a dataset."""
        blob = self.manifest(dataset).blobs.get("index.parquet")
        return [] if blob is None else read_walks(self.store, self.index, blob)

    def manifest(self, id: ManifestId) -> Manifest:
        """An artefact that is there."""
        known = self._known(id)
        return self.store.manifest(id) if known is None else known

    def node(self, id: str) -> Node:
        """What is shown of an artefact; one that a gc has removed is said to be gone."""
        manifest = self._known(id)
        if manifest is None:
            return Node(id, kind(id), ("no longer in the store",))
        records = [self._known(source) for source in self.index.naming(id) if kind(source) == "stage"]
        maker = made_by([record for record in records if record is not None], id)
        return Node(id, manifest.kind, facts(manifest), maker, self.marks.get(id, ()))

    @cached_property
    def marks(self) -> dict[str, tuple[str, ...]]:
        """Checkpoint -> what the ledger says it is."""
        # Read as data: the ledger's own module brings the gate's statistics along, which take half a second to import.
        head = self.store.ref("ledger", self.registered)
        if head is None:
            return {}
        entry = self.manifest(head).meta.get("entry", {})
        named = {"champion": entry.get("champion"), "previous": entry.get("former")}
        return {id: tuple(name for name, at in named.items() if at == id) for id in named.values() if id is not None}

    def _lineage(
        self,
        root: str,
        back: dict[str, tuple[str, ...]],
        forward: dict[str, tuple[str, ...]],
        seeds: tuple[Seed, ...],
        own: Node | None = None,
    ) -> Lineage:
        nodes = {id: own if own is not None and id == root else self.node(id) for id in back | forward}
        return Lineage(root, nodes, back, forward, seeds)

    def _known(self, id: str) -> Manifest | None:
        if id not in self.manifests:
            self.manifests[id] = self.index.manifest(id)
        return self.manifests[id]


def kind(id: str) -> str:
    """The part of an id before the slash."""
    return id.partition("/")[0]


def chained(manifest: Manifest, name: str) -> bool:
    """Whether an input only links the ledger's entries to each other."""
    return manifest.kind == "ledger" and name == "previous"
