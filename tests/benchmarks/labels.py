"""Label throughput on one thread: pairs a second at several sizes, beside a per-pixel Python loop over the same pairs.

`backsight bench labels [--json]`. Prints; judges nothing.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable

import numpy as np
import torch

from model.batch import Views
from model.labels import build_targets
from tests.model import brute_labels
from tests.model.rooms import depth_map, random_pose, random_room, square_intrinsics, views_of

KEYFRAMES, GRID, PATCHES = 6, 16, 8
SIDES = {64: 16, 112: 8, 224: 4}
"""Pixels a side -> items in a batch."""

SECONDS = 2.0
"""Each figure is the best of the repeats that fit in this time."""


def measure() -> dict[str, dict[str, float]]:
    """Side -> pairs a second of `build_targets`, of the plain loop, and their ratio."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return {str(side): figures(side, items) for side, items in SIDES.items()}
    finally:
        torch.set_num_threads(threads)


def figures(side: int, items: int) -> dict[str, float]:
    """The figures of one image size."""
    views = random_batch(side, items)
    fast = items * KEYFRAMES / best_seconds(lambda: build_targets(views, GRID, PATCHES), SECONDS)
    slow = 1 / best_seconds(lambda: loop(views), 0.0)
    return {"pairs_per_second": fast, "loop_pairs_per_second": slow, "ratio": fast / slow}


def random_batch(side: int, items: int) -> Views:
    """`items` views of random rooms with their keyframes."""
    draw = np.random.default_rng(side)
    single = [random_item(side, draw) for _ in range(items)]
    return Views(*(torch.cat([getattr(item, name) for item in single]) for name in vars(single[0])))


def random_item(side: int, draw: np.random.Generator) -> Views:
    """Random cameras in a random room with occluders."""
    room, intrinsics = random_room(draw, boxes=6), square_intrinsics(side)
    poses = np.stack([random_pose(room, draw) for _ in range(KEYFRAMES + 1)])
    return views_of(np.stack([depth_map(room, p, intrinsics, side, side) for p in poses]), poses, intrinsics)


def loop(views: Views) -> None:
    """One pair in plain Python: classes, then the heatmap where there is one."""
    depth, pose, intrinsics = (t[0].double().numpy() for t in (views.depth, views.pose, views.intrinsics))
    classes, landing = brute_labels.classify(depth[-1], pose[-1], intrinsics[-1], depth[0], pose[0], intrinsics[0])
    if (classes == brute_labels.SEEN).any():
        brute_labels.heatmap(classes, landing, GRID)


def best_seconds(work: Callable[[], object], budget: float) -> float:
    """Least processor time of `work`, repeated for `budget` seconds after a warm-up; without a budget, of one run."""
    if budget:
        work()
    best, started = float("inf"), time.monotonic()
    while best == float("inf") or time.monotonic() - started < budget:
        before = time.process_time()
        work()
        best = min(best, time.process_time() - before)
    return best


def main(argv: list[str] | None = None) -> None:
    """Print the figures as a table or as JSON."""
    parser = argparse.ArgumentParser(description="Measure how many label pairs a second one core makes.")
    parser.add_argument("--json", action="store_true", help="print JSON")
    found = measure()
    if parser.parse_args(argv).json:
        print(json.dumps({"labels": found}))
        return
    print("pixels  pairs/s  Python loop  ratio")
    for side, row in found.items():
        print(f"{side:>6} {row['pairs_per_second']:8.0f} {row['loop_pairs_per_second']:12.2f} {row['ratio']:6.0f}")


if __name__ == "__main__":
    main()
