"""A chain shows its entries newest first, takes one writer at a time, and is refused where it was tampered with."""

from __future__ import annotations

import pytest

from tasks.errors import DataError
from tasks.spec import ManifestId
from tasks.store import ArtefactStore, Manifest, RefConflict
from tasks.store.chain import Chain


class Diary(Chain[int]):
    kind, title, body, first = "diary", "the diary", "page", 1

    def parse(self, id: ManifestId, manifest: Manifest) -> int:
        return int(manifest.meta["page"]["number"])


def page(number: int, registered: str = "m", kind: str = "diary") -> Manifest:
    return Manifest(kind=kind, meta={"registered": registered, "page": {"number": number}})


@pytest.fixture
def diary(store: ArtefactStore) -> Diary:
    return Diary(store, "m")


def test_entries_come_newest_first(diary: Diary) -> None:
    assert diary.head() is None and list(diary.entries()) == []
    first = diary.link(page(1), None)
    diary.link(page(2), first)
    assert diary.head() == 2 and list(diary.entries()) == [2, 1]


def test_the_second_of_two_writers_is_refused(diary: Diary) -> None:
    first = diary.link(page(1), None)
    diary.link(page(2), first)
    with pytest.raises(RefConflict):
        diary.link(Manifest(kind="diary", meta={"registered": "m", "page": {"number": 2}, "other": 1}), first)
    assert list(diary.entries()) == [2, 1]


@pytest.mark.parametrize(
    ("pages", "sentence"),
    [
        ([page(1), page(3)], "Entry 1 of the diary of 'm' stands where 2 belongs"),
        ([page(2), page(3)], "The first entry of the diary of 'm' is 2, not 1"),
        ([page(1, "other"), page(2)], "is no entry of the diary of 'm': the chain is broken there"),
        ([page(1, kind="note"), page(2)], "is no entry of the diary of 'm': the chain is broken there"),
    ],
)
def test_a_broken_chain_is_told(store: ArtefactStore, diary: Diary, pages: list[Manifest], sentence: str) -> None:
    first, second = pages
    previous = store.publish(first)
    broken = store.publish(second.model_copy(update={"inputs": {"previous": previous}}))
    store.set_ref("diary", "m", broken)
    with pytest.raises(DataError, match=sentence):
        list(diary.entries())
