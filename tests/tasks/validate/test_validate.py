"""The stage: what it publishes, what it refuses, and its pages without a network."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tasks.errors import DataError
from tasks.spec import ManifestId, Outcome
from tasks.stage import execute
from tasks.store import ArtefactStore, Manifest
from tasks.validate.spec import GateThresholds, Thresholds, ValidateSpec
from tasks.validate.validate import validate
from tests.tasks.validate.faults import FAULTS
from tests.tasks.validate.recordings import Collection, publish, write_collection


def published(store: ArtefactStore, folder: Path, collection: Collection) -> ManifestId:
    write_collection(folder, collection)
    return publish(store, folder, collection.plan)


def quality_of(store: ArtefactStore, id: ManifestId) -> dict[str, Any]:
    return json.loads(store.read(store.manifest(id).blobs["quality.json"]))


def quarantined(store: ArtefactStore, raw: ManifestId) -> dict[str, Any]:
    held = store.bucket.get(f"quarantine/{raw.partition('/')[2]}.json")
    return json.loads(held.data) if held else {}


def smaller(collection: Collection, count: int) -> Collection:
    """The first few training episodes, and a plan that asks for no more."""
    plan = {
        **collection.plan,
        **{split: {"scenes": 0, "episodes": 1} for split in ("val_seen", "val_unseen", "sealed")},
    }
    return Collection([r for r in collection.recordings if r.split == "train"][:count], collection.scenes, plan)


@pytest.fixture
def eight(collection: Collection) -> Collection:
    return smaller(collection, 8)


def test_what_is_accepted_is_published_with_its_report(store: ArtefactStore, eight: Collection, tmp_path: Path) -> None:
    bad = eight.recordings[2]
    FAULTS["teleport"].plant(bad, eight)
    raw = published(store, tmp_path / "raw", eight)
    result = execute(ValidateSpec(dataset=raw, workers=2), validate)
    manifest = store.manifest(result.outputs["dataset"])
    assert manifest.inputs == {"raw": raw} and manifest.meta["quality"] == {
        "passed": True,
        "reasons": [],
        "rejected": 1,
    }
    assert manifest.meta["episodes"] == 7 and manifest.meta["size"] == [64, 64]
    index = pq.read_table(io.BytesIO(store.read(manifest.blobs["index.parquet"])))
    assert set(index["episode"].to_pylist()) == {r.episode for r in eight.recordings} - {bad.episode}
    assert index.schema == pq.read_schema(tmp_path / "raw" / "index.parquet")
    quality = quality_of(store, result.outputs["dataset"])
    assert list(quality["rejected"]) == [bad.episode] and "the agent teleports" in quality["rejected"][bad.episode]
    assert quarantined(store, raw)["episodes"] == quality["rejected"]
    unchanged = {name: blob for name, blob in store.manifest(raw).blobs.items() if name != "index.parquet"}
    assert unchanged.items() <= manifest.blobs.items()
    assert result.metrics["accepted"] == 7 and result.metrics["rejected_share"] == pytest.approx(1 / 8)


def test_the_same_data_give_the_same_dataset(store: ArtefactStore, eight: Collection, tmp_path: Path) -> None:
    raw = published(store, tmp_path / "raw", eight)
    first = execute(ValidateSpec(dataset=raw, workers=1), validate)
    again = execute(ValidateSpec(dataset=raw, workers=2), validate, force=True)
    assert again.outcome is Outcome.SUCCEEDED and again.outputs == first.outputs
    assert quarantined(store, raw) == {}


def test_below_the_gate_it_fails_with_the_reasons_and_keeps_the_report(
    store: ArtefactStore, eight: Collection, tmp_path: Path
) -> None:
    for recording in eight.recordings[:4]:
        FAULTS["black frame"].plant(recording, eight)
    raw = published(store, tmp_path / "raw", eight)
    with pytest.raises(DataError) as caught:
        execute(ValidateSpec(dataset=raw, workers=1), validate)
    said = str(caught.value)
    assert "4 of 8 episodes were rejected, more than 20%; most often because a frame is black (4)" in said
    report = re.search(r"The report is in (dataset/[0-9a-f]{64})", said)
    assert report and not quality_of(store, report[1])["passed"]
    assert not store.manifest(report[1]).meta["quality"]["passed"]
    assert store.refs("stage") == {}


def test_all_rejected_is_no_silent_pass(store: ArtefactStore, eight: Collection, tmp_path: Path) -> None:
    for recording in eight.recordings:
        FAULTS["NaN pose"].plant(recording, eight)
    raw = published(store, tmp_path / "raw", eight)
    lenient = Thresholds(gate=GateThresholds(rejected=1.0))
    with pytest.raises(DataError, match="no episode is left"):
        execute(ValidateSpec(dataset=raw, workers=1, thresholds=lenient), validate)


def test_an_empty_split_is_below_the_gate(store: ArtefactStore, collection: Collection, tmp_path: Path) -> None:
    few = Collection([r for r in collection.recordings if r.split == "train"][:4], collection.scenes, collection.plan)
    raw = published(store, tmp_path / "raw", few)
    with pytest.raises(DataError, match="0 accepted episodes are left of split val_unseen, fewer than 1"):
        execute(ValidateSpec(dataset=raw, workers=1), validate)


def test_one_episode_is_enough_to_be_judged(store: ArtefactStore, collection: Collection, tmp_path: Path) -> None:
    raw = published(store, tmp_path / "raw", smaller(collection, 1))
    assert execute(ValidateSpec(dataset=raw, workers=1), validate).metrics["accepted"] == 1


def test_thresholds_are_what_decides(store: ArtefactStore, eight: Collection, tmp_path: Path) -> None:
    raw = published(store, tmp_path / "raw", eight)
    strict = Thresholds.model_validate({"pictures": {"dark": 250}})
    with pytest.raises(DataError, match="a frame is black"):
        execute(ValidateSpec(dataset=raw, workers=1, thresholds=strict), validate)


def test_a_stratum_far_from_its_plan_only_warns(store: ArtefactStore, eight: Collection, tmp_path: Path) -> None:
    eight.plan["strata"] = {"forward": 0.01, "loop": 0.99}
    raw = published(store, tmp_path / "raw", eight)
    result = execute(ValidateSpec(dataset=raw, workers=1), validate)
    assert result.metrics["warnings"] == 1
    quality = quality_of(store, result.outputs["dataset"])
    assert quality["passed"] and "a stratum is far from its planned share" in [
        check["reason"] for check in quality["checks"] if check["failed"]
    ]


def damaged(store: ArtefactStore, raw: ManifestId, **changes: Any) -> ManifestId:
    """The dataset with blobs put in, or taken out where None."""
    manifest = store.manifest(raw)
    blobs = {**manifest.blobs, **{k: store.put_blob(v) for k, v in changes.items() if v is not None}}
    return store.publish(
        manifest.model_copy(update={"blobs": {k: b for k, b in blobs.items() if changes.get(k, "") is not None}})
    )


def test_what_is_no_dataset_is_refused_in_one_sentence(store: ArtefactStore, eight: Collection, tmp_path: Path) -> None:
    raw = published(store, tmp_path / "raw", eight)
    index = pq.read_table(tmp_path / "raw" / "index.parquet")

    def parquet(table: Any) -> bytes:
        sink = io.BytesIO()
        pq.write_table(table, sink)
        return sink.getvalue()

    cases = {
        store.publish(Manifest(kind="checkpoint")): "is a checkpoint, not a dataset",
        damaged(store, raw, **{"scenes.json": None}): "has no scenes.json",
        damaged(store, raw, **{"index.parquet": b"PAR1 no"}): "is no Parquet file",
        damaged(store, raw, **{"index.parquet": parquet(index.drop_columns("pose"))}): "has no column pose",
        damaged(store, raw, **{"index.parquet": parquet(index.slice(0, 0))}): "holds no frames",
        damaged(store, raw, **{"episodes.json.gz": b"no gzip"}): "is malformed",
        damaged(store, raw, **{"shards/000.tar": None}): r"names shards/000\.tar, which is none of its blobs",
        "dataset/" + "0" * 64: "has no dataset/000",
    }
    for id, said in cases.items():
        with pytest.raises(DataError, match=said) as caught:
            execute(ValidateSpec(dataset=id, workers=1), validate)
        assert "\n" not in str(caught.value)


def test_the_pages_load_nothing_from_afar(store: ArtefactStore, eight: Collection, tmp_path: Path) -> None:
    FAULTS["teleport"].plant(eight.recordings[0], eight)
    raw = published(store, tmp_path / "raw", eight)
    result = execute(ValidateSpec(dataset=raw, workers=1), validate)
    manifest = store.manifest(result.outputs["dataset"])
    pages = {name[5:]: store.read(blob).decode() for name, blob in manifest.blobs.items() if name.startswith("docs/")}
    for name, page in pages.items():
        assert not re.findall(r"https?:|//[a-z]+\.|<script|<link|<img|src=", page), name
        local = set(re.findall(r"href=[\"']([^\"'#]+)", page))
        assert local <= pages.keys()
    assert "the agent teleports" in pages["index.html"] and eight.recordings[0].episode in pages["index.html"]
    assert "values must be less than or equal to" in pages["poses-frames.html"]
