"""Batches a loader gives: items a second on one core, beside the bare decoding of the same frames and the bare labels.

`backsight bench loading [--json]`. Prints; judges nothing.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

from model.config import NetworkConfig
from model.data.frames import FrameReader
from model.data.loader import training_batches
from model.data.questions import all_questions
from model.data.reader import ViewReader
from model.data.stream import TrainingStream
from model.labels import build_targets
from model.tokenizer import Tokenizer
from model.training.config import PhaseConfig
from tests.walks import box_walks

BATCHES, BATCH = 20, 16


def measure() -> dict[str, float]:
    """Items a second of processor time: whole batches, decoding alone, labels alone; and of wall time with a helper."""
    torch.set_num_threads(1)
    config = NetworkConfig()
    phase = PhaseConfig.model_validate({"steps": 1, "batch": BATCH, "losses": {"heatmap": 1.0}, "history": 6})
    with tempfile.TemporaryDirectory(prefix="backsight-bench-") as folder:
        dataset = box_walks(Path(folder), {"train": 4}, episodes=4, frames=28, side=config.image_size)
        tokenizer = Tokenizer.train(all_questions(dataset.categories.values()), config.language.vocabulary)
        stream = TrainingStream(dataset, phase, config.keyframes, seed=0)
        plan = [stream.batch(index, 0, 1) for index in range(BATCHES)]
        views = ViewReader(dataset, config, tokenizer).batch(plan[0]).views

        def whole(workers: int) -> None:
            reader = ViewReader(dataset, config, tokenizer)
            for _ in training_batches(reader, plan.__getitem__, 0, BATCHES, workers):
                pass

        def decode() -> None:
            frames = FrameReader(dataset, config.image_size, memory=0)
            for batch in plan:
                for row in {row for view in batch for row in (*view.keyframes, view.current)}:
                    frames.read(row)

        def label() -> None:
            for _ in plan:
                build_targets(views, config.grid, config.patches)

        return {
            "items_per_core_second": rate(lambda: whole(0), time.process_time),
            "decoding_alone": rate(decode, time.process_time),
            "labels_alone": rate(label, time.process_time),
            "items_per_second_with_one_loader_process": rate(lambda: whole(1), time.perf_counter),
        }


def rate(work: Callable[[], None], clock: Callable[[], float]) -> float:
    """Items a second of this clock."""
    began = clock()
    work()
    return BATCHES * BATCH / (clock() - began)


def main(argv: list[str] | None = None) -> None:
    """Print the figures, as JSON if asked."""
    parser = argparse.ArgumentParser(description="Measure the loader against bare decoding and bare labels.")
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args(argv)
    found = measure()
    print(json.dumps({"loading": found}) if arguments.json else "\n".join(f"{k}: {v:.0f}" for k, v in found.items()))


if __name__ == "__main__":
    main()
