"""What an update costs beside a bare torch loop over the same network and batches, in processor time of one rank.

`backsight bench training [--json]`. Prints; judges nothing.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch

from model.batch import Batch
from model.config import NetworkConfig
from model.data.questions import all_questions
from model.data.reader import ViewReader
from model.data.stream import TrainingStream
from model.spatial_mllm import SpatialMLLM
from model.tokenizer import Tokenizer
from model.training.config import PhaseConfig
from model.training.engine import Engine
from model.training.objective import Objective
from model.training.ranks import World, joined
from model.training.stopping import Stopper
from tests.walks import box_walks

LOSSES = {"heatmap": 1.0, "temporal_consistency": 0.6, "distinctness": 0.3, "visibility_classes": 0.2, "goal": 0.2}
STEPS, WARM = 12, 3


def measure() -> dict[str, float]:
    """Milliseconds an update of the tiny network at batch 8, bare and at every ZeRO stage, and the overheads."""
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    config = NetworkConfig()
    with tempfile.TemporaryDirectory(prefix="backsight-bench-") as folder, joined(World(), torch.device("cpu")):
        dataset = box_walks(Path(folder), {"train": 2}, frames=14, side=config.image_size)
        tokenizer = Tokenizer.train(all_questions(dataset.categories.values()), config.language.vocabulary)
        reader = ViewReader(dataset, config, tokenizer)
        stream = TrainingStream(dataset, phase(0), config.keyframes, seed=0)
        batches = [reader.batch(stream.batch(index, 0, 1)) for index in range(4)]
        found = {"bare": milliseconds(bare_loop(objective(config, tokenizer)), batches)}
        for zero in (0, 1, 2, 3):
            engine = Engine(objective(config, tokenizer), phase(zero), torch.device("cpu"), Stopper())
            found[f"zero_{zero}"] = milliseconds(lambda b, engine=engine: engine.step(iter([b])), batches)
            engine.sharded.close()
    overheads = {f"overhead_{name}": value / found["bare"] - 1 for name, value in found.items() if name != "bare"}
    return found | overheads


def phase(zero: int) -> PhaseConfig:
    """Numbers that do not matter to the time."""
    return PhaseConfig.model_validate({"steps": 1000, "batch": 8, "losses": LOSSES, "zero": zero, "history": 6})


def objective(config: NetworkConfig, tokenizer: Tokenizer) -> Objective:
    """A new network under the losses; VGGT stays as it is, as after its own phase."""
    torch.manual_seed(0)
    network = SpatialMLLM(config, len(tokenizer))
    network.set_trainable(("encoders.sensors", "dinov3", "fusion", "language", "head", "alignment"))
    return Objective(network.train(), LOSSES)


def bare_loop(objective: Objective) -> Callable[[Batch], None]:
    """The shortest loop that does the same: forward, backward, clip, AdamW."""
    trained = [p for p in objective.parameters() if p.requires_grad]
    adam = torch.optim.AdamW(trained, fused=True)

    def step(batch: Batch) -> None:
        loss, _ = objective(batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        adam.step()
        adam.zero_grad()

    return step


def milliseconds(step: Callable[[Batch], object], batches: list[Batch]) -> float:
    """Median processor time of an update, after a few to warm up."""
    ring: Iterator[Batch] = itertools.cycle(batches)
    times = []
    for _ in range(WARM + STEPS):
        batch, began = next(ring), time.process_time()
        step(batch)
        times.append(1000 * (time.process_time() - began))
    return statistics.median(times[WARM:])


def main(argv: list[str] | None = None) -> None:
    """Print the figures, as JSON if asked."""
    parser = argparse.ArgumentParser(description="Measure the engine's overhead over a bare loop.")
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args(argv)
    found = measure()
    print(json.dumps({"training": found}) if arguments.json else "\n".join(f"{k}: {v:.3f}" for k, v in found.items()))


if __name__ == "__main__":
    main()
