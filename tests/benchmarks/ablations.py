"""What each part of the network and of its training earns: trainings from scratch that differ in one thing.

`backsight bench ablations [--parents sensors,images] [--groups loss,part] [--steps 240] [--dataset ID] [--json]`, over
the running stack's store. All variants of a parent get the same number of items in the same order, and are scored on
the same views of buildings that none has seen; *in view* is the share of the keyframes whose place is. A difference is
to the parent with seed 0, paired by view; its interval (95 %) is by bootstrap over scenes. It does not hold what
another seed would change: the seeds' own rows say that.
"""

from __future__ import annotations

import argparse
import json
import sys

import numpy as np
import torch

from flows.plan import Stage
from flows.references import latest
from model.data.walks import open_dataset
from model.training.ranks import World, joined
from tasks.datasets import open_files
from tasks.errors import UsageError
from tasks.store import open_store
from tasks.summary import average_precision
from tests.ablations.trial import Outcome, Trained, Values, asked, by_slot, scored, trained
from tests.ablations.variants import PARENTS, Variant, data_sizes, variants
from tests.benchmarks.instructions import spread

HEADS = ("variant", "KLD", "change [95 %]", "in view", "AP none", "PCK .1", "identity", "next waypoint's KLD", "core-s")


def figures(found: Outcome) -> dict[str, float]:
    """The means of an outcome."""
    pairs = found.certain
    weights = np.ones((1, 1))
    where = np.zeros(int(pairs.sum()), np.int64)
    within = np.where(np.isnan(found.distance), np.nan, found.distance <= 0.1)
    return {
        "kld": float(np.nanmean(found.kld)),
        "in_view": float(found.visible[pairs].mean()),
        "ap_none": float(average_precision(found.none[pairs], ~found.visible[pairs], where, weights)[0]),
        "pck10": float(np.nanmean(within)),
        "identity": float(np.nanmean(found.identity)),
        "goal": float(np.nanmean(found.goal)),
        "seconds": found.seconds,
    }


def change(found: Outcome, parent: Outcome) -> dict[str, float]:
    """Mean change of the views' KLD against the parent, and its interval over scenes."""
    each: Values = np.nanmean(found.kld, axis=1) - np.nanmean(parent.kld, axis=1)
    low, high = spread(each, found.scene)
    return {"change": float(each.mean()), "from": low, "to": high}


def row(variant: Variant, found: dict[str, float]) -> str:
    """A line of the table."""
    moved = f"{found['change']:+.3f} [{found['from']:+.3f}, {found['to']:+.3f}]" if "change" in found else "-"
    numbers = [f"{found[name]:.3f}" for name in ("in_view", "ap_none", "pck10", "identity", "goal")]
    cells = [variant.title, f"{found['kld']:.3f}", moved, *numbers, f"{found['seconds']:.0f}"]
    return f"| {' | '.join(cells)} |"


def chosen(parents: list[str], groups: list[str]) -> list[Variant]:
    """The variants to try; every parent's first seed is among them. `UsageError` for names that there are not."""
    for name in parents:
        if name not in PARENTS:
            raise UsageError(f"There is no parent '{name}': take some of {', '.join(PARENTS)}.")
    there = [one for parent in parents for one in (*variants(parent), *data_sizes(parent))]
    known = sorted({one.group for one in there})
    if strange := [name for name in groups if name not in known]:
        raise UsageError(f"There is no group '{strange[0]}': take some of {', '.join(known)}.")
    return [one for one in there if not groups or one.group in groups or one.name == "seed 0"]


def main(argv: list[str] | None = None) -> None:
    """Try and print, a row as soon as it is known."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parents", default=",".join(PARENTS), help="which (default: %(default)s)")
    parser.add_argument(
        "--groups", default="", help="of seed,sampler,loss,part,geometry,mask,schedule,optimizer,data; all"
    )
    parser.add_argument("--steps", type=int, default=240, help="updates of each training (default: 240)")
    parser.add_argument("--batch", type=int, default=8, help="items of an update (default: 8)")
    parser.add_argument("--views", type=int, default=240, help="held-out views (default: 240)")
    parser.add_argument("--dataset", help="validated dataset; the newest where none is named")
    parser.add_argument("--json", action="store_true", help="one JSON object a variant")
    options = parser.parse_args(argv)
    wanted = chosen(options.parents.split(","), [name for name in options.groups.split(",") if name])
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    store = open_store()
    dataset = open_dataset(open_files(store, options.dataset or latest(store, Stage.VALIDATE)))
    wholes: dict[str, Outcome] = {}
    parents: dict[str, Trained] = {}
    if not options.json:
        print(f"| {' | '.join(HEADS)} |\n| {' | '.join('---' for _ in HEADS)} |", flush=True)
    with joined(World(), torch.device("cpu")):
        for variant in wanted:
            if variant.parent not in wholes:
                slots = by_slot(dataset, variant.parent, options.views)
                print(f"{variant.parent}: mean map by keyframe slot, KLD {slots:.3f}", file=sys.stderr, flush=True)
            if not variant.sampler or variant.parent not in parents:
                learnt = trained(variant, dataset, options.steps, options.batch)
            else:
                learnt = parents[variant.parent]
            parents.setdefault(variant.parent, learnt)
            found = scored(learnt, asked(variant, learnt.reader, options.views))
            whole = wholes.setdefault(variant.parent, found)
            told = figures(found) | ({} if found is whole else change(found, whole))
            said = json.dumps({"parent": variant.parent, "group": variant.group, "variant": variant.name, **told})
            print(said if options.json else row(variant, told), flush=True)


if __name__ == "__main__":
    main()
