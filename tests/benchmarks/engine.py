"""Whether training gives the same losses on more ranks, at every ZeRO stage, and after a SIGKILL at a random step.

`backsight bench engine [--steps 50] [--seed 0] [--json]`. Prints; judges nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

import torch

from model.training.engine import Step
from model.training.keeping import FolderVault
from model.training.ranks import joined, world_of
from model.training.run import train
from model.training.stopping import Stopper
from tasks.spec import HOUSE
from tests.box_world import write_dataset
from tests.model.training.jobs import Notes, job

STAGES = (0, 1, 2, 3)
EVERY = 5
"""Steps between checkpoints."""


class Log(Notes):
    """Writes each update's loss down at once, so that it is known after a SIGKILL; may be killed by its own hand."""

    def __init__(self, file: Path, die_after: int | None) -> None:
        super().__init__()
        self.file, self.die_after = file, die_after

    def stepped(self, step: Step) -> None:
        """A line a step: number and loss."""
        with self.file.open("a") as lines:
            lines.write(f"{step.number} {step.loss!r}\n")
        if step.number == self.die_after:
            os.kill(os.getpid(), 9)


def measure(steps: int, seed: int) -> dict[str, float]:
    """Largest difference of a step's loss from one rank's, which takes the batches of both."""
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="backsight-bench-") as name:
        folder = Path(name)
        data = write_dataset(folder / "boxes", {"train": 2}, frames=14)
        alone = losses_of(ranks(1, data, folder / "alone", steps, zero=0))
        for zero in STAGES:
            here = folder / f"zero-{zero}"
            found[f"two ranks, ZeRO {zero}"] = apart(alone, losses_of(ranks(2, data, here, steps, zero=zero)))
            kill = random.Random(seed + zero).randint(EVERY + 1, steps - 1)
            there = folder / f"killed-{zero}"
            ranks(2, data, there, steps, zero=zero, die_after=kill)
            ranks(2, data, there, steps, zero=zero, resume=True)
            found[f"two ranks, ZeRO {zero}, SIGKILL after step {kill}, resumed"] = apart(alone, losses_of(there))
    return found


def apart(one: dict[int, float], other: dict[int, float]) -> float:
    """Largest difference of any step's loss; infinite where a step is missing."""
    return max(abs(value - other.get(step, float("inf"))) for step, value in one.items())


def losses_of(folder: Path) -> dict[int, float]:
    """Step -> loss as last written: a step that is done again after a SIGKILL replaces the first."""
    pairs = (line.split() for line in (folder / "losses.txt").read_text().splitlines())
    return {int(step): float(loss) for step, loss in pairs}


def ranks(
    count: int, data: Path, folder: Path, steps: int, zero: int, die_after: int | None = None, resume: bool = False
) -> Path:
    """Train in processes of their own; returns the folder that holds the losses."""
    folder.mkdir(exist_ok=True)
    ask = {"count": count, "steps": steps, "zero": zero, "die_after": die_after, "resume": resume}
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={count}"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(HOUSE)}
    done = subprocess.run(
        [*command, "-m", "tests.benchmarks.engine", "--rank", str(data), str(folder), json.dumps(ask)],
        env=environment,
        capture_output=True,
        text=True,
    )
    if (done.returncode == 0) == (die_after is not None):
        raise SystemExit(f"Training over {count} ranks ended with {done.returncode}: {done.stderr[-2000:]}")
    return folder


def as_rank(data: Path, folder: Path, ask: dict[str, int]) -> None:
    """One rank's share: two items an update on two ranks, two batches of two on one."""
    torch.set_num_threads(1)
    world = world_of()
    phase = {"batch": 2, "steps": ask["steps"], "zero": ask["zero"], "checkpoint_every": EVERY}
    phase["accumulation"] = 2 // ask["count"]
    kept = FolderVault(folder / "resume").newest() if ask["resume"] else ()
    notes = Log(folder / "losses.txt", ask["die_after"]) if world.is_main else Notes()
    with joined(world, torch.device("cpu")):
        train(job(data, folder, resume=kept, **phase), world, notes, Stopper())


def main(argv: list[str] | None = None) -> None:
    """Print the figures, as JSON if asked."""
    parser = argparse.ArgumentParser(description="Losses over ranks, ZeRO stages and a SIGKILL, beside one rank's.")
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0, help="of the moments of the SIGKILLs")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--rank", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    if arguments.rank:
        data, folder, ask = arguments.rank
        as_rank(Path(data), Path(folder), json.loads(ask))
        return
    found = measure(arguments.steps, arguments.seed)
    lines = "\n".join(f"{name}: {value:.1e}" for name, value in found.items())
    print(json.dumps({"engine": found}) if arguments.json else f"largest difference of a step's loss\n{lines}")


if __name__ == "__main__":
    main()
