"""Exported buildings: what habitat-sim is given shows what we render, with the right ids, the right way up."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest
import trimesh

from tasks.collect.camera import Camera, camera_pose
from tasks.collect.embedded.building import build
from tasks.collect.embedded.export import export, id_colours, linear, main, srgb
from tasks.collect.embedded.simulator import EmbeddedSimulator
from tasks.errors import DataError

SEED = 5


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export(build(SEED, (4, 5)), f"b{SEED}", tmp_path_factory.mktemp("scene"))


def copied(config: Path, folder: Path) -> Path:
    for path in config.parent.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    return folder / config.name


def test_the_exported_building_looks_like_the_original(config: Path) -> None:
    original, exported = EmbeddedSimulator((4, 5)), EmbeddedSimulator((4, 5))
    original.load(f"b{SEED}")
    exported.load(str(config))
    assert exported.graph == original.graph
    assert (exported.grid.free == original.grid.free).all()
    rng, camera = np.random.default_rng(0), Camera(160, 160, 80.0)
    for place in original.navigable_points(12, rng, 0.1):
        pose = camera_pose(place + np.array([0, 1.4, 0]), float(rng.uniform(-3, 3)), -0.1)
        a, b = original.render(pose, camera), exported.render(pose, camera)
        assert np.abs(a.depth - b.depth).max() < 1e-4
        assert (a.semantic == b.semantic).all()
        assert np.abs(a.rgb.astype(int) - b.rgb.astype(int)).mean() <= 0.01
    original.close()
    exported.close()


def test_the_glb_is_valid_upright_and_in_metres(config: Path) -> None:
    data = config.with_name(f"b{SEED}.glb").read_bytes()
    magic, version, length = struct.unpack("<4sII", data[:12])
    assert (magic, version, length) == (b"glTF", 2, len(data))
    scene = trimesh.load_scene(config.with_name(f"b{SEED}.glb"))
    plan = build(SEED, (4, 5)).plan
    low, high = scene.bounds
    assert low[1] == pytest.approx(0, abs=0.01) and high[1] == pytest.approx(plan.height, abs=0.01)
    assert high[0] - low[0] == pytest.approx(plan.bounds.width, abs=0.4)
    settings = json.loads(config.read_text())
    assert settings["up"] == [0, 1, 0] and settings["front"] == [0, 0, -1]
    assert all(
        (config.parent / settings[k]).exists()
        for k in ("render_asset", "semantic_asset", "semantic_descriptor_filename")
    )


def test_the_descriptor_names_every_object_once(config: Path) -> None:
    title, *lines = config.with_name(f"b{SEED}.semantic.txt").read_text().splitlines()
    graph = build(SEED, (4, 5)).graph
    assert title == "HM3D Semantic Annotations" and len(lines) == len(graph.objects)
    for thing, line in zip(graph.objects, lines, strict=True):
        number, colour, category, room = line.split(",")
        assert (int(number), category.strip('"'), int(room)) == (thing.id, thing.category, thing.room)
        assert len(colour) == 6
    assert len({line.split(",")[1] for line in lines}) == len(lines)


def test_colours_survive_the_way_to_linear_light_and_back() -> None:
    codes = id_colours(5000)
    back = np.round(srgb(linear(codes / 255).astype(np.float32).astype(float)) * 255).astype(int)
    assert (back == codes).all() and len(np.unique(codes, axis=0)) == 5000 and codes.sum(axis=1).min() > 0


def test_the_same_building_gives_the_same_files(config: Path, tmp_path: Path) -> None:
    again = export(build(SEED, (4, 5)), f"b{SEED}", tmp_path)
    assert {p.name: p.read_bytes() for p in again.parent.iterdir()} == {
        p.name: p.read_bytes() for p in config.parent.iterdir()
    }


@pytest.mark.parametrize("damage", ["no glb", "nan", "colour", "graph", "grid", "config"])
def test_what_is_wrong_is_named(config: Path, tmp_path: Path, damage: str) -> None:
    broken = copied(config, tmp_path)
    glb = tmp_path / f"b{SEED}.glb"
    match damage:
        case "no glb":
            glb.write_bytes(b"not a GLB at all")
            named = glb.name
        case "nan":
            data = bytearray(glb.read_bytes())
            json_size = struct.unpack("<I", data[12:16])[0]
            content = json.loads(data[20 : 20 + json_size])
            view = content["bufferViews"][content["accessors"][0]["bufferView"]]
            start = 20 + json_size + 8 + view["byteOffset"]
            data[start : start + 4] = struct.pack("<f", float("nan"))
            glb.write_bytes(data)
            named = glb.name
        case "colour":
            text = tmp_path / f"b{SEED}.semantic.txt"
            text.write_text("\n".join(text.read_text().splitlines()[:-3]) + "\n")
            named = f"b{SEED}.semantic.glb"
        case "graph":
            (tmp_path / f"b{SEED}.scene.json").write_text(
                '{"rooms": [{"id": 0}], "doors": [], "objects": [], "walls": []}'
            )
            named = f"b{SEED}.scene.json"
        case "grid":
            (tmp_path / f"b{SEED}.navigation.png").unlink()
            named = f"b{SEED}.navigation.png"
        case _:
            broken.write_text("{}")
            named = broken.name
    simulator = EmbeddedSimulator()
    with pytest.raises(DataError, match=named.replace(".", r"\.")) as caught:
        simulator.load(str(broken))
    simulator.close()
    assert "\n" not in str(caught.value)


def test_the_command_writes_a_scene_dataset(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path), "3", "d1", "--rooms", "4", "4"]) == 0
    assert (tmp_path / "buildings.scene_dataset_config.json").exists() and (tmp_path / "b3.stage_config.json").exists()
    assert (tmp_path / "d1.navigation.upper.png").exists(), "a home on two floors"
    capsys.readouterr()
    for wrong in (["x7"], ["3", "--rooms", "9", "5"]):
        assert main([str(tmp_path), *wrong]) == 2
        assert capsys.readouterr().err.startswith("error: ")
