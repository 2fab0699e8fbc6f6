"""Planted faults: what validation catches of each kind, what it takes for one in clean data, and how long it works.

`backsight bench faults [--episodes 500] [--side 64] [--share 0.05] [--kind "black frame"] [--json]`. Collects once and
keeps the walks under the home folder. Each kind is planted into a share of the walks of its own, some kinds at a time
(`--together`); only these walks are measured anew, all that follows (tables over all walks, every check,
the gate) runs as it does in the stage.
"""

from __future__ import annotations

import argparse
import copy
import dataclasses
import json
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tasks.collect.dataset import INDEX_COLUMNS, collect_into, write_gzip, write_index
from tasks.collect.spec import CollectPlan, SplitPlan
from tasks.collect.tars import TarWriter
from tasks.settings import home
from tasks.store import Manifest
from tasks.validate.examine import concluded, examine, of_the_index
from tasks.validate.measure import Measures, measure
from tasks.validate.quality import Quality
from tasks.validate.reading import Dataset, open_dataset
from tasks.validate.spec import Thresholds
from tests.tasks.validate.faults import FAULTS
from tests.tasks.validate.further_faults import Fault, none
from tests.tasks.validate.recordings import Collection, Recording, described, read_collection, told_of, write_recording

SEED = 5
SHARD = "shards/planted.tar"
MOST_FALSE = 0.01
LEAST_CAUGHT = 0.95
MOST_TIME = 0.10


@dataclass(frozen=True)
class Cost:
    """What a piece of work took."""

    seconds: float
    """By the clock; other work on the machine counts, too."""
    processor: float
    """Of the processor, in all processes: what compares on a machine that is shared."""


class Meter:
    """Takes the cost of what happens between its making and `read`."""

    def __init__(self) -> None:
        self.begin, self.used = time.perf_counter(), processor_seconds()

    def read(self) -> Cost:
        """So far."""
        return Cost(time.perf_counter() - self.begin, processor_seconds() - self.used)


def processor_seconds() -> float:
    """Of this process and of its children that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


@dataclass(frozen=True)
class Clean:
    """The walks without a fault, and what validation said of them."""

    dataset: Dataset
    collection: Collection
    measures: Measures
    quality: Quality
    collected: Cost
    validated: Cost


@dataclass(frozen=True)
class Row:
    """What became of one kind."""

    kind: str
    planted: int
    caught: int
    reasons: list[str]
    """Those given most often."""

    @property
    def detection(self) -> float:
        """Share of the planted episodes that were rejected."""
        return self.caught / self.planted


def plan_of(episodes: int, side: int, steps: int) -> CollectPlan:
    """A plan of about so many walks: 72 % training, the rest as presets divide it."""
    return CollectPlan(
        train=SplitPlan(scenes=round(0.24 * episodes), episodes=3),
        val_seen=SplitPlan(scenes=round(0.04 * episodes), episodes=1),
        val_unseen=SplitPlan(scenes=round(0.08 * episodes), episodes=2),
        sealed=SplitPlan(scenes=round(0.04 * episodes), episodes=2),
        size=(side, side),
        steps=steps,
    )


def collected(folder: Path, plan: CollectPlan, workers: int) -> Cost:
    """Have the walks in `folder`; what collecting them cost, now or when they were."""
    note = folder / "collected.json"
    if note.is_file():
        return Cost(**json.loads(note.read_text()))
    shutil.rmtree(folder, ignore_errors=True)
    meter = Meter()
    collect_into(folder / "dataset", plan, SEED, workers, lambda _: None)
    cost = meter.read()
    note.write_text(json.dumps(dataclasses.asdict(cost)))
    return cost


def opened(folder: Path, plan: CollectPlan, **other: Path) -> Dataset:
    """A folder as validation opens what the store holds; `other`: files in the place of the folder's, by stem."""
    files = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
    files |= (
        {
            "index.parquet": other["index"],
            "episodes.json.gz": other["episodes"],
            "scenes.json": other["scenes"],
            SHARD: other["shard"],
        }
        if other
        else {}
    )
    meta = {"size": list(plan.size), "plan": plan.model_dump(mode="json")}
    return open_dataset("dataset/" + "0" * 64, Manifest(kind="dataset", meta=meta), files)


def look(folder: Path, plan: CollectPlan, workers: int) -> Clean:
    """Collect, or find collected, and validate."""
    cost = collected(folder, plan, workers)
    meter = Meter()
    dataset = opened(folder / "dataset", plan)
    examine(dataset, Thresholds(), workers, lambda _: None)
    validated = meter.read()
    # Once more, for its measures: they are what all kinds have in common.
    measures = measure(dataset, Thresholds(), workers, lambda _: None)
    quality, _ = concluded(dataset, Thresholds(), measures, of_the_index(dataset, Thresholds()))
    whole = read_collection(folder / "dataset", plan.model_dump(mode="json"))
    return Clean(dataset, whole, measures, quality, cost, validated)


def plant(clean: Clean, kind: str, fault: Fault, share: float, taken: set[str]) -> list[Recording]:
    """Damaged copies of a share of the walks that are not taken, drawn by the kind's name."""
    free = [r for r in clean.collection.recordings if r.episode not in taken]
    fit = [r for r in free if fault.fits(r, clean.collection)]
    draw = np.random.default_rng([SEED, *kind.encode()])
    chosen = draw.permutation(len(fit))[: round(share * len(clean.collection.recordings))]
    victims = [copy.deepcopy(fit[i]) for i in sorted(chosen)]
    for victim in victims:
        fault.plant(victim, clean.collection)
    return victims


def write_planted(folder: Path, clean: Clean, victims: list[Recording]) -> dict[str, Path]:
    """The victims' shard, and index and episode file of all walks with theirs in place."""
    names = pa.array([victim.episode for victim in victims])
    kept = clean.dataset.index.filter(pc.invert(pc.is_in(clean.dataset.index.column("episode"), value_set=names)))
    with TarWriter(folder / "planted.tar") as tar:
        rows = [row for victim in victims for row in write_recording(tar, SHARD, victim)]
    write_index(folder / "planted.parquet", sorted(rows, key=lambda row: (row["episode"], row["frame"])))
    columns = list(INDEX_COLUMNS)
    both = pa.concat_tables([kept.select(columns), pq.read_table(folder / "planted.parquet").select(columns)])
    pq.write_table(both, folder / "index.parquet")
    planted = {victim.episode for victim in victims}
    others = [entry for name, entry in clean.dataset.entries.items() if name not in planted]
    write_gzip(folder / "episodes.json.gz", told_of(others, victims))
    scenes = described(clean.collection.scenes, victims)
    (folder / "scenes.json").write_text(json.dumps({"scenes": scenes}))
    return {
        "index": folder / "index.parquet",
        "episodes": folder / "episodes.json.gz",
        "scenes": folder / "scenes.json",
        "shard": folder / "planted.tar",
    }  # fmt: skip


def without(measures: Measures, episodes: set[str]) -> Measures:
    """The measures of all other walks."""

    def kept(table: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in table.items() if name not in episodes}

    return Measures(
        kept(measures.frames),
        [row for row in measures.episodes if row["episode"] not in episodes],
        kept(measures.prints),
        kept(measures.marks),
        kept(measures.palettes),
    )


def tried(folder: Path, clean: Clean, plan: CollectPlan, kinds: list[str], share: float) -> tuple[list[Row], list[str]]:
    """Plant some kinds, validate, and see what was rejected; also sound walks that clean data does not lose."""
    victims: dict[str, list[Recording]] = {}
    for kind in kinds:
        taken = {victim.episode for some in victims.values() for victim in some}
        victims[kind] = plant(clean, kind, FAULTS[kind], share, taken)
    everyone = [victim for some in victims.values() for victim in some]
    names = {victim.episode for victim in everyone}
    # A folder of its own: another run may use the same clean walks at this moment.
    with tempfile.TemporaryDirectory(prefix="planted-", dir=folder) as place:
        files = write_planted(Path(place), clean, everyone)
        for kind in kinds:
            FAULTS[kind].damage(files["shard"])
        dataset = opened(folder / "dataset", plan, **files)
        chosen = pc.is_in(dataset.index.column("episode"), value_set=pa.array(sorted(names)))
        part = dataclasses.replace(dataset, index=dataset.index.filter(chosen))
        measures = without(clean.measures, names)
        measures.add(measure(part, Thresholds(), 1, lambda _: None))
        quality, _ = concluded(dataset, Thresholds(), measures, of_the_index(dataset, Thresholds()))
    rows = [row_of(kind, {victim.episode for victim in some}, quality) for kind, some in victims.items()]
    return rows, sorted(quality.rejected.keys() - names - clean.quality.rejected.keys())


def row_of(kind: str, names: set[str], quality: Quality) -> Row:
    """What became of one kind's walks."""
    caught = names & quality.rejected.keys()
    reasons = Counter(reason for name in caught for reason in quality.rejected[name]).most_common(3)
    return Row(kind, len(names), len(caught), [f"{reason} ({count})" for reason, count in reasons])


def batches(kinds: list[str], together: int) -> list[list[str]]:
    """So many kinds at a time; one that damages the shard by itself."""
    alone = [kind for kind in kinds if FAULTS[kind].damage is not none]
    rest = [kind for kind in kinds if FAULTS[kind].damage is none]
    return [[kind] for kind in alone] + [rest[i : i + together] for i in range(0, len(rest), together)]


def main(argv: list[str] | None = None) -> int:
    """Print the table; 1 where a promise is not kept."""
    parser = argparse.ArgumentParser(description="Plant faults and count what validation catches.")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--episodes", type=int, default=500, help="walks that are collected")
    parser.add_argument("--side", type=int, default=64, help="width and height of a frame in pixels")
    parser.add_argument("--steps", type=int, default=48, help="most frames of a walk")
    parser.add_argument("--share", type=float, default=0.05, help="share of the walks that get the fault")
    parser.add_argument("--together", type=int, default=6, help="kinds that are planted side by side")
    parser.add_argument("--workers", type=int, default=2, help="processes that collect and validate")
    named = "only this kind, named as in docs/quality.md (may be repeated)"
    parser.add_argument("--kind", action="append", choices=sorted(FAULTS), metavar="KIND", help=named)
    parser.add_argument("--clean", action="store_true", help="only clean data: false alarms and time")
    a = parser.parse_args(argv)
    plan = plan_of(a.episodes, a.side, a.steps)
    folder = home() / "bench" / f"faults-{a.episodes}-{a.side}-{a.steps}"
    clean = look(folder, plan, a.workers)
    rows: list[Row] = []
    lost: list[str] = []
    for kinds in batches([] if a.clean else a.kind or list(FAULTS), a.together):
        done, beside = tried(folder, clean, plan, kinds, a.share)
        rows, lost = rows + done, lost + beside
        for row in done:
            print(f"{row.kind}: {row.caught} of {row.planted}", file=sys.stderr, flush=True)
    found = figures(clean, sorted(rows, key=lambda row: row.kind.lower()), lost)
    print(json.dumps({"faults": found}) if a.json else page(found))
    return 0 if found["kept"] else 1


def figures(clean: Clean, rows: list[Row], lost: list[str]) -> dict[str, Any]:
    """All that was measured."""
    false = len(clean.quality.rejected) / clean.quality.episodes
    kept = false <= MOST_FALSE and all(row.detection >= LEAST_CAUGHT for row in rows)
    return {
        "episodes": clean.quality.episodes,
        "frames": clean.dataset.index.num_rows,
        "size": list(clean.dataset.size),
        "false_alarms": clean.quality.rejected,
        "false_share": round(false, 4),
        "collected": dataclasses.asdict(clean.collected),
        "validated": dataclasses.asdict(clean.validated),
        "kinds": [{**dataclasses.asdict(row), "detection": row.detection} for row in rows],
        "lost_beside": lost,
        "kept": kept,
    }


def page(found: dict[str, Any]) -> str:
    """The table."""
    width, height = found["size"]
    lines = [
        "| kind | planted | caught | detection | reason given most often |",
        "| --- | ---: | ---: | ---: | --- |",
    ]
    for row in found["kinds"]:
        cells = [row["kind"], row["planted"], row["caught"], f"{row['detection']:.0%}"]
        lines.append(f"| {' | '.join(map(str, cells))} | {(row['reasons'] or ['-'])[0]} |")
    lines += [
        "",
        f"{found['episodes']} clean walks of {width} x {height} px, {found['frames']} frames: "
        f"{len(found['false_alarms'])} rejected ({found['false_share']:.1%}; promised <= {MOST_FALSE:.0%}).",
        *(share_of(found, what, said) for what, said in (("processor", "processor"), ("seconds", "clock"))),
        f"Sound walks rejected beside planted ones, over all batches: {len(found['lost_beside'])}.",
        *(f"- {name}: {'; '.join(reasons)}" for name, reasons in found["false_alarms"].items()),
    ]
    return "\n".join(lines)


def share_of(found: dict[str, Any], what: str, said: str) -> str:
    """What validating took of the time that collecting took."""
    mine, theirs = found["validated"][what], found["collected"][what]
    cost = f"collecting {theirs:.1f} s, validating {mine:.1f} s"
    return f"By the {said}: {cost}, {mine / theirs:.1%} of it (asked: <= {MOST_TIME:.0%})."


if __name__ == "__main__":
    sys.exit(main())
