"""Drift of real collections: false alarms between nights of one world, and what changed worlds look like.

`backsight bench drift [--json] [--pool 144] [--splits 300]`. Collects walks in 64 px, looks at them with an untrained
network of preset tiny, and divides the pool of one world at random: whole scenes change sides. Prints; judges nothing.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
import torch

from model.data.walks import DatasetFiles, open_dataset
from model.predict import Predictor
from model.spatial_mllm import SpatialMLLM
from model.tokenizer import Tokenizer
from tasks.collect.dataset import collect_into
from tasks.collect.spec import CollectPlan, SplitPlan
from tasks.monitor.drift import Group, Sample, compare
from tasks.monitor.features import planned_views, sample_of
from tasks.monitor.policy import TriggerPolicy
from tasks.monitor.spec import DriftPlan
from tasks.preset import load_preset

NONE = SplitPlan(scenes=0, episodes=1)
WORLDS = {
    "another night": {},
    "halls": {"buildings": "halls"},
    "narrow lens": {"hfov": (55.0, 65.0)},
    "camera 25 cm lower": {"height": (0.85, 1.35)},
    "terse instructions": {"styles": ("terse",)},
}
SIZES = (6, 12, 24, 48)


def gathered(predictor: Predictor, scenes: int, seed: int, **changed: object) -> Sample:
    """The features of a fresh collection."""
    train = SplitPlan(scenes=scenes, episodes=2)
    plan = CollectPlan(train=train, val_seen=NONE, val_unseen=NONE, sealed=NONE, **changed)  # type: ignore[arg-type]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        collect_into(folder, plan, seed, 2, lambda _: None)
        dataset = open_dataset(DatasetFiles.inside(folder))
        views = planned_views(dataset, predictor.config.keyframes, DriftPlan(scenes=scenes))
        return sample_of(dataset, predictor, views, True, lambda _: None)


def part(sample: Sample, rows: np.ndarray) -> Sample:
    """Some scenes of a sample."""
    return {name: Group(group.names, group.values[rows]) for name, group in sample.items()}


def measure(pool: int, splits: int, alpha: float) -> dict[str, object]:
    """All figures."""
    torch.manual_seed(0)
    tokenizer = Tokenizer.train(["walk past the table and stop"], 300)
    predictor = Predictor(SpatialMLLM(load_preset("tiny").network, len(tokenizer)), tokenizer)
    usual = gathered(predictor, pool, 1)
    draw = np.random.default_rng(0)
    found: dict[str, object] = {}
    for size in SIZES:
        if 2 * size > pool:
            continue
        reports = []
        for _ in range(splits):
            order = draw.permutation(pool)
            reports.append(compare(part(usual, order[:size]), part(usual, order[size : 2 * size]), 999, 0))
        least = np.array([report.most.corrected for report in reports])
        effects = np.array([max(g.effect for g in report.groups) for report in reports])
        both = np.mean([r.most.corrected <= alpha and r.most.effect >= TriggerPolicy().drift_enter for r in reports])
        single = np.mean([any(f.corrected <= alpha for f in r.features) for r in reports])
        found[f"same world, {size} scenes a side"] = {
            "false_alarms": round(float(np.mean(least <= alpha)), 4),
            "false_alarms_at_0.05": round(float(np.mean(least <= 0.05)), 4),
            "false_votes": round(float(both), 4),
            "any_feature_by_ks": round(float(single), 4),
            "effect_99": round(float(np.quantile(effects, 0.99)), 3),
        }
    for name, changed in WORLDS.items():
        other = gathered(predictor, 48, 2, **changed)
        for size in (12, 48):
            reports = []
            for _ in range(20):
                before = draw.permutation(pool)[:size]
                reports.append(compare(part(usual, before), part(other, draw.permutation(48)[:size]), 999, 0))
            last = reports[-1]
            found[f"{name}, {size} scenes a side"] = {
                "votes": float(
                    np.mean(
                        [r.most.corrected <= alpha and r.most.effect >= TriggerPolicy().drift_enter for r in reports]
                    )
                ),
                "groups": {g.group: [round(g.effect, 3), round(g.corrected, 4)] for g in last.groups},
                "features": last.lines()[-3:],
            }
    return found


def main(argv: list[str] | None = None) -> None:
    """Print the figures, as JSON if asked."""
    parser = argparse.ArgumentParser(description="Measure drift between collections.")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--pool", type=int, default=144, help="scenes of the usual world")
    parser.add_argument("--splits", type=int, default=300, help="random divisions of the pool")
    parser.add_argument("--alpha", type=float, default=0.01, help="corrected p-value of an alarm")
    arguments = parser.parse_args(argv)
    found = measure(arguments.pool, arguments.splits, arguments.alpha)
    if arguments.json:
        print(json.dumps({"drift": found}))
    else:
        print("\n".join(f"{name}: {figures}" for name, figures in found.items()))


if __name__ == "__main__":
    main()
