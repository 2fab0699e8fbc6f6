"""The `enhanced` sampler's lazy greedy against the plain one on 128 candidates: seconds, ratio, and the same picks.

`backsight bench sampling [--json]`. Prints; judges nothing.
"""

from __future__ import annotations

import argparse
import json
import time

import numpy as np

from model.sampling import SAMPLERS, create_sampler
from model.sampling.enhanced import EnhancedSampler
from tests.model.test_sampling import naive_greedy, random_past

CANDIDATES, KEYFRAMES = 128, 16


def measure() -> dict[str, float | bool | dict[str, float]]:
    """Seconds of both greedies on known voxels, whether they agree, and the share of the voxels that samplers cover."""
    past = random_past(0, CANDIDATES)
    assert past.pose is not None
    sampler = EnhancedSampler()
    voxels = sampler.voxels(past)
    seconds, picks = {}, {}
    for name, run in {"lazy": sampler.greedy, "naive": lambda *a: naive_greedy(sampler, *a)}.items():
        started = time.process_time()
        picks[name] = run(voxels, past.pose, KEYFRAMES)
        seconds[name] = time.process_time() - started
    covered = {
        name: len(np.unique(np.concatenate([voxels.seen[p] for p in create_sampler(name).sample(past, KEYFRAMES)])))
        / len(voxels.worth)
        for name in SAMPLERS
    }
    return {
        "lazy_seconds": seconds["lazy"],
        "naive_seconds": seconds["naive"],
        "ratio": seconds["naive"] / seconds["lazy"],
        "same_picks": picks["lazy"] == picks["naive"],
        "coverage": covered,
    }


def main(argv: list[str] | None = None) -> None:
    """Print the figures, as JSON if asked."""
    parser = argparse.ArgumentParser(description="Measure the lazy greedy sampler against the plain one.")
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args(argv)
    found = measure()
    print(json.dumps({"sampling": found}) if arguments.json else "\n".join(f"{k}: {v}" for k, v in found.items()))


if __name__ == "__main__":
    main()
