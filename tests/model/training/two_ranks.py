"""Run by test_engine under torchrun: trains the box world at every ZeRO stage and writes what each step gave."""

import json
import sys
from pathlib import Path

import torch

from model.training.keeping import FolderVault
from model.training.ranks import joined, world_of
from model.training.run import train
from model.training.stopping import Stopper
from tests.model.training.jobs import Notes, job

folder, out = Path(sys.argv[1]), Path(sys.argv[2])
torch.set_num_threads(1)
world, losses = world_of(), {}
with joined(world, torch.device("cpu")):
    for zero, optimizer in ((0, "adamw"), (1, "adamw"), (2, "adamw"), (3, "adamw"), (0, "muon")):
        whole, rest = Notes(), Notes()
        name = f"{optimizer}, zero {zero}"
        here = out / name
        numbers = {"steps": 6, "batch": 2, "zero": zero, "optimizer": optimizer}
        train(job(folder, here, checkpoint_every=3, **numbers), world, whole, Stopper())
        kept = FolderVault(here / "resume").newest()
        train(job(folder, out / f"{name}, again", resume=kept, **numbers), world, rest, Stopper())
        losses[name] = [step.loss for step in whole.steps]
        losses[f"{name}, resumed"] = [step.loss for step in rest.steps]
if world.is_main:
    (out / "losses.json").write_text(json.dumps(losses))
