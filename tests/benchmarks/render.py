"""The embedded simulator's speed: frames a second and core, recording, building, and end to end; memory over time.

`backsight bench render [--json] [--size 224] [--frames 200] [--soak 10000]`. Prints; judges nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil

from tasks.collect.camera import Camera, camera_pose
from tasks.collect.embedded.building import build
from tasks.collect.embedded.simulator import EmbeddedSimulator
from tasks.collect.schedule import shards_of
from tasks.collect.shards import millimetres, png, write_shard
from tasks.collect.spec import CollectPlan, SplitPlan


def per_core_second(work: Callable[[], int]) -> float:
    """How many things `work` does in a second of one core (it returns how many it did)."""
    started = time.process_time()
    done = work()
    return done / (time.process_time() - started)


def measure(size: int, frames: int, soak: int) -> dict[str, float]:
    """All figures."""
    simulator = EmbeddedSimulator()
    simulator.load("b1")
    rng, camera = np.random.default_rng(0), Camera(size, size, 90.0)
    places = simulator.navigable_points(frames, rng, 0.1)
    poses = [camera_pose(place + np.array([0, 1.4, 0]), float(rng.uniform(-np.pi, np.pi)), -0.1) for place in places]
    for pose in poses[:5]:
        simulator.render(pose, camera)

    def bare() -> int:
        return len([simulator.render(pose, camera) for pose in poses])

    def recorded() -> int:
        seen = [simulator.render(pose, camera) for pose in poses]
        return len([(png(s.rgb), png(millimetres(s.depth)), png(s.semantic)) for s in seen])

    def collected() -> int:
        plan = CollectPlan(train=SplitPlan(scenes=4, episodes=3), val_seen=SplitPlan(scenes=0), size=(size, size))
        with tempfile.TemporaryDirectory() as folder:
            return len(
                write_shard(simulator, plan, 0, shards_of(plan, 0)[0], Path(folder) / "x.tar", lambda _: None).rows
            )

    found = {"frames_per_core_second": per_core_second(bare), "recorded_per_core_second": per_core_second(recorded)}
    found["collected_per_core_second"] = per_core_second(collected)
    found["collected_to_bare"] = found["collected_per_core_second"] / found["frames_per_core_second"]
    for name, rooms in (("building", (4, 10)), ("building_of_20_rooms", (20, 20))):
        found[f"core_seconds_a_{name}"] = 1 / per_core_second(
            lambda r=rooms: len([build(s, r) for s in range(100, 110)])
        )
    found |= memory(simulator, camera, poses, soak)
    simulator.close()
    return found


def memory(simulator: EmbeddedSimulator, camera: Camera, poses: list[np.ndarray], frames: int) -> dict[str, float]:
    """Resident megabytes before and after a number of frames in changing buildings, each of which was drawn before."""

    def draw(count: int) -> float:
        for i in range(count):
            if i % 200 == 0:
                simulator.load(f"b{1 + i // 200 % 5}")
            simulator.render(poses[i % len(poses)], camera)
        return psutil.Process().memory_info().rss / 2**20

    start = draw(1000)
    return {"soaked_frames": frames, "rss_megabytes_start": start, "rss_megabytes_end": draw(frames)}


def main(argv: list[str] | None = None) -> None:
    """Print the figures, as JSON if asked."""
    parser = argparse.ArgumentParser(description="Measure the embedded simulator.")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--size", type=int, default=224, help="pixels a side")
    parser.add_argument("--frames", type=int, default=200, help="frames to time")
    parser.add_argument("--soak", type=int, default=10_000, help="frames over which memory is watched")
    arguments = parser.parse_args(argv)
    # One thread, so that the figures are those of one core.
    os.environ["LP_NUM_THREADS"] = "0"
    found = measure(arguments.size, arguments.frames, arguments.soak)
    print(json.dumps({"render": found}) if arguments.json else "\n".join(f"{k}: {v:.4g}" for k, v in found.items()))


if __name__ == "__main__":
    main()
