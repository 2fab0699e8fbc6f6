"""An episode to look at: read by byte ranges from a folder or a store, drawn on a sheet, told to Rerun."""

from __future__ import annotations

import builtins
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import flows.cli as cli
from tasks.errors import DataError, UsageError
from tasks.store import ArtefactStore, Manifest
from tasks.view.episode import episode_ids, read_episode
from tasks.view.recording import write_recording
from tasks.view.sheet import contact_sheet, depth_picture, id_colours
from tasks.view.source import FolderSource, open_source
from tasks.view.truth import GRID, telling_views, truth_of
from tests.box_world import build_scene, render

EPISODE = "box-000-01"
Capture = pytest.CaptureFixture[str]


def published(store: ArtefactStore, folder: Path) -> str:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    blobs = {str(path.relative_to(folder)): store.put_blob(path) for path in files}
    return store.publish(Manifest(kind="dataset", blobs=blobs, meta={}))


def test_an_episode_is_what_was_recorded(boxes: Path) -> None:
    episode = read_episode(FolderSource(boxes), EPISODE)
    assert len(episode.actions) == 9 and episode.actions[-1] == "stop"
    rgb, depth, ids = render(build_scene(0, "train"), episode.poses[4], episode.intrinsics[4], 32)
    assert (episode.rgb[4] == rgb).all() and (episode.semantic[4] == ids).all()
    assert np.abs(episode.depth[4] - depth).max() <= 0.0006


def test_a_published_dataset_is_read_in_parts(boxes: Path, store: ArtefactStore, home: Path) -> None:
    id = published(store, boxes)
    local, remote = read_episode(FolderSource(boxes), EPISODE), read_episode(open_source(id), EPISODE)
    assert remote.encoded == local.encoded and (remote.poses == local.poses).all()
    cached = sum(path.stat().st_size for path in (home / "cache").rglob("*") if path.is_file())
    assert cached < (boxes / "shards" / "000.tar").stat().st_size, "shards were fetched whole"
    store.set_ref("latest", "collect", id)
    assert open_source(None).name == open_source("collect").name == id
    with pytest.raises(UsageError, match="validate"):
        open_source("validate")
    with pytest.raises(DataError, match="has no dataset/"):
        open_source("dataset/" + "0" * 64)


def test_the_truth_of_a_view_that_was_just_seen_is_its_middle(boxes: Path) -> None:
    """Two frames from one place: what the first saw lies where the first looked."""
    episode = read_episode(FolderSource(boxes), EPISODE)
    twice = {part: (images[3], images[3]) for part, images in episode.encoded.items()}
    still = replace(
        episode, encoded=twice, poses=episode.poses[[3, 3]], intrinsics=episode.intrinsics[:2], actions=("stop",) * 2
    )
    truth = truth_of(still, 1, 4)
    assert truth.keyframes == (0,) and truth.visible == 1
    rows, columns = np.indices((GRID, GRID))
    assert truth.maps.sum() == pytest.approx(1, abs=1e-5)
    assert (truth.grid(0) * rows).sum() == pytest.approx((GRID - 1) / 2, abs=0.3)
    assert (truth.grid(0) * columns).sum() == pytest.approx((GRID - 1) / 2, abs=0.3)


def test_the_telling_views_see_more_than_others(boxes: Path) -> None:
    episode = read_episode(FolderSource(boxes), EPISODE)
    found = telling_views(episode, 3, count=2)
    assert [truth.current for truth in found] == sorted(truth.current for truth in found)
    assert found[1].visible == max(truth_of(episode, t, 3).visible for t in range(6, 9))


def test_the_sheet_shows_frames_and_maps(boxes: Path) -> None:
    episode = read_episode(FolderSource(boxes), EPISODE)
    bare = contact_sheet(episode, [])
    full = contact_sheet(episode, telling_views(episode, 3, count=2))
    assert full.height > bare.height + 200
    colours = np.asarray(full).reshape(-1, 3).astype(int)
    for frame in (0, 8):
        common = np.unique(episode.rgb[frame].reshape(-1, 3), axis=0, return_counts=True)
        most = common[0][np.argmax(common[1])].astype(int)
        assert (np.abs(colours - most).max(axis=1) <= 2).mean() > 0.002, "the frame's main colour is on the sheet"


def test_pictures_of_depth_and_ids() -> None:
    depth = np.array([[0.0, 0.5, 6.0]], dtype=np.float32)
    holes, near, far = depth_picture(depth)[0].astype(int)
    assert holes.tolist() == [255, 255, 255] and near.sum() > far.sum() + 200
    colours = id_colours(np.arange(40))
    assert colours[0].tolist() == [0, 0, 0] and len(np.unique(colours, axis=0)) == 40


def test_a_recording_holds_every_frame(boxes: Path, tmp_path: Path) -> None:
    from rerun.experimental import RrdReader

    episode = read_episode(FolderSource(boxes), EPISODE)
    write_recording(episode, 3, tmp_path / "walk.rrd")
    chunks = list(RrdReader(tmp_path / "walk.rrd").stream())
    rows: dict[str, int] = {}
    for chunk in chunks:
        rows[str(chunk.entity_path)] = rows.get(str(chunk.entity_path), 0) + chunk.num_rows
    for part in ("rgb", "depth", "things"):
        assert rows[f"/world/camera/{part}"] >= 9
    assert rows["/truth/1/map"] == 8 and rows["/truth/3/map"] == 6
    assert {"/world/way", "/world/things", "/instruction"} <= rows.keys()


def test_the_command_lists_and_draws(boxes: Path, tmp_path: Path, capsys: Capture) -> None:
    assert cli.invoke(["view", "--dataset", str(boxes)]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in listed[:-1]] == episode_ids(FolderSource(boxes))
    assert listed[-1].startswith("6 episodes, 54 frames")
    assert cli.invoke(["view", EPISODE, "--dataset", str(boxes), "--out", str(tmp_path), "--no-recording"]) == 0
    assert [path.name for path in tmp_path.iterdir()] == [f"{EPISODE}.png"]
    assert Image.open(tmp_path / f"{EPISODE}.png").width > 1000


def test_without_rerun_the_sheet_is_drawn_and_a_sentence_says_what_is_missing(
    boxes: Path, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "rerun":
            raise ImportError("No module named 'rerun'")
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    assert cli.invoke(["view", EPISODE, "--dataset", str(boxes), "--out", str(tmp_path)]) == 2
    assert (tmp_path / f"{EPISODE}.png").exists()
    error = capsys.readouterr().err
    assert "pip install" in error and len(error.splitlines()) == 1


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        ("episode", "box-000-01"),
        ("dataset", "no dataset"),
        ("empty folder", "index.parquet"),
        ("index", "Parquet"),
        ("shard", "frame 8 of episode box-000-01"),
        ("no shard", "000.tar"),
        ("scenes", "scenes.json"),
        ("episodes", "episodes.json.gz"),
    ],
)
def test_what_is_wrong_is_named(boxes: Path, tmp_path: Path, capsys: Capture, damage: str, named: str) -> None:
    folder, episode = shutil.copytree(boxes, tmp_path / "copy"), EPISODE
    where = str(folder)
    match damage:
        case "episode":
            episode = "box-000-1"
        case "dataset":
            where = "nowhere"
        case "empty folder":
            (folder / "index.parquet").unlink()
        case "index":
            (folder / "index.parquet").write_bytes(b"not Parquet")
        case "shard":
            source = FolderSource(boxes)
            last = source.index.filter(source.index.column("episode").to_numpy() == EPISODE).to_pylist()[-1]
            data = bytearray((folder / "shards/000.tar").read_bytes())
            data[last["semantic_offset"] : last["semantic_offset"] + 40] = bytes(40)
            (folder / "shards/000.tar").write_bytes(data)
        case "no shard":
            (folder / "shards/000.tar").unlink()
        case "scenes":
            (folder / "scenes.json").write_text("{")
        case _:
            (folder / "episodes.json.gz").write_bytes(b"not gzip")
    code = cli.invoke(["view", episode, "--dataset", where, "--out", str(tmp_path), "--no-recording"])
    error = capsys.readouterr().err
    assert code in (1, 2) and named in error and len(error.splitlines()) == 1 and "--debug" not in error
