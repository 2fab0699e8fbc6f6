#!/opt/backsight/bin/python
"""One picture before a night's work: EGL in containers fails late and silently. Run on every node and GPU.

Draws a built-in building; where habitat-sim is installed, the same building with each GPU that the container was given
(with Mesa where none was). One line of JSON on stdout; exit code 1 and a sentence where a picture is empty.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from tasks.collect.camera import Camera
from tasks.collect.embedded.simulator import EmbeddedSimulator, scene_id
from tasks.collect.simulator import Simulator
from tasks.errors import BacksightError

SEED = 0
CAMERA = Camera(width=224, height=224, hfov=90.0)


def main() -> None:
    """Draw, and say how it went."""
    found = {"embedded": timed(EmbeddedSimulator(), scene_id(SEED))}
    if importlib.util.find_spec("habitat_sim"):
        with tempfile.TemporaryDirectory() as folder:
            stage = exported(Path(folder))
            for device in devices():
                found[f"habitat, device {device}"] = with_habitat(stage, device)
    print(json.dumps({"smoke": {name: round(seconds, 2) for name, seconds in found.items()}}))


def timed(simulator: Simulator, scene: str) -> float:
    """Seconds from nothing to a picture that shows something."""
    begun = time.perf_counter()
    simulator.load(scene)
    place = simulator.navigable_points(1, np.random.default_rng(SEED))[0]
    pose = np.diag([1.0, -1.0, -1.0, 1.0])
    pose[:3, 3] = place + np.array([0, 1.2, 0])
    seen = simulator.render(pose, CAMERA)
    if not seen.depth.any() or seen.rgb.std() == 0:
        raise BacksightError(f"{type(simulator).__name__} draws an empty picture: look at the container's EGL driver.")
    simulator.close()
    return time.perf_counter() - begun


def exported(folder: Path) -> str:
    """The built-in building as scene files that habitat-sim loads."""
    from tasks.collect.embedded.building import build
    from tasks.collect.embedded.export import export

    return str(export(build(SEED, (4, 10)), "smoke", folder))


def devices() -> list[int]:
    """The GPUs that this container was given; -1, Mesa on the CPU, where there is none."""
    try:
        listed = subprocess.run(["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"], capture_output=True)
    except OSError:
        return [-1]
    return [int(word) for word in listed.stdout.split()] or [-1]


def with_habitat(stage: str, device: int) -> float:
    """The same in a process of its own: habitat-sim aborts the process where EGL and CUDA devices do not match."""
    code = f"import runpy; runpy.run_path({__file__!r})['habitat']({stage!r})"
    environment = {**os.environ, "BACKSIGHT_HABITAT_GPU": str(device)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        words = " ".join((done.stdout + done.stderr).split())[-300:]
        raise BacksightError(f"habitat-sim cannot draw on device {device} (code {done.returncode}): {words}")
    return float(done.stdout.split()[-1])


def habitat(stage: str) -> None:
    """Draw with habitat-sim on the device that the environment names; prints the seconds."""
    from tasks.collect.habitat import HabitatSimulator

    print(timed(HabitatSimulator(None, (CAMERA.width, CAMERA.height)), stage))


if __name__ == "__main__":
    try:
        main()
    except BacksightError as error:
        sys.exit(f"error: {error}")
