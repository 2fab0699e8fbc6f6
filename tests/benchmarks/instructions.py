"""What a network reads in the instruction: its maps under the right words beside those of a walk in another building.

`backsight bench instructions [--dataset ID] [--checkpoint ID] [--views 240] [--json]`, over the running stack's store.
The map of the next waypoint depends on what is to be done, so it should get worse; where earlier keyframes' places lie
does not, so those maps should stay. Prints; judges nothing.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from flows.plan import Stage
from flows.references import latest
from model.batch import Batch, Text
from model.data.loader import view_batches
from model.data.reader import ViewReader
from model.data.views import View, evaluation_views
from model.data.walks import WalkDataset, open_dataset
from model.losses.heatmaps import divergence
from model.predict import Predictor
from tasks.datasets import open_files
from tasks.errors import UsageError
from tasks.evaluate.evaluate import load_predictor
from tasks.store import open_store
from tasks.summary import by_scene

SPLIT, BATCH, RESAMPLES = "val_unseen", 20, 2000
Values = NDArray[np.float64]


def measure(dataset: WalkDataset, predictor: Predictor, count: int) -> dict[str, float]:
    """Mean KLD of the keyframes' maps and of the next waypoint's, right and shuffled, with intervals over scenes."""
    views = evaluation_views(dataset, SPLIT, count, predictor.config.keyframes, seed=0)
    reader = ViewReader(dataset, predictor.config, predictor.tokenizer)
    scenes = np.array([dataset.walks[dataset.walk[view.current]].scene for view in views])
    foreign = predictor.tokenizer.encode(strangers(dataset, views), predictor.config.language.text_length)
    right, shuffled = [], []
    for index, batch in enumerate(view_batches(reader, views, BATCH)):
        rows = slice(index * BATCH, index * BATCH + len(batch.row))
        right.append(errors(predictor, batch, batch.text))
        shuffled.append(errors(predictor, batch, Text(foreign.ids[rows], foreign.mask[rows])))
    found = {"views": float(len(views)), "scenes": float(len(set(scenes)))}
    one, other = np.concatenate(right), np.concatenate(shuffled)
    for column, name in enumerate(("memory", "next waypoint")):
        known = np.isfinite(one[:, column])
        low, high = spread((other - one)[known, column], scenes[known])
        found |= {f"{name}, right": one[known, column].mean(), f"{name}, shuffled": other[known, column].mean()}
        found |= {f"{name}, change from": low, f"{name}, change to": high}
    return {name: float(value) for name, value in found.items()}


def strangers(dataset: WalkDataset, views: Sequence[View]) -> list[str]:
    """For each view the instruction of the next walk in another building."""
    walks = [int(dataset.walk[view.current]) for view in views]
    others = [dataset.first_elsewhere(walk, [*walks[place + 1 :], *walks]) for place, walk in enumerate(walks)]
    found = [dataset.walks[other].instruction for other in others if other is not None]
    if len(found) < len(walks):
        raise UsageError(f"The split {SPLIT} has one building: instructions cannot be shuffled over buildings.")
    return found


@torch.inference_mode()
def errors(predictor: Predictor, batch: Batch, text: Text) -> Values:
    """[V, 2] mean KLD over the keyframes, and of the next waypoint (NaN where the walk says nothing of it)."""
    log_p = predictor.predict(batch.views, text).logits.double().log_softmax(dim=-1)
    valid = batch.views.valid[:, :-1]
    memory = divergence(batch.targets.heatmap.double(), log_p[:, :-1])
    memory = torch.where(valid, memory, 0.0).sum(1) / valid.sum(1)
    goal = divergence(batch.targets.goal.double(), log_p[:, -1])
    return torch.stack([memory, torch.where(batch.targets.goal_valid, goal, torch.nan)], dim=1).numpy()


def spread(change: Values, scenes: NDArray[np.str_]) -> tuple[float, float]:
    """95 % of the mean change, by bootstrap over scenes; NaN where these are too few."""
    found = by_scene(scenes, RESAMPLES, 0.95, seed=0).mean(change)
    return (float("nan"), float("nan")) if found.low is None or found.high is None else (found.low, found.high)


def main(argv: list[str] | None = None) -> None:
    """Print the figures, as JSON if asked."""
    parser = argparse.ArgumentParser(description="Maps under the right instruction and under another building's.")
    parser.add_argument("--dataset", help="validated dataset; the newest where none is named")
    parser.add_argument("--checkpoint", help="the newest of the phase `joint` where none is named")
    parser.add_argument("--views", type=int, default=240)
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args(argv)
    store = open_store()
    files = open_files(store, arguments.dataset or latest(store, Stage.VALIDATE))
    predictor = load_predictor(store, arguments.checkpoint or latest(store, Stage.JOINT))
    found = measure(open_dataset(files), predictor, arguments.views)
    lines = "\n".join(f"{name}: {value:.4g}" for name, value in found.items())
    print(json.dumps({"instructions": found}) if arguments.json else lines)


if __name__ == "__main__":
    main()
