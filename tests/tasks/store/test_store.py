"""The artefact store's promises, against a real S3 server."""

from __future__ import annotations

import hashlib
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks.errors import DataError, UsageError
from tasks.settings import StoreSettings
from tasks.store import ArtefactStore, Blob, Manifest, RefConflict, open_store
from tasks.store.blobs import key
from tasks.store.manifests import path

LARGE = bytes(range(256)) * (40 * 2**20 // 256)
"""More than two parts of an upload."""


def absent(data: bytes) -> Blob:
    return Blob(digest=hashlib.sha256(data).hexdigest(), size=len(data))


@pytest.mark.parametrize("data", [b"", b"one", LARGE], ids=["empty", "small", "large"])
def test_bytes_come_back_as_they_went(store: ArtefactStore, tmp_path: Path, data: bytes) -> None:
    source = tmp_path / "source"
    source.write_bytes(data)
    blob = store.put_blob(source)
    assert blob == store.put_blob(data) == absent(data)
    assert store.read(blob) == data
    assert store.fetch(blob).read_bytes() == data


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=25)
@given(data=st.binary(min_size=1, max_size=5000), cut=st.tuples(st.floats(0, 1), st.floats(0, 1)))
def test_a_range_is_a_slice(store: ArtefactStore, data: bytes, cut: tuple[float, float]) -> None:
    start, stop = sorted(round(c * len(data)) for c in cut)
    assert store.read_range(store.put_blob(data), start, stop - start) == data[start:stop]


def test_a_range_beyond_the_end_is_refused(store: ArtefactStore) -> None:
    blob = store.put_blob(b"12345")
    with pytest.raises(DataError, match="has 5 bytes"):
        store.read_range(blob, 3, 3)


def test_a_second_put_sends_nothing(store: ArtefactStore, monkeypatch: pytest.MonkeyPatch) -> None:
    blob = store.put_blob(b"data")
    monkeypatch.setattr(store.bucket, "put", lambda *_: pytest.fail("sent again"))
    assert store.put_blob(b"data") == blob


def test_a_tampered_blob_is_refused_and_leaves_nothing_in_the_cache(store: ArtefactStore, home: Path) -> None:
    blob = store.put_blob(b"the truth")
    store.bucket.put(key(blob), b"the trUth")
    with pytest.raises(DataError, match="do not have that SHA-256"):
        store.fetch(blob)
    with pytest.raises(DataError, match="do not have that SHA-256"):
        store.read(blob)
    assert [p for p in (home / "cache").rglob("*") if p.is_file()] == []


def test_a_truncated_blob_is_refused(store: ArtefactStore) -> None:
    blob = store.put_blob(b"the truth")
    store.bucket.put(key(blob), b"the tr")
    with pytest.raises(DataError, match="do not have that SHA-256"):
        store.read(blob)
    with pytest.raises(DataError):
        store.read_range(blob, 5, 3)
    assert not store.blobs.has(blob)


def test_a_damaged_cache_file_is_fetched_again(store: ArtefactStore, store_settings: StoreSettings) -> None:
    blob = store.put_blob(b"the truth")
    cached = store.fetch(blob)
    assert cached.stat().st_mode & 0o222 == 0
    cached.chmod(0o644)
    cached.write_bytes(b"the trUth")
    assert open_store(store_settings).fetch(blob).read_bytes() == b"the truth"
    assert store.fetch(blob).read_bytes() == b"the truth"


def test_the_cache_serves_without_the_server(store: ArtefactStore) -> None:
    blob = store.put_blob(b"the truth")
    store.fetch(blob)
    store.bucket.remove(key(blob))
    assert store.fetch(blob).read_bytes() == b"the truth"


def test_many_fetch_one_blob_at_once(store_settings: StoreSettings) -> None:
    blob = open_store(store_settings).put_blob(LARGE)
    with ThreadPoolExecutor(6) as pool:
        paths = list(pool.map(lambda _: open_store(store_settings).fetch(blob), range(6)))
    assert {p.read_bytes() == LARGE for p in paths} == {True}
    assert [p.name for p in paths[0].parent.iterdir()] == [blob.digest]


def test_an_absent_blob_is_named(store: ArtefactStore) -> None:
    for get in (store.fetch, store.read, lambda b: store.read_range(b, 0, 1)):
        with pytest.raises(DataError, match=f"has no blob {absent(b'nowhere').digest}"):
            get(absent(b"nowhere"))


def test_a_manifest_comes_back(store: ArtefactStore) -> None:
    first = store.publish(Manifest(kind="dataset", blobs={"a": store.put_blob(b"a")}, meta={"n": 1, "x": [0.5, None]}))
    second = store.publish(Manifest(kind="checkpoint", inputs={"dataset": first}))
    assert re.fullmatch(r"dataset/[0-9a-f]{64}", first)
    assert store.manifest(first).meta == {"n": 1, "x": [0.5, None]}
    assert store.manifest(second).inputs == {"dataset": first}
    assert store.complete(first) and store.complete(second)


def test_equal_content_has_one_name(store: ArtefactStore) -> None:
    blob = store.put_blob(b"a")
    one = Manifest(kind="dataset", blobs={"a": blob, "b": blob}, meta={"x": 1, "y": 2})
    other = Manifest(kind="dataset", blobs={"b": blob, "a": blob}, meta={"y": 2, "x": 1})
    assert store.publish(one) == store.publish(other)
    assert len(store.bucket.names("manifests/")) == 1


def test_a_missing_blob_stops_publication(store: ArtefactStore) -> None:
    manifest = Manifest(kind="dataset", blobs={"here": store.put_blob(b"a"), "gone.tar": absent(b"b")})
    with pytest.raises(DataError, match=r"its blob gone\.tar is not in the artefact store \(1 of 2 missing\)"):
        store.publish(manifest)
    assert store.bucket.names("manifests/") == []


def test_an_artefact_whose_blob_was_lost_is_not_complete(store: ArtefactStore) -> None:
    blob = store.put_blob(b"a")
    id = store.publish(Manifest(kind="dataset", blobs={"a": blob}))
    store.bucket.remove(key(blob))
    assert not store.complete(id)


def test_a_tampered_manifest_is_refused(store: ArtefactStore) -> None:
    manifest = Manifest(kind="dataset", meta={"n": 1})
    id = store.publish(manifest)
    store.bucket.put(path(id), manifest.encoded().replace(b"1", b"2"))
    with pytest.raises(DataError, match="do not have the SHA-256 of its name"):
        store.manifest(id)
    with pytest.raises(DataError, match="do not have the SHA-256 of its name"):
        store.publish(manifest)


@pytest.mark.parametrize("name", ["dataset", "dataset/xyz", "../dataset/" + "0" * 64, "dataset/" + "0" * 64 + "\n"])
def test_what_is_no_name_is_refused(store: ArtefactStore, name: str) -> None:
    with pytest.raises(UsageError, match="names no artefact"):
        store.manifest(name)


def test_an_unknown_name_is_said(store: ArtefactStore) -> None:
    name = "dataset/" + "0" * 64
    assert not store.complete(name)
    with pytest.raises(DataError, match=f"has no {name}"):
        store.manifest(name)


def test_refs_move_only_from_where_they_were_seen(store: ArtefactStore) -> None:
    assert store.ref("stage", "k") is None
    store.set_ref("stage", "k", "one", expected=None)
    with pytest.raises(RefConflict, match=r"stage/k holds one where nothing was expected"):
        store.set_ref("stage", "k", "two", expected=None)
    store.set_ref("stage", "k", "two", expected="one")
    with pytest.raises(RefConflict):
        store.set_ref("stage", "k", "three", expected="one")
    with pytest.raises(RefConflict):
        store.set_ref("stage", "never", "three", expected="one")
    assert store.ref("stage", "k") == "two"
    store.set_ref("stage", "k", "four")
    store.set_ref("stage", "l", "five")
    assert store.refs("stage") == {"k": "four", "l": "five"}
    assert store.refs("verdict") == {}


@pytest.mark.parametrize(("kind", "name"), [("stage", "a/b"), ("stage", "../x"), ("Stage", "a"), ("stage", "a b")])
def test_names_that_cannot_be_keys_are_refused(store: ArtefactStore, kind: str, name: str) -> None:
    with pytest.raises(UsageError, match="cannot name a ref"):
        store.set_ref(kind, name, "x")


def test_quarantine_keeps_the_report(store: ArtefactStore) -> None:
    place = store.quarantine("abc", {"episodes": {"e1": ["NaN pose"]}})
    held = store.bucket.get(place)
    assert place == "quarantine/abc.json" and held and held.data == b'{"episodes":{"e1":["NaN pose"]}}'
