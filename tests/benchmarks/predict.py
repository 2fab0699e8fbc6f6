"""Prediction from videos: memory over the video's length, and seconds and GB of a network of a preset's size.

`backsight bench predict [--lengths 500 5000] [--preset tiny] [--device cpu] [--unload-llm] [--json]`. The network has
random weights of the preset's sizes, so that nothing is downloaded. Prints; judges nothing.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from multiprocessing import get_context
from pathlib import Path

import numpy as np

SIZE, CANDIDATES = (640, 360), 128
FILM, REPEATS = 150, 3


def main(argv: list[str] | None = None) -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description="Measure prediction from videos.")
    parser.add_argument("--lengths", type=int, nargs="+", default=[500, 5000], help="frames of the synthetic videos")
    parser.add_argument("--preset", default="tiny", help="whose network is made, with random weights")
    parser.add_argument("--device", default=None, help="cpu, cuda  [default: the GPU where there is one]")
    parser.add_argument("--unload-llm", action="store_true", help="bring the language model for its own calls alone")
    parser.add_argument("--json", action="store_true", help="print JSON")
    asked = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        videos = {length: write(Path(folder) / f"{length}.mp4", length) for length in asked.lengths}
        streams = {length: in_a_child(path) for length, path in videos.items()}
        network = predictions(write(Path(folder) / "film.mp4", FILM), asked.preset, asked.device, asked.unload_llm)
    if asked.json:
        print(json.dumps({"predict": {"streams": streams, "network": network}}))
        return
    print("frames   peak MB   seconds   frames/s")
    for length, row in streams.items():
        print(f"{length:>6} {row['peak_mb']:>9.0f} {row['seconds']:>9.1f} {length / row['seconds']:>10.0f}")
    print(f"network of {asked.preset}: " + ", ".join(f"{name} {value}" for name, value in network.items()))


def write(path: Path, frames: int) -> Path:
    """A video of drifting noise, so that its pictures are not all alike."""
    import cv2

    draw = np.random.default_rng(0)
    wall = cv2.GaussianBlur(draw.integers(0, 256, (SIZE[1] + 64, SIZE[0] + 512, 3), dtype=np.uint8), (0, 0), 5)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 30, SIZE)
    for number in range(frames):
        left, top = number % 512, number // 8 % 64
        writer.write(np.ascontiguousarray(wall[top : top + SIZE[1], left : left + SIZE[0]]))
    writer.release()
    return path


def in_a_child(path: Path) -> dict[str, float]:
    """What a process takes that only reads the video."""
    with get_context("spawn").Pool(1) as pool:
        return pool.apply(stream, (path,))


def stream(path: Path) -> dict[str, float]:
    """Read a video as prediction does."""
    import resource

    from model.video import watch

    started = time.perf_counter()
    footage = watch(path, 224, limit=CANDIDATES)
    assert len(footage.past) == CANDIDATES
    seconds = time.perf_counter() - started
    return {"peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "seconds": seconds}


def predictions(film: Path, preset: str, device: str | None, unload: bool) -> dict[str, float | str]:
    """Seconds to set up and to answer (the median, after a first answer), and GB at the most."""
    import torch

    from model.memory import peak_memory
    from model.plan import without_sources
    from model.predict import Predictor
    from model.spatial_mllm import SpatialMLLM
    from model.tokenizer import Tokenizer
    from tasks.preset import load_preset

    where = device or ("cuda" if torch.cuda.is_available() else "cpu")
    started = time.perf_counter()
    config = without_sources(load_preset(preset).network)
    with torch.device(where):
        network = SpatialMLLM(config, config.language.vocabulary)
    if config.dtype != "float32":
        # As the published weights of the language model come.
        network.language.backbone.to(getattr(torch, config.dtype))
    if unload:
        network.language.on_demand = torch.device(where)
        network.language.unload()
    predictor = Predictor(network, Tokenizer.train(["walk past the table and stop"], 300))
    setup, taken = time.perf_counter() - started, []
    for _ in range(REPEATS + 1):
        answer = predictor.video(film, "walk past the table and stop", candidates=CANDIDATES)
        taken.append(sum(seconds for step, seconds in answer.seconds.items() if step != "decode"))
    found: dict[str, float | str] = {"device": where, "setup_seconds": round(setup, 2)}
    found["seconds"] = round(float(np.median(taken[1:])), 3)
    return found | {f"{name}_gb": round(size, 2) for name, size in peak_memory().items()}


if __name__ == "__main__":
    main()
