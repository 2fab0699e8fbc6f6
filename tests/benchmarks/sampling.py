"""The `enhanced` sampler's lazy greedy against the plain one, and the coverage curve of all four samplers.

`backsight bench sampling [--video v.mp4 --model PATH] [--picture curve.png] [--json]`. On at most 128 candidates: of a
video, whose depth and cameras the model's own encoder estimates, or else random cameras in a random room with
furniture. Prints; judges nothing.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from model.draw.canvas import as_image, new_figure
from model.draw.palette import FAINT, INK, RULE, keyframe_colour, unit
from model.sampling import SAMPLERS, Past, create_sampler
from model.sampling.enhanced import EnhancedSampler, Voxels
from model.sampling.simple import pose_distances, translation_unit
from tests.model.rooms import depth_map, random_pose, random_room, square_intrinsics
from tests.model.test_sampling import naive_greedy

CANDIDATES, KEYFRAMES, SIDE = 128, 16, 64
REPEATS = 5


def main(argv: list[str] | None = None) -> None:
    """Print the figures, as JSON if asked."""
    parser = argparse.ArgumentParser(description="Measure the lazy greedy sampler and what all samplers cover.")
    parser.add_argument("--video", type=Path, help="candidates from a video in place of a random room")
    parser.add_argument("--model", default="champion", help="network that estimates the video's depth and cameras")
    parser.add_argument("--picture", type=Path, help="draw the coverage curves into a PNG")
    parser.add_argument("--json", action="store_true", help="print JSON")
    asked = parser.parse_args(argv)
    past = random_walk() if asked.video is None else video_past(asked.video, asked.model)
    speed, curves = greedy_speed(past), coverage(past)
    if asked.picture is not None:
        title = "random cameras in a room" if asked.video is None else asked.video.name
        coverage_curves(curves, f"{past.count} candidates, {title}").save(asked.picture)
    print(json.dumps({"sampling": {**speed, "coverage": curves}}) if asked.json else written(speed, curves))


def random_walk() -> Past:
    """Random cameras in a random room with occluders."""
    draw = np.random.default_rng(0)
    room, intrinsics = random_room(draw, boxes=6), square_intrinsics(SIDE)
    poses = np.stack([random_pose(room, draw) for _ in range(CANDIDATES)])
    depth = np.stack([depth_map(room, pose, intrinsics, SIDE, SIDE) for pose in poses]).astype(np.float32)
    rgb = draw.integers(0, 256, (CANDIDATES, SIDE, SIDE, 3)).astype(np.uint8)
    return Past(CANDIDATES, poses, depth, np.broadcast_to(intrinsics, (CANDIDATES, 3, 3)), rgb)


def video_past(path: Path, model: str) -> Past:
    """The frames of a video, as a network sees their geometry."""
    from model.estimate import estimate
    from model.video import watch
    from tasks.predict.networks import open_network

    network = open_network(model, None, False).predictor
    footage = watch(path, network.config.image_size, limit=CANDIDATES)
    rgb = np.stack([moment.seen for moment in footage.past])
    seen = estimate(network.network, rgb)
    return Past(len(rgb), seen.pose, seen.depth, seen.intrinsics, rgb, seen.confidence)


def greedy_speed(past: Past) -> dict[str, float | bool]:
    """Seconds of both greedies on known voxels (the least of some repeats), and whether they pick the same."""
    sampler, count = EnhancedSampler(), min(KEYFRAMES, past.count)
    assert past.pose is not None
    started = time.process_time()
    voxels = sampler.voxels(past)
    voxel_seconds = time.process_time() - started
    lazy, picks = timed(lambda: sampler.greedy(voxels, past.pose, count), REPEATS)
    naive, same = timed(lambda: naive_greedy(sampler, voxels, past.pose, count), 1)
    eager, also = timed(lambda: eager_greedy(sampler, voxels, past.pose, count), REPEATS)
    return {
        "candidates": past.count,
        "keyframes": count,
        "voxels": len(voxels.worth),
        "voxel_seconds": voxel_seconds,
        "lazy_seconds": lazy,
        "naive_seconds": naive,
        "ratio": naive / lazy,
        "eager_seconds": eager,
        "eager_ratio": eager / lazy,
        "same_picks": picks == same == also,
    }


def eager_greedy(sampler: EnhancedSampler, voxels: Voxels, pose: np.ndarray, count: int) -> list[int]:
    """The plain greedy with arrays: it knows what is covered, but computes every frame's gain for every pick."""
    uncovered, nearest, reach = voxels.worth.copy(), np.ones(len(pose)), translation_unit(pose)
    picked: list[int] = []
    for _ in range(count):
        gains = np.array([uncovered[seen].sum() for seen in voxels.seen]) + sampler.diversity * nearest
        gains[picked] = -np.inf
        picked.append(int(gains.argmax()))
        uncovered[voxels.seen[picked[-1]]] = 0
        nearest = np.minimum(nearest, pose_distances(pose, picked[-1], reach))
    return picked


def timed(work: Callable[[], list[int]], repeats: int) -> tuple[float, list[int]]:
    """Least processor time of `work`, and what it gave."""
    least, found = float("inf"), []
    for _ in range(repeats):
        started = time.process_time()
        found = work()
        least = min(least, time.process_time() - started)
    return least, found


def coverage(past: Past) -> dict[str, list[float]]:
    """Sampler -> share of all candidates' voxels that its 1, 2, ... keyframes see."""
    voxels = EnhancedSampler().voxels(past)
    counts = range(1, min(KEYFRAMES, past.count) + 1)
    return {
        name: [share(voxels, create_sampler(name).sample(past, count)) for count in counts] for name in SAMPLERS
    }  # fmt: skip


def coverage_curves(curves: Mapping[str, Sequence[float]], title: str) -> Image.Image:
    """Sampler -> share of the voxels covered by 1, 2, ... keyframes."""
    figure, axes = new_figure(7.5, 4.2)
    best_last = sorted(curves, key=lambda name: -curves[name][-1])
    for number, name in enumerate(best_last):
        counts = range(1, len(curves[name]) + 1)
        axes.plot(counts, curves[name], color=unit(keyframe_colour(number)), lw=2, marker="o", ms=3.5, label=name)
    axes.set_title(title, loc="left", fontsize=12, fontweight="bold", color=unit(INK))
    axes.set_xlabel("keyframes", color=unit(FAINT))
    axes.set_ylabel("share of the space seen", color=unit(FAINT))
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.grid(True, color=unit(RULE), lw=0.7)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(colors=unit(FAINT), labelsize=9, length=0)
    axes.set_ylim(bottom=0)
    axes.legend(loc="lower right", frameon=False, fontsize=9, labelcolor=unit(INK))
    return as_image(figure)


def share(voxels: Voxels, picks: list[int]) -> float:
    """Of the voxels, those that the picks see."""
    return len(np.unique(np.concatenate([voxels.seen[pick] for pick in picks]))) / max(1, len(voxels.worth))


def written(speed: dict[str, float | bool], curves: dict[str, list[float]]) -> str:
    """The figures for a person."""
    lines = [
        f"{speed['candidates']} candidates, {speed['keyframes']} keyframes, {speed['voxels']} voxels found in "
        f"{speed['voxel_seconds']:.3f} s",
        f"lazy greedy {1000 * speed['lazy_seconds']:.2f} ms; plain greedy in Python "
        f"{1000 * speed['naive_seconds']:.1f} ms, {speed['ratio']:.0f} times as long; with arrays "
        f"{1000 * speed['eager_seconds']:.1f} ms, {speed['eager_ratio']:.1f} times; same picks: "
        f"{'yes' if speed['same_picks'] else 'NO'}",
        "share of the space covered by",
        f"  {'keyframes':<10}" + "".join(f"{name:>10}" for name in curves),
    ]
    for count in range(len(next(iter(curves.values())))):
        lines.append(f"  {count + 1:<10}" + "".join(f"{curve[count]:>10.3f}" for curve in curves.values()))
    return "\n".join(lines)


if __name__ == "__main__":
    main()
