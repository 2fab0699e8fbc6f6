"""Several writers at once: one wins, with conditional requests as with the lock file."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tasks.settings import StoreSettings
from tasks.store import Manifest, RefConflict, conformance, open_store
from tests.conditional_proxy import conditional_proxy

WRITERS = 12


@pytest.fixture(params=["lock file", "conditional requests"])
def guarded(request: pytest.FixtureRequest, store_settings: StoreSettings) -> Iterator[tuple[StoreSettings, list[str]]]:
    """Settings of a store under each kind of guard, and the paths whose conditional PUT was refused."""
    if request.param == "lock file":
        conformance.save(conformance.check(store_settings))
        yield store_settings, []
        return
    with conditional_proxy(store_settings.endpoint) as (address, refused):
        settings = store_settings.model_copy(update={"endpoint": address})
        conformance.save(conformance.check(settings))
        refused.clear()
        yield settings, refused


def test_rclone_ignores_conditions_and_says_so(store_settings: StoreSettings) -> None:
    found = conformance.check(store_settings)
    assert (found.conditional_put, found.versioning) == (False, False)
    assert found.list_after_write and found.multipart
    assert open_store(store_settings).bucket.names("") == []


def test_a_server_with_conditions_is_recognised(store_settings: StoreSettings) -> None:
    with conditional_proxy(store_settings.endpoint) as (address, _):
        found = conformance.check(store_settings.model_copy(update={"endpoint": address}))
    assert found.conditional_put and found.multipart and found.list_after_write


def test_findings_hold_for_their_own_bucket_alone(store_settings: StoreSettings, home: Path) -> None:
    assert conformance.load(store_settings) is None
    found = conformance.check(store_settings)
    conformance.save(found)
    assert conformance.load(store_settings) == found
    assert conformance.load(store_settings.model_copy(update={"bucket": "another"})) is None
    (home / "conformance.json").write_text('{"half":')
    assert conformance.load(store_settings) is None


def test_one_of_many_claims_wins(guarded: tuple[StoreSettings, list[str]]) -> None:
    settings, refused = guarded

    def claim(writer: int) -> bool:
        try:
            open_store(settings).set_ref("alias", "champion", f"writer-{writer}", expected=None)
        except RefConflict:
            return False
        return True

    with ThreadPoolExecutor(WRITERS) as pool:
        won = list(pool.map(claim, range(WRITERS)))
    assert won.count(True) == 1
    assert open_store(settings).ref("alias", "champion") == f"writer-{won.index(True)}"
    assert len(refused) in (0, WRITERS - 1)


def test_swaps_lose_no_update(guarded: tuple[StoreSettings, list[str]]) -> None:
    settings, _ = guarded
    open_store(settings).set_ref("counter", "n", "0")

    def add_one(_: int) -> None:
        store = open_store(settings)
        while True:
            now = store.ref("counter", "n")
            assert now is not None
            try:
                # The writer's own name keeps two equal sums apart.
                return store.set_ref("counter", "n", f"{int(now.split('.')[0]) + 1}.{id(store)}", expected=now)
            except RefConflict:
                continue

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(add_one, range(16)))
    assert (open_store(settings).ref("counter", "n") or "").split(".")[0] == "16"


def test_a_claim_repeated_is_a_success(guarded: tuple[StoreSettings, list[str]]) -> None:
    store = open_store(guarded[0])
    store.set_ref("alias", "champion", "me", expected=None)
    store.set_ref("alias", "champion", "me", expected=None)
    store.set_ref("alias", "champion", "you", expected="me")
    store.set_ref("alias", "champion", "you", expected="me")
    assert store.ref("alias", "champion") == "you"


def test_two_publishers_make_one_manifest(guarded: tuple[StoreSettings, list[str]]) -> None:
    settings, refused = guarded

    def publish(_: int) -> str:
        store = open_store(settings)
        return store.publish(Manifest(kind="dataset", blobs={"a": store.put_blob(b"a")}, meta={"n": 1}))

    with ThreadPoolExecutor(8) as pool:
        names = set(pool.map(publish, range(8)))
    store = open_store(settings)
    assert store.bucket.names("manifests/") == [f"manifests/{name}.json" for name in names]
    assert store.complete(names.pop())
    assert len(refused) in (0, 7)
