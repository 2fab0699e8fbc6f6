"""Datasets: the same bytes however they are made, the contract's layout, geometry that agrees across frames."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections import Counter
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest

from tasks.collect.dataset import INDEX_COLUMNS, collect_into, main, part_path
from tasks.collect.embedded.building import build
from tasks.collect.embedded.export import export
from tasks.collect.live import Walked
from tasks.collect.schedule import scenes_of, shards_of
from tasks.collect.spec import CollectPlan, HardView, Split, SplitPlan, Stratum
from tasks.collect.tars import TarWriter
from tasks.errors import BacksightError, DataError, UsageError
from tests.tasks.collect.conftest import SMALL, Collected


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def rows(folder: Path) -> list[dict[str, Any]]:
    return pq.read_table(folder / "index.parquet").to_pylist()


def image(folder: Path, row: dict[str, Any], part: str) -> np.ndarray:
    with (folder / row["shard"]).open("rb") as file:
        file.seek(row[f"{part}_offset"])
        data = file.read(row[f"{part}_size"])
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)


def episodes_of(folder: Path) -> dict[str, Any]:
    return json.loads(gzip.decompress((folder / "episodes.json.gz").read_bytes()))


def test_another_number_of_workers_gives_the_same_bytes(collected: Collected, tmp_path: Path) -> None:
    summary = collect_into(tmp_path, SMALL, 3, 1, lambda _: None)
    assert digests(tmp_path) == digests(collected.folder)
    assert summary == collected.summary


def test_what_a_run_before_finished_is_kept(collected: Collected, tmp_path: Path) -> None:
    """As after a kill: some shards are done, one is half written."""
    shards = shards_of(SMALL, 3)
    (tmp_path / "shards").mkdir()
    (tmp_path / "parts").mkdir()
    *done, last = shards
    marker = {"rows": [], "episodes": [], "scenes": [], "rejected": {}, "missing": ["marker"], "unusable": {}}
    for shard in done:
        (tmp_path / shard.blob).write_bytes((collected.folder / shard.blob).read_bytes())
        part_path(tmp_path, shard).write_text(json.dumps(marker))
    (tmp_path / last.blob).with_suffix(".part").write_bytes(b"half")
    told: list[Walked] = []
    summary = collect_into(tmp_path, SMALL, 3, 1, told.append)
    assert summary.missing >= len(done), "the finished shards' reports were read, not made again"
    asked = [errand.episode for shard in shards for visit in shard.visits for errand in visit.errands]
    assert sorted(walk.episode for walk in told) == sorted(asked)
    assert digests(tmp_path / "shards") == digests(collected.folder / "shards")


def test_another_seed_gives_other_training_walks_and_the_same_held_out_buildings() -> None:
    for split in Split:
        same = scenes_of(SMALL, 1, split) == scenes_of(SMALL, 2, split)
        assert same == (split in (Split.VAL_UNSEEN, Split.SEALED))


def test_no_scene_is_in_two_splits() -> None:
    many = CollectPlan(
        train=SplitPlan(scenes=3000), val_unseen=SplitPlan(scenes=3000), sealed=SplitPlan(scenes=3000), held_out_seed=5
    )
    splits = [set(scenes_of(many, 5, split)) for split in (Split.TRAIN, Split.VAL_UNSEEN, Split.SEALED)]
    assert not splits[0] & splits[1] and not splits[0] & splits[2] and not splits[1] & splits[2]
    assert set(scenes_of(many, 5, Split.VAL_SEEN)) <= splits[0]


def test_a_shard_belongs_to_one_split(collected: Collected) -> None:
    of_shard: dict[str, set[str]] = {}
    for row in rows(collected.folder):
        of_shard.setdefault(row["shard"], set()).add(row["split"])
    assert all(len(splits) == 1 for splits in of_shard.values())
    assert set.union(*of_shard.values()) == {split.value for split in Split}


def test_the_index_is_the_contracts(collected: Collected) -> None:
    found = rows(collected.folder)
    schema = pq.read_schema(collected.folder / "index.parquet")
    assert schema.names == list(INDEX_COLUMNS)
    keys = [(row["episode"], row["frame"]) for row in found]
    assert keys == sorted(keys) and len(set(keys)) == len(keys) == collected.summary.frames
    per_episode = Counter(row["episode"] for row in found)
    assert len(per_episode) == collected.summary.episodes and max(per_episode.values()) <= SMALL.steps
    for row in found:
        pose = np.array(row["pose"]).reshape(4, 4)
        assert np.allclose(pose[:3, :3].T @ pose[:3, :3], np.eye(3), atol=1e-9)
        assert row["action"] in ("forward", "left", "right", "stop")
    last = {row["episode"]: row["action"] for row in found}
    assert set(last.values()) == {"stop"}


def test_byte_ranges_are_the_members_contents(collected: Collected) -> None:
    found = rows(collected.folder)
    for shard in {row["shard"] for row in found}:
        with tarfile.open(collected.folder / shard) as tar:
            members = {member.name: member for member in tar.getmembers()}
            assert all((m.mtime, m.uid, m.gid, m.mode) == (0, 0, 0, 0o644) for m in members.values())
            data = (collected.folder / shard).read_bytes()
            for row in (row for row in found if row["shard"] == shard):
                key = f"{row['episode']}-{row['frame']:04d}"
                for part in ("rgb", "depth", "semantic"):
                    member = members.pop(f"{key}.{part}.png")
                    assert (member.offset_data, member.size) == (row[f"{part}_offset"], row[f"{part}_size"])
                member = members.pop(f"{key}.json")
                meta = json.loads(data[member.offset_data : member.offset_data + member.size])
                assert (meta["episode"], meta["frame"], meta["action"]) == (row["episode"], row["frame"], row["action"])
                assert np.array_equal(np.ravel(meta["pose"]), row["pose"])
                assert np.array_equal(np.ravel(meta["intrinsics"]), row["intrinsics"])
            assert not members


def test_frames_are_images_of_the_plans_size(collected: Collected) -> None:
    scenes = {scene["id"]: scene for scene in json.loads((collected.folder / "scenes.json").read_bytes())["scenes"]}
    for row in rows(collected.folder)[::7]:
        rgb, depth, semantic = (image(collected.folder, row, part) for part in ("rgb", "depth", "semantic"))
        assert rgb.shape == (64, 64, 3) and rgb.dtype == np.uint8 and rgb.mean() > 10
        assert depth.shape == semantic.shape == (64, 64) and depth.dtype == semantic.dtype == np.uint16
        assert depth.min() > 0 and depth.max() < 40_000
        known = {thing["id"] for thing in scenes[row["scene"]]["objects"]}
        assert set(np.unique(semantic).tolist()) <= known


def test_what_one_frame_sees_lies_on_what_another_sees(collected: Collected) -> None:
    """Unproject a frame, project into the next ones: where nothing is in between, the depths agree."""
    found = rows(collected.folder)
    checked = 0
    for a, b in zip(found[::5], found[2::5], strict=False):
        if a["episode"] != b["episode"]:
            continue
        first, second = (image(collected.folder, row, "depth") / 1000 for row in (a, b))
        k = np.array(a["intrinsics"]).reshape(3, 3)
        pose_a, pose_b = (np.array(row["pose"]).reshape(4, 4) for row in (a, b))
        v, u = np.mgrid[0:64, 0:64] + 0.5
        points = np.stack([(u - k[0, 2]) / k[0, 0], (v - k[1, 2]) / k[1, 1], np.ones_like(u)], -1) * first[..., None]
        world = points.reshape(-1, 3) @ pose_a[:3, :3].T + pose_a[:3, 3]
        local = (world - pose_b[:3, 3]) @ pose_b[:3, :3]
        z = local[:, 2]
        x = k[0, 0] * local[:, 0] / np.maximum(z, 1e-6) + k[0, 2]
        y = k[1, 1] * local[:, 1] / np.maximum(z, 1e-6) + k[1, 2]
        inside = (z > 0.1) & (x >= 1) & (x < 63) & (y >= 1) & (y < 63)
        if inside.sum() < 1200:
            continue
        seen = second[y[inside].astype(int), x[inside].astype(int)]
        # Slanted surfaces change depth within a pixel; 3 % leaves room for that and for nothing else.
        agree = np.abs(seen - z[inside]) < np.maximum(0.03, 0.03 * z[inside])
        in_front = seen < z[inside] - 0.05
        assert np.mean(agree | in_front) > 0.9 and np.mean(agree) > 0.6
        checked += 1
    assert checked >= 10


def test_episodes_follow_habitat_labs_format(collected: Collected) -> None:
    loaded = episodes_of(collected.folder)
    poses = {(row["episode"], row["frame"]): np.array(row["pose"]).reshape(4, 4) for row in rows(collected.folder)}
    vocabulary = loaded["instruction_vocab"]
    assert vocabulary["word_list"][vocabulary["UNK_INDEX"]] == "<unk>"
    for episode in loaded["episodes"]:
        assert set(episode) == {
            "episode_id", "trajectory_id", "scene_id", "start_position", "start_rotation", "goals", "reference_path",
            "instruction", "info",
        }  # fmt: skip
        start = poses[episode["episode_id"], 0]
        camera = episode["info"]["camera"]
        eye = np.array(episode["start_position"]) + np.array([0, camera["height"], 0])
        assert np.allclose(start[:3, 3], eye, atol=1e-3)
        _, y, _, w = episode["start_rotation"]
        heading = 2 * np.arctan2(y, w)
        gaze = start[:3, 2] / np.linalg.norm(start[[0, 2], 2])
        assert np.allclose(gaze[[0, 2]], [-np.sin(heading), -np.cos(heading)], atol=1e-6)
        assert np.linalg.norm(np.array(episode["reference_path"][-1]) - episode["goals"][0]["position"]) < 0.5
        tokens = [vocabulary["word_list"][i] for i in episode["instruction"]["instruction_tokens"]]
        assert " ".join(tokens) in episode["instruction"]["instruction_text"].lower().replace(",", "").replace(".", "")
    assert len({episode["trajectory_id"] for episode in loaded["episodes"]}) == len(loaded["episodes"])


def test_the_summary_counts_what_is_there(collected: Collected) -> None:
    summary = collected.summary
    assert summary.scenes == {"sealed": 1, "train": 2, "val_seen": 1, "val_unseen": 1}
    assert summary.episodes + summary.missing == SMALL.episodes == len(collected.told)
    assert summary.size == (64, 64) and not summary.unusable


def test_hard_walks_stay_in_training_scenes() -> None:
    train, held = scenes_of(SMALL, 3, Split.TRAIN)[0], scenes_of(SMALL, 3, Split.VAL_UNSEEN)[0]
    shares = {Stratum.FORWARD: 0.5, Stratum.HARD: 0.5}
    plan = SMALL.model_copy(update={"strata": shares, "hard": (HardView(scene=train, position=(0, 0, 0)),)})
    hard = [e for shard in shards_of(plan, 3) for v in shard.visits for e in v.errands if e.stratum is Stratum.HARD]
    assert len(hard) == 8 and all(errand.goal == (0, 0, 0) for errand in hard)
    foreign = plan.model_copy(update={"hard": (HardView(scene=held, position=(0, 0, 0)),)})
    with pytest.raises(UsageError, match="held-out"):
        shards_of(foreign, 3)


def test_listed_scenes_are_walked_and_a_bad_one_is_skipped_counted_and_told(tmp_path: Path) -> None:
    good = str(export(build(3, (4, 4)), "b3", tmp_path / "scenes"))
    missing = str(tmp_path / "scenes" / "gone.stage_config.json")
    flooded = str(export(build(4, (4, 4)), "b4", tmp_path / "scenes"))
    image = tmp_path / "scenes" / "b4.navigation.png"
    cv2.imwrite(str(image), np.zeros_like(cv2.imread(str(image), cv2.IMREAD_GRAYSCALE)))
    plan = CollectPlan(
        train=SplitPlan(scenes=1, episodes=2), val_seen=SplitPlan(scenes=0), val_unseen=SplitPlan(scenes=3),
        sealed=SplitPlan(scenes=0), scene_list=(good, missing, "x17", flooded), most_bad_scenes=0.75,
        strata={Stratum.FORWARD: 1.0},
    )  # fmt: skip
    told: list[Walked] = []
    summary = collect_into(tmp_path / "out", plan, 0, 1, told.append)
    assert summary.scenes == {"train": 1} and summary.episodes == 2
    assert set(summary.unusable) == {missing, "x17", flooded} and "gone" in summary.unusable[missing]
    assert "x17" in summary.unusable["x17"] and "connected floor" in summary.unusable[flooded]
    assert len(told) == plan.episodes, "walks that cannot be are told as done, or the progress would never end"
    strict = plan.model_copy(update={"most_bad_scenes": 0.5})
    with pytest.raises(DataError, match="3 of 4 scenes"):
        collect_into(tmp_path / "strict", strict, 0, 1, lambda _: None)
    short = plan.model_copy(update={"scene_list": (good,)})
    with pytest.raises(UsageError, match="scene_list has 1"):
        shards_of(short, 0)


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        (None, "No such file"),
        ("{", "JSON"),
        ('{"sizes": [64, 64]}', "did you mean size"),
        ('{"scene_list": ["x"]}', "1"),
    ],
)
def test_the_folder_commands_plan_is_refused_in_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], plan: str | None, said: str
) -> None:
    file = tmp_path / "plan.json"
    if plan is not None:
        file.write_text(plan)
    assert main([str(tmp_path / "out"), "--plan", str(file)]) == 2
    told = capsys.readouterr()
    assert told.out == "" and told.err.startswith("error: ") and told.err.count("\n") == 1 and said in told.err


def test_a_worker_that_dies_is_told_in_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An interpreter that ends in the middle, as by the kernel's out-of-memory killer."""
    code = tmp_path / "sitecustomize.py"
    code.write_text("import os, sys\nif '--multiprocessing-fork' in sys.argv: os._exit(9)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(BacksightError, match="finished shards are kept"):
        collect_into(tmp_path / "out", SMALL, 3, 1, lambda _: None)


def test_tars_are_what_tarfile_reads(tmp_path: Path) -> None:
    contents = {"a.txt": b"", "b.bin": bytes(range(256)) * 5, "c.json": b"{}"}
    with TarWriter(tmp_path / "x.tar") as writer:
        places = {name: writer.add(name, data) for name, data in contents.items()}
    data = (tmp_path / "x.tar").read_bytes()
    assert len(data) % 10240 == 0
    assert {n: data[offset : offset + size] for n, (offset, size) in places.items()} == contents
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        assert {m.name: tar.extractfile(m).read() for m in tar.getmembers()} == contents  # type: ignore[union-attr]
