"""Records one shard: a WebDataset tar, its rows of the index, its episodes and its scenes."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from tasks.collect.camera import yaw_quaternion
from tasks.collect.episodes import Episode, record, record_given
from tasks.collect.live import Walked, walked
from tasks.collect.schedule import Errand, Shard
from tasks.collect.simulator import Observation, SceneGraph, Simulator
from tasks.collect.spec import CollectPlan
from tasks.collect.tars import TarWriter
from tasks.errors import DataError, UsageError

GOAL_RADIUS = 0.36
"""Metres around the goal that count as reached: within one step of 0.25 m and the grid's rounding."""
PNG_EFFORT = 1
"""zlib level: lossless either way, and higher ones cost more time than they save space."""
PNG_CODING = (
    *(cv2.IMWRITE_PNG_COMPRESSION, PNG_EFFORT),
    *(cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_UP),
    *(cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_DEFAULT),
)
"""Each byte less the one above: a twentieth larger than with the best filter for each row, and quicker both ways."""


@dataclass
class ShardReport:
    """What a shard adds to the dataset beside its tar; JSON values only."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    """Of the index, without the instruction's language variants."""
    episodes: list[dict[str, Any]] = field(default_factory=list)
    scenes: list[dict[str, Any]] = field(default_factory=list)
    rejected: dict[str, int] = field(default_factory=dict)
    """Attempts replaced by the next seed, by reason."""
    missing: list[str] = field(default_factory=list)
    """Episodes for which no seed gave a good walk."""
    unusable: dict[str, str] = field(default_factory=dict)
    """Scenes that could not be used, with the reason."""


def write_shard(
    simulator: Simulator, plan: CollectPlan, seed: int, shard: Shard, tar: Path, done: Callable[[Walked], None]
) -> ShardReport:
    """Record a shard's walks into `tar`, from nothing but plan, seed and shard; `done` is called after each episode."""
    report, rejected = ShardReport(), Counter[str]()
    with TarWriter(tar) as writer:
        for visit in shard.visits:
            try:
                simulator.load(visit.scene)
            except (DataError, UsageError) as error:
                report.unusable[visit.scene] = str(error)
                for errand in visit.errands:
                    done(Walked(errand.episode))
                continue
            if visit.scene not in {scene["id"] for scene in report.scenes}:
                report.scenes.append(scene_entry(visit.scene, shard, simulator.graph))
            for errand in visit.errands:
                before = rejected.total()
                episode = record_errand(simulator, plan, seed, errand, rejected)
                if episode is None:
                    report.missing.append(errand.episode)
                else:
                    report.rows += write_frames(writer, episode, shard)
                    report.episodes.append(episode_entry(episode, shard, len(report.episodes)))
                frames = episode.frames if episode else ()
                done(walked(errand.episode, errand.stratum.value, frames, rejected.total() - before))
    report.rejected = dict(sorted(rejected.items()))
    return report


def record_errand(
    simulator: Simulator, plan: CollectPlan, seed: int, errand: Errand, rejected: Counter[str]
) -> Episode | None:
    """The walk that an errand asks for, in the simulator's current scene."""
    if errand.given is not None:
        return record_given(simulator, plan, seed, errand.episode, errand.given, rejected)
    goal = None if errand.goal is None else np.array(errand.goal)
    return record(simulator, plan, seed, errand.episode, errand.stratum, rejected, goal)


def png(image: np.ndarray) -> bytes:
    """A lossless PNG; RGB or one channel of 8 or 16 bits."""
    stored = image[..., ::-1] if image.ndim == 3 else image
    ok, data = cv2.imencode(".png", stored, PNG_CODING)
    assert ok, "OpenCV could not encode a PNG"
    return data.tobytes()


def millimetres(depth: np.ndarray) -> np.ndarray:
    """Depth in metres as uint16 millimetres; what is not finite or beyond 65.5 m becomes 0 (invalid)."""
    scaled = np.round(np.where(np.isfinite(depth), depth, 0.0) * 1000)
    return np.where(scaled <= np.iinfo(np.uint16).max, scaled, 0).astype(np.uint16)


def write_frames(writer: TarWriter, episode: Episode, shard: Shard) -> list[dict[str, Any]]:
    """Append an episode's frames; returns their rows of the index."""
    return [write_frame(writer, episode, shard, i, frame) for i, frame in enumerate(episode.frames)]


def write_frame(writer: TarWriter, episode: Episode, shard: Shard, number: int, frame: Observation) -> dict[str, Any]:
    """Append one frame as four members."""
    key = f"{episode.id}-{number:04d}"
    pose, intrinsics = episode.poses[number], episode.camera.intrinsics
    action = episode.actions[number]
    meta = {
        "episode": episode.id,
        "frame": number,
        "pose": pose.tolist(),
        "action": action,
        "intrinsics": intrinsics.tolist(),
    }
    rgb = writer.add(f"{key}.rgb.png", png(frame.rgb))
    depth = writer.add(f"{key}.depth.png", png(millimetres(frame.depth)))
    semantic = writer.add(f"{key}.semantic.png", png(frame.semantic))
    writer.add(f"{key}.json", json.dumps(meta, sort_keys=True).encode())
    return {
        "episode": episode.id, "frame": number, "shard": shard.blob,
        "rgb_offset": rgb[0], "rgb_size": rgb[1], "depth_offset": depth[0], "depth_size": depth[1],
        "semantic_offset": semantic[0], "semantic_size": semantic[1],
        "pose": pose.ravel().tolist(), "intrinsics": intrinsics.ravel().tolist(), "action": action,
        "stratum": episode.stratum.value, "scene": episode.scene, "split": shard.split.value,
        "instruction": episode.instructions["en"],
    }  # fmt: skip


def episode_entry(episode: Episode, shard: Shard, number: int) -> dict[str, Any]:
    """One episode in habitat-lab's VLN format (R2R-CE v1); what that has no word for stands under `info`."""
    first, given = episode.stances[0], episode.given
    path = [
        stance.position for i, stance in enumerate(episode.stances) if i == 0 or episode.actions[i - 1] == "forward"
    ]
    return {
        "episode_id": episode.id,
        "trajectory_id": shard.number * 100_000 + number,
        "scene_id": episode.scene,
        "start_position": rounded(first.position),
        "start_rotation": yaw_quaternion(first.heading),
        "goals": [{"position": rounded(episode.goal), "radius": given.radius if given else GOAL_RADIUS}],
        "reference_path": [rounded(np.array(point)) for point in (given.path if given else path)],
        "instruction": {"instruction_text": episode.instructions["en"], "instruction_tokens": None},
        "info": {
            "geodesic_distance": round(episode.length, 4), "split": shard.split.value, "stratum": episode.stratum.value,
            "style": episode.style, "landmarks": list(episode.named), **languages(episode),
            "camera": {
                "hfov": episode.camera.hfov, "height": episode.height, "pitch": float(np.degrees(episode.pitch)),
            },
            "frames": len(episode.frames),
        },
    }  # fmt: skip


def languages(episode: Episode) -> dict[str, Any]:
    """The instruction in other languages; of a public episode also its own id, language and role."""
    chinese = {"instruction_zh": episode.instructions["zh"]} if "zh" in episode.instructions else {}
    if (given := episode.given) is None:
        return chinese
    return chinese | {"source": given.kind, "source_id": given.id, "language": given.language, "role": given.role}


def rounded(point: np.ndarray) -> list[float]:
    """A point to a tenth of a millimetre."""
    return [round(float(v), 4) for v in point]


def scene_entry(scene: str, shard: Shard, graph: SceneGraph) -> dict[str, Any]:
    """One scene of scenes.json. Scenes that val_seen shares with train count as train's."""
    split = "train" if shard.split.value == "val_seen" else shard.split.value
    return {"id": scene, "split": split, **graph.as_json()}
