"""A publisher that is killed leaves nothing half-published, and its successor finishes the work."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tasks.store import ArtefactStore, conformance

PUBLISHER = """
import os, signal, sys
from urllib3 import PoolManager
from tasks.store import Manifest, open_store

deadly, moment = int(sys.argv[1]), sys.argv[2]
name = f"{deadly}.{moment}"
real, puts = PoolManager.urlopen, 0

def urlopen(self, method, *args, **kwargs):
    global puts
    puts += method == "PUT"
    dies = method == "PUT" and puts == deadly
    if dies and moment == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    if dies and moment == "during":
        class Dying:
            def __init__(self, data): self.data = data
            def __iter__(self):
                yield bytes(self.data)[: len(self.data) // 2]
                os.kill(os.getpid(), signal.SIGKILL)
        kwargs["body"] = Dying(kwargs["body"])
    answer = real(self, method, *args, **kwargs)
    if dies:
        os.kill(os.getpid(), signal.SIGKILL)
    return answer

PoolManager.urlopen = urlopen
store = open_store()
blobs = {i: store.put_blob((name + i).encode().ljust(16) * 100_000) for i in ("first", "second")}
store.set_ref("stage", name, store.publish(Manifest(kind="dataset", blobs=blobs)), expected=None)
"""
PUTS = 4
"""Two blobs, the manifest, the ref."""


def publish(deadly: int, moment: str) -> int:
    return subprocess.run([sys.executable, "-c", PUBLISHER, str(deadly), moment], timeout=60).returncode


def check_all_is_whole(store: ArtefactStore) -> None:
    published = [name[len("manifests/") : -len(".json")] for name in store.bucket.names("manifests/")]
    assert all(store.complete(id) for id in published)
    assert set(store.refs("stage").values()) <= set(published)
    for key in store.bucket.names("blobs/"):
        held = store.bucket.get(key)
        assert held and len(held.data) == 1_600_000


@pytest.mark.parametrize("moment", ["before", "during", "after"])
def test_a_killed_publisher_leaves_nothing_half(store: ArtefactStore, moment: str) -> None:
    conformance.save(conformance.check(store.settings))
    for deadly in range(1, PUTS + 1):
        assert publish(deadly, moment) == -signal.SIGKILL
        check_all_is_whole(store)
    assert publish(PUTS + 1, moment) == 0
    target = store.ref("stage", f"{PUTS + 1}.{moment}")
    assert target and store.complete(target)
    if moment == "before":
        assert list(store.refs("stage")) == [f"{PUTS + 1}.before"]


def test_what_a_killed_fetch_left_is_never_served(store: ArtefactStore, home: Path) -> None:
    blob = store.put_blob(b"the truth" * 100_000)
    code = """
import os, signal, sys
from tasks.store import Blob, open_store
from tasks.store.bucket import Bucket
whole = Bucket.chunks
def chunks(self, key):
    yield next(iter(whole(self, key)))[:1000]
    os.kill(os.getpid(), signal.SIGKILL)
Bucket.chunks = chunks
open_store().fetch(Blob(digest=sys.argv[1], size=int(sys.argv[2])))
"""
    ended = subprocess.run([sys.executable, "-c", code, blob.digest, str(blob.size)], timeout=60)
    assert ended.returncode == -signal.SIGKILL
    assert store.fetch(blob).read_bytes() == b"the truth" * 100_000
