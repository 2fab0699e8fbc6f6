"""A collection that is dealt out: the shares are disjoint and whole, and the last one joins what all have made."""

from __future__ import annotations

import pytest

from tasks.collect.collect import collect
from tasks.collect.schedule import shards_of
from tasks.collect.share import NUMBER, OF, Share, is_last, share_of
from tasks.collect.spec import CollectSpec
from tasks.errors import UsageError
from tasks.spec import Outcome
from tasks.stage import execute
from tasks.store import ArtefactStore
from tests.tasks.collect.conftest import SMALL, Collected
from tests.tasks.collect.test_dataset import digests

SPEC = CollectSpec(plan=SMALL, seed=3, workers=1)


def test_every_shard_is_in_one_share() -> None:
    shards = shards_of(SMALL, 3)
    for of in range(1, len(shards) + 2):
        dealt = [shard.number for number in range(of) for shard in Share(number, of).mine(shards)]
        assert sorted(dealt) == [shard.number for shard in shards]


def test_a_share_is_named_by_an_indexed_jobs_variables() -> None:
    assert share_of({}) is None and share_of({NUMBER: "3"}) is None
    assert share_of({NUMBER: "3", OF: "4"}) == Share(3, 4)
    for wrong in ({OF: "4"}, {NUMBER: "4", OF: "4"}, {NUMBER: "x", OF: "4"}):
        with pytest.raises(UsageError):
            share_of(wrong)


def test_the_last_share_joins_the_same_dataset(
    store: ArtefactStore, collected: Collected, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(OF, "2")
    last = []
    for number in (1, 0):
        monkeypatch.setenv(NUMBER, str(number))
        last.append(is_last(SPEC, force=False))
    assert last == [False, True]
    joined = execute(SPEC, collect)
    manifest = store.manifest(joined.outputs["dataset"])
    assert {name: blob.digest for name, blob in manifest.blobs.items()} == digests(collected.folder)
    assert is_last(SPEC, force=False) and execute(SPEC, collect).outcome is Outcome.CACHED
