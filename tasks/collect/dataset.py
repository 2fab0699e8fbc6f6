"""A dataset in a folder: all shards over worker processes, then index, episodes and scenes over all of them.

`python -m tasks.collect.dataset FOLDER [--plan plan.json] [--seed N] [--workers N]` makes one without a store.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from tasks.collect.live import Walked
from tasks.collect.schedule import Shard, shards_of
from tasks.collect.shards import ShardReport
from tasks.collect.shelf import NoShelf, Shelf
from tasks.collect.spec import CollectPlan
from tasks.collect.words import instruction_vocabulary, words
from tasks.errors import BacksightError, DataError, UsageError
from tasks.explain import explain
from tasks.spec import canonical

INDEX_COLUMNS = {
    "episode": "string", "frame": "int32", "shard": "string", "rgb_offset": "int64", "rgb_size": "int64",
    "depth_offset": "int64", "depth_size": "int64", "semantic_offset": "int64", "semantic_size": "int64",
    "pose": "list<double>", "intrinsics": "list<double>", "action": "string", "stratum": "string", "scene": "string",
    "split": "string", "instruction": "string",
}  # fmt: skip


DATASET_FILES = ("index.parquet", "episodes.json.gz", "scenes.json")
"""Beside the shards."""


@dataclass(frozen=True)
class Summary:
    """What a dataset holds, for its manifest and for people."""

    episodes: int
    frames: int
    scenes: dict[str, int]
    """By split."""
    size: tuple[int, int]
    rejected: dict[str, int]
    """Attempts replaced by the next seed, by reason."""
    missing: int
    """Episodes for which no seed gave a good walk."""
    unusable: dict[str, str]
    """Scenes that could not be used, with the reason."""
    plan: dict[str, Any]


def collect_into(
    folder: Path,
    plan: CollectPlan,
    seed: int,
    workers: int,
    advance: Callable[[Walked], None],
    shelf: Shelf | None = None,
) -> Summary:
    """Make the whole dataset in `folder`; `advance` is called once an episode.

    Same plan and seed, same bytes, on any number of workers. Shards that a run before this one left in the folder, or
    put on the shelf, are not made again.
    Raises DataError when more scenes than the plan allows were unusable, or nothing was recorded.
    """
    from tasks.collect.workers import Order, make_shards

    (folder / "shards").mkdir(parents=True, exist_ok=True)
    (folder / "parts").mkdir(exist_ok=True)
    shards = shards_of(plan, seed)
    make_shards(Order(folder, plan, seed), shards, workers, advance, shelf or NoShelf())
    summary = assemble(folder, plan, shards)
    for shard in shards:
        part_path(folder, shard).unlink()
    (folder / "parts").rmdir()
    return summary


def part_path(folder: Path, shard: Shard) -> Path:
    """Where a finished shard's report waits to be joined with the others."""
    return folder / "parts" / f"{shard.number:03d}.json"


def assemble(folder: Path, plan: CollectPlan, shards: list[Shard]) -> Summary:
    """Join the shards' reports to index.parquet, episodes.json.gz and scenes.json."""
    reports = [ShardReport(**json.loads(part_path(folder, shard).read_bytes())) for shard in shards]
    rows = sorted((row for report in reports for row in report.rows), key=lambda row: (row["episode"], row["frame"]))
    scenes = {scene["id"]: scene for report in reports for scene in report.scenes}
    unusable = {name: why for report in reports for name, why in report.unusable.items()}
    summary = summarise(plan, reports, rows, unusable)
    given_up = [name for report in reports for name in report.missing]
    judge(plan, summary, {visit.scene for shard in shards for visit in shard.visits}, given_up)
    write_index(folder / "index.parquet", rows)
    episodes = sorted((e for report in reports for e in report.episodes), key=lambda e: e["episode_id"])
    write_gzip(folder / "episodes.json.gz", with_vocabulary(episodes))
    ordered = [scenes[name] for name in sorted(scenes)]
    (folder / "scenes.json").write_bytes(canonical({"scenes": ordered}))
    return summary


def with_vocabulary(episodes: list[dict[str, Any]]) -> dict[str, Any]:
    """An episode file: the instructions get their word numbers, the vocabulary stands beside."""
    told = [episode["instruction"] for episode in episodes]
    vocabulary = instruction_vocabulary([instruction["instruction_text"] for instruction in told])
    for instruction in told:
        instruction["instruction_tokens"] = [
            vocabulary["stoi"][word] for word in words(instruction["instruction_text"])
        ]
    return {"episodes": episodes, "instruction_vocab": vocabulary}


def summarise(
    plan: CollectPlan, reports: list[ShardReport], rows: list[dict[str, Any]], unusable: dict[str, str]
) -> Summary:
    """Count what was made."""
    rejected = sum((Counter(report.rejected) for report in reports), Counter[str]())
    by_split = {(row["split"], row["scene"]) for row in rows}
    return Summary(
        episodes=sum(len(report.episodes) for report in reports),
        frames=len(rows),
        scenes=dict(sorted(Counter(split for split, _ in by_split).items())),
        size=plan.size,
        rejected=dict(sorted(rejected.items())),
        missing=sum(len(report.missing) for report in reports),
        unusable=unusable,
        plan=plan.model_dump(mode="json"),
    )


def judge(plan: CollectPlan, summary: Summary, asked: set[str], given_up: list[str]) -> None:
    """Raise DataError for a dataset that is not worth publishing; `asked`: the scenes that were to be used."""
    if len(summary.unusable) > plan.most_bad_scenes * len(asked):
        name, why = next(iter(summary.unusable.items()))
        raise DataError(
            f"{len(summary.unusable)} of {len(asked)} scenes could not be used (allowed: {plan.most_bad_scenes:.0%}); "
            f"first {name}: {why}"
        )
    if summary.frames == 0:
        reasons = ", ".join(f"{reason} {count}" for reason, count in summary.rejected.items())
        files = " of " + ", ".join(file.path for file in plan.episode_files.values()) if plan.episode_files else ""
        raise DataError(
            f"No walk could be recorded: {summary.missing} episodes{files} were given up, {given_up[0]} the first "
            f"(attempts by reason: {reasons})."
        )


def write_index(path: Path, rows: list[dict[str, Any]]) -> None:
    """The Parquet index, one row a frame."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = {"string": pa.string(), "int32": pa.int32(), "int64": pa.int64(), "list<double>": pa.list_(pa.float64())}
    schema = pa.schema([(name, kinds[kind]) for name, kind in INDEX_COLUMNS.items()])
    columns = {name: [row[name] for row in rows] for name in INDEX_COLUMNS}
    pq.write_table(pa.table(columns, schema=schema), path, compression="zstd")


def write_gzip(path: Path, value: Any) -> None:
    """Gzipped JSON without name and time in its header."""
    path.write_bytes(gzip.compress(canonical(value), compresslevel=6, mtime=0))


def main(argv: list[str] | None = None) -> int:
    """Make a dataset in a folder, outside any store."""
    parser = argparse.ArgumentParser(
        prog="python -m tasks.collect.dataset", description="Collect a dataset into a folder."
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument(
        "--plan", type=Path, help="JSON file with the fields of CollectPlan that differ from the defaults"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args(argv)
    try:
        plan = read_plan(args.plan) if args.plan else CollectPlan()
        summary = told(args.folder, plan, args.seed, args.workers)
    except BacksightError as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return error.exit_code
    print(json.dumps({name: value for name, value in asdict(summary).items() if name != "plan"}))
    return 0


def read_plan(path: Path) -> CollectPlan:
    """The plan in a JSON file. Raises UsageError naming the file and the key that is wrong."""
    try:
        return CollectPlan.model_validate_json(path.read_bytes())
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}; give the path of a plan with --plan.") from error
    except ValidationError as error:
        raise UsageError(explain(error, str(path), CollectPlan)) from error


def told(folder: Path, plan: CollectPlan, seed: int, workers: int) -> Summary:
    """Collect, and print a line every twenty episodes."""
    done, asked = 0, sum(shard.episodes for shard in shards_of(plan, seed))

    def advance(walk: Walked) -> None:
        nonlocal done
        done += 1
        if done % 20 == 0 or done == asked:
            print(f"collected {done} of {asked} episodes", flush=True)

    return collect_into(folder, plan, seed, workers, advance)


if __name__ == "__main__":
    raise SystemExit(main())
