"""The stage through the store: what it publishes, that it is found again, and that finished shards survive a kill."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from tasks.collect.collect import collect
from tasks.collect.schedule import shards_of
from tasks.collect.shelf import StoreShelf
from tasks.collect.spec import CollectSpec
from tasks.spec import Outcome, StageResult
from tasks.stage import execute
from tasks.store import ArtefactStore
from tests.tasks.collect.conftest import SMALL, Collected
from tests.tasks.collect.test_dataset import digests

SPEC = CollectSpec(plan=SMALL, seed=3)


def test_the_dataset_is_published_and_found_again(store: ArtefactStore, collected: Collected) -> None:
    first = execute(SPEC, collect)
    manifest = store.manifest(first.outputs["dataset"])
    assert manifest.kind == "dataset" and not manifest.inputs
    assert {name: blob.digest for name, blob in manifest.blobs.items()} == digests(collected.folder)
    assert (
        manifest.meta["episodes"] == collected.summary.episodes and manifest.meta["frames"] == collected.summary.frames
    )
    assert manifest.meta["scenes"] == collected.summary.scenes and manifest.meta["size"] == [64, 64]
    assert first.metrics["frames"] == collected.summary.frames
    assert execute(SPEC, collect).outcome is Outcome.CACHED
    assert execute(SPEC, collect, force=True).outputs == first.outputs


def test_after_a_kill_the_same_dataset_without_the_finished_shards_work(
    store: ArtefactStore, collected: Collected, tmp_path: Path
) -> None:
    spec, result = tmp_path / "spec.json", tmp_path / "result.json"
    spec.write_text(SPEC.model_copy(update={"workers": 1}).model_dump_json())
    command = [sys.executable, "-m", "tasks.collect", "--spec", str(spec), "--result", str(result)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    workers: list[psutil.Process] = []
    deadline = time.monotonic() + 120
    while not store.refs("shard") and time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()[0]
        workers = psutil.Process(process.pid).children(recursive=True)
        time.sleep(0.05)
    # From here on any moment will do: in the midst of a walk, of a shard's upload, of joining the shards.
    time.sleep(random.uniform(0, 1.5))
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    _, alive = psutil.wait_procs(workers, timeout=20)
    assert not alive, "workers outlive a killed collection"
    kept = store.refs("shard")
    assert kept
    again = subprocess.run(command, capture_output=True, text=True, timeout=180)
    assert again.returncode == 0, again.stderr
    published = StageResult.model_validate(json.loads(result.read_text()))
    blobs = store.manifest(published.outputs["dataset"]).blobs
    assert {name: blob.digest for name, blob in blobs.items()} == digests(collected.folder)
    assert kept.items() <= store.refs("shard").items()


def test_of_two_workers_on_one_shard_one_publishes(store: ArtefactStore, collected: Collected, tmp_path: Path) -> None:
    shard, shelf = shards_of(SMALL, 3)[0], StoreShelf(store, SMALL, 3)
    tar, report = collected.folder / shard.blob, tmp_path / "report.json"
    report.write_text("{}")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: shelf.keep(shard, tar, report), range(8)))
    (kept,) = store.refs("shard").values()
    names = list(store.bucket.names("manifests/shard/"))
    assert [name.rsplit("/", 1)[-1] for name in names] == [f"{kept.partition('/')[2]}.json"]
    assert shelf.take(shard, tmp_path / "again.tar", tmp_path / "again.json")
    assert (tmp_path / "again.tar").read_bytes() == tar.read_bytes()
    other = StoreShelf(store, SMALL, 4)
    assert not other.take(shard, tmp_path / "x.tar", tmp_path / "x.json"), "another seed's shard is another"


def test_a_bad_spec_is_one_sentence(tmp_path: Path) -> None:
    spec = tmp_path / "spec.json"
    spec.write_text(json.dumps({"plan": {"size": [4, 4]}}))
    run = subprocess.run(
        [sys.executable, "-m", "tasks.collect", "--spec", str(spec)], capture_output=True, text=True, timeout=60
    )
    assert run.returncode == 2
    assert run.stderr.strip().splitlines()[-1].startswith("error: ") and "Traceback" not in run.stderr


@pytest.mark.parametrize("home", [None], indirect=True)
def test_help_names_the_options(home: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "tasks.collect.dataset", "--help"], capture_output=True, text=True, timeout=60
    )
    assert run.returncode == 0 and "--plan" in run.stdout
