"""One pod's share of a collection that is dealt out over many: it makes its shards; the last to finish joins them all.

Every pod puts its shards on the shelf before it looks whether all are there, so at least one of them sees all. Where
two do, both join, and the store lets one of the equal outcomes count.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tasks.collect.dataset import part_path
from tasks.collect.live import telling
from tasks.collect.mining import with_hard_views
from tasks.collect.schedule import Shard, shards_of
from tasks.collect.shelf import StoreShelf
from tasks.collect.spec import CollectSpec
from tasks.errors import UsageError
from tasks.progress import open_progress
from tasks.settings import home
from tasks.stage import cached
from tasks.store import open_store

NUMBER, OF = "JOB_COMPLETION_INDEX", "BACKSIGHT_SHARES"


@dataclass(frozen=True)
class Share:
    """Which part of the shards is this process's."""

    number: int
    of: int

    def mine(self, shards: list[Shard]) -> list[Shard]:
        """Every `of`-th shard, so that all shares hold shards of all splits."""
        return [shard for shard in shards if shard.number % self.of == self.number]


def share_of(environment: Mapping[str, str] = os.environ) -> Share | None:
    """The share that an Indexed Job's variables name; None = the whole work."""
    if OF not in environment:
        return None
    try:
        share = Share(int(environment[NUMBER]), int(environment[OF]))
    except (KeyError, ValueError) as error:
        raise UsageError(f"{OF} is set, so {NUMBER} must say which share this is: {error}.") from error
    if not 0 <= share.number < share.of:
        raise UsageError(f"{NUMBER} {share.number} is no share of {share.of}.")
    return share


def is_last(spec: CollectSpec, force: bool) -> bool:
    """Make this process's share, if it has only one; whether the whole is left for it to join."""
    share = share_of()
    if share is None:
        return True
    store = open_store()
    if not force and cached(store, spec) is not None:
        return True
    # The key above is that of what was asked; what is walked follows from it.
    spec = spec.model_copy(update={"plan": with_hard_views(spec.plan, store)})
    shelf, shards = StoreShelf(store, spec.plan, spec.seed), shards_of(spec.plan, spec.seed)
    make_share(spec, share.mine(shards), shelf)
    return all(shelf.holds(shard) for shard in shards)


def make_share(spec: CollectSpec, shards: list[Shard], shelf: StoreShelf) -> None:
    """Make these shards, and put them on the shelf."""
    from tasks.collect.workers import Order, make_shards

    (home() / "scratch").mkdir(parents=True, exist_ok=True)
    asked = sum(shard.episodes for shard in shards)
    with (
        tempfile.TemporaryDirectory(prefix="share-", dir=home() / "scratch") as scratch,
        open_progress().track("collect", asked, "episodes") as track,
    ):
        folder = Path(scratch)
        for shard in shards:
            part_path(folder, shard).parent.mkdir(exist_ok=True)
        (folder / "shards").mkdir()
        order = Order(folder, spec.plan, spec.seed)
        make_shards(order, shards, spec.workers, telling(track), shelf)
