"""Run by test_engine under torchrun: trains the box world at every ZeRO stage and writes what each step gave."""

import json
import sys
from pathlib import Path

import torch

from model.training.checkpoint import CheckpointFiles
from model.training.ranks import joined, world_of
from model.training.run import train
from model.training.stopping import Stopper
from tests.model.training.jobs import Notes, job

folder, out = Path(sys.argv[1]), Path(sys.argv[2])
torch.set_num_threads(1)
losses = {}
for zero in (0, 1, 2, 3):
    world, notes = world_of(), Notes()
    with joined(world, torch.device("cpu")):
        here = out / str(zero)
        first = job(folder, here, steps=6, batch=2, zero=zero, checkpoint_every=3)
        train(first, world, notes, Stopper())
        losses[f"zero {zero}"] = [step.loss for step in notes.steps]
        again = Notes()
        resumed = job(
            folder, out / f"{zero}-again", steps=6, batch=2, zero=zero, resume=CheckpointFiles.inside(here / "resume")
        )
        train(resumed, world, again, Stopper())
        losses[f"zero {zero} resumed"] = [step.loss for step in again.steps]
if world_of().is_main:
    (out / "losses.json").write_text(json.dumps(losses))
