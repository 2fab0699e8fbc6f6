"""A tiny analytic world for tests: box rooms, raycast in numpy, written in the dataset's format."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

CATEGORIES = ("floor", "ceiling", "wall", "table", "cabinet", "sofa")
PALETTE = np.random.default_rng(7).integers(40, 230, (64, 3))


@dataclass(frozen=True)
class BoxScene:
    """A room [0, size] with boxes [n, 2, 3] inside; semantic ids: 1 floor, 2 ceiling, 3 wall, 4.. boxes."""

    name: str
    split: str
    size: np.ndarray
    boxes: np.ndarray
    categories: tuple[str, ...]


def build_scene(index: int, split: str) -> BoxScene:
    """A room of 5-8 m with a wall across it that leaves a door, and three pieces of furniture."""
    draw = np.random.default_rng([11, index])
    size = np.array([draw.uniform(5, 8), 2.6, draw.uniform(5, 8)])
    middle, door = size[0] * draw.uniform(0.4, 0.6), size[2] * draw.uniform(0.3, 0.7)
    walls = [
        [[middle - 0.06, 0, 0], [middle + 0.06, 2.6, door - 0.6]],
        [[middle - 0.06, 0, door + 0.6], [middle + 0.06, 2.6, size[2]]],
    ]
    furniture = []
    for _ in range(3):
        half, height = draw.uniform(0.2, 0.5, 2), draw.uniform(0.5, 1.6)
        x, z = draw.uniform(0.7, size[0] - 0.7), draw.choice([0.5, size[2] - 0.5])
        furniture.append([[x - half[0], 0, z - half[1]], [x + half[0], height, z + half[1]]])
    return BoxScene(f"box-{index:03d}", split, size, np.array(walls + furniture), ("wall", "wall", *CATEGORIES[3:]))


def render(scene: BoxScene, pose: np.ndarray, intrinsics: np.ndarray, side: int) -> tuple[np.ndarray, ...]:
    """RGB uint8 [s,s,3], z-depth in metres [s,s], semantic ids uint16 [s,s] of a camera (OpenCV pose)."""
    v, u = np.mgrid[:side, :side] + 0.5
    local = np.stack(
        [(u - intrinsics[0, 2]) / intrinsics[0, 0], (v - intrinsics[1, 2]) / intrinsics[1, 1], u * 0 + 1], -1
    )
    ray = local @ pose[:3, :3].T
    ray = np.where(np.abs(ray) < 1e-9, 1e-9, ray)
    origin = pose[:3, 3]
    exits = np.maximum((0 - origin) / ray, (scene.size - origin) / ray)
    depth, axis = exits.min(-1), exits.argmin(-1)
    ids = np.where(axis == 1, np.where(ray[..., 1] < 0, 1, 2), 3)
    for number, (low, high) in enumerate(scene.boxes):
        a, b = (low - origin) / ray, (high - origin) / ray
        near, far = np.minimum(a, b).max(-1), np.maximum(a, b).min(-1)
        hit = (near > 1e-3) & (near < far) & (near < depth)
        depth, ids = np.where(hit, near, depth), np.where(hit, 4 + number, ids)
    where = origin + ray * depth[..., None]
    checks = np.floor(where / 0.45 + 1e-6).astype(int).sum(-1) % 2
    rgb = PALETTE[(ids * 5 + int(scene.name[-3:])) % 64] * (0.65 + 0.35 * checks[..., None])
    return rgb.astype(np.uint8), depth, ids.astype(np.uint16)


def walk(scene: BoxScene, draw: np.random.Generator, frames: int) -> tuple[list[np.ndarray], list[str]]:
    """Poses (camera-to-world, OpenCV) and actions of a random walk at 1.4 m height."""
    inside = scene.boxes + np.array([[-0.3, 0, -0.3], [0.3, 0, 0.3]])

    def free(p: np.ndarray) -> bool:
        flat, walls = p[[0, 2]], scene.size[[0, 2]]
        in_box = ((flat > inside[:, 0][:, [0, 2]]) & (flat < inside[:, 1][:, [0, 2]])).all(-1).any()
        return bool((flat > 0.3).all() and (flat < walls - 0.3).all() and not in_box)

    at = np.array([0.0, 1.4, 0.0])
    while not free(at):
        at[[0, 2]] = draw.uniform(0.4, 0.95, 2) * scene.size[[0, 2]]
    heading, turning, poses, actions = draw.uniform(0, 2 * np.pi), 1, [], []
    for _ in range(frames):
        forward = np.array([np.sin(heading), 0, np.cos(heading)])
        pose = np.eye(4)
        right = np.array([-np.cos(heading), 0, np.sin(heading)])
        pose[:3, :3] = np.stack([right, [0, -1, 0], forward], -1)
        pose[:3, 3] = at
        poses.append(pose)
        ahead = at + 0.25 * forward
        if free(ahead) and draw.random() < 0.75:
            at, action = ahead, "forward"
            turning = int(draw.choice([-1, 1]))
        else:
            heading, action = heading + turning * np.pi / 9, "left" if turning > 0 else "right"
        actions.append(action)
    actions[-1] = "stop"
    return poses, actions


def write_dataset(root: Path, scenes: dict[str, int], episodes: int = 2, frames: int = 12, side: int = 32) -> Path:
    """Write `scenes[split]` rooms a split with `episodes` walks each: index.parquet, scenes.json, shards, episodes."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "shards").mkdir(exist_ok=True)
    focal = side / 2
    intrinsics = np.array([[focal, 0, side / 2], [0, focal, side / 2], [0, 0, 1]])
    rows, described, spoken = [], [], []
    splits = [split for split, count in scenes.items() for _ in range(count)]
    for number, split in enumerate(splits):
        scene = build_scene(number, split)
        described.append(_describe(scene))
        shard = f"shards/{number:03d}.tar"
        with tarfile.open(root / shard, "w", format=tarfile.USTAR_FORMAT) as tar:
            for walk_number in range(episodes):
                draw = np.random.default_rng([13, number, walk_number])
                name, goal = f"{scene.name}-{walk_number:02d}", str(draw.choice(CATEGORIES[3:]))
                instruction = f"walk past the {goal} and stop"
                poses, actions = walk(scene, draw, frames)
                for frame, (pose, action) in enumerate(zip(poses, actions, strict=True)):
                    row = {"episode": name, "frame": frame, "shard": shard, "pose": pose.ravel().tolist()}
                    row |= {"intrinsics": intrinsics.ravel().tolist(), "action": action, "scene": scene.name}
                    row |= {"stratum": ("forward", "loop")[walk_number % 2], "split": split, "instruction": instruction}
                    rows.append(row | _add_frame(tar, scene, pose, intrinsics, side, f"{name}-{frame:04d}", row))
                spoken.append(
                    {
                        "episode_id": name,
                        "scene_id": scene.name,
                        "start_position": [*poses[0][[0], 3], 0.0, *poses[0][[2], 3]],
                        "instruction": {"instruction_text": instruction},
                    }
                )
    rows.sort(key=lambda r: (r["episode"], r["frame"]))
    table = pa.Table.from_pylist(rows)
    for column, kind in {"frame": pa.int32()}.items():
        table = table.set_column(table.schema.get_field_index(column), column, table[column].cast(kind))
    pq.write_table(table, root / "index.parquet")
    (root / "scenes.json").write_text(json.dumps({"scenes": described}))
    with gzip.open(root / "episodes.json.gz", "wt") as out:
        json.dump({"episodes": spoken, "instruction_vocab": {}}, out)
    return root


def _describe(scene: BoxScene) -> dict:
    objects = [
        {
            "id": 4 + n,
            "category": category,
            "name": category,
            "centre": box.mean(0).tolist(),
            "size": (box[1] - box[0]).tolist(),
            "yaw": 0.0,
        }
        for n, (box, category) in enumerate(zip(scene.boxes, scene.categories, strict=True))
    ]
    structure = [
        {"id": n + 1, "category": c, "name": c, "centre": [0, 0, 0], "size": [0, 0, 0], "yaw": 0.0}
        for n, c in enumerate(CATEGORIES[:3])
    ]
    return {
        "id": scene.name,
        "split": scene.split,
        "rooms": [],
        "doors": [],
        "walls": [],
        "objects": structure + objects,
    }


def _add_frame(tar, scene, pose, intrinsics, side, name, row) -> dict:  # noqa: ANN001
    rgb, depth, ids = render(scene, pose, intrinsics, side)
    millimetres = np.round(depth * 1000).astype(np.uint16)
    parts = {
        "rgb": cv2.imencode(".png", rgb[..., ::-1])[1].tobytes(),
        "depth": cv2.imencode(".png", millimetres)[1].tobytes(),
        "semantic": cv2.imencode(".png", ids)[1].tobytes(),
    }
    place = {}
    for part, content in parts.items():
        info = tarfile.TarInfo(f"{name}.{part}.png")
        info.size = len(content)
        place[f"{part}_offset"], place[f"{part}_size"] = tar.offset + 512, len(content)
        tar.addfile(info, io.BytesIO(content))
    content = json.dumps({k: row[k] for k in ("episode", "frame", "pose", "action", "intrinsics")}).encode()
    info = tarfile.TarInfo(f"{name}.json")
    info.size = len(content)
    tar.addfile(info, io.BytesIO(content))
    return place
