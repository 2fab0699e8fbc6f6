"""Spreads shards over spawned processes, each with its own simulator and GL context."""

from __future__ import annotations

import json
import multiprocessing
import os
import queue
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict
from functools import cache
from pathlib import Path

from tasks.collect.dataset import part_path
from tasks.collect.schedule import Shard
from tasks.collect.shards import write_shard
from tasks.collect.simulator import Simulator
from tasks.collect.spec import CollectPlan
from tasks.errors import BacksightError

WORK: tuple[Path, CollectPlan, int, multiprocessing.Queue] | None = None
"""In a worker process: folder, plan, seed, and where finished episodes are told."""


def open_simulator(plan: CollectPlan) -> Simulator:
    """The simulator that a plan asks for."""
    if plan.simulator == "habitat":
        from tasks.collect.habitat import HabitatSimulator

        return HabitatSimulator(plan.scene_dataset, plan.size)
    from tasks.collect.embedded.simulator import EmbeddedSimulator

    return EmbeddedSimulator(plan.rooms)


def make_shards(folder: Path, plan: CollectPlan, seed: int, shards: list[Shard], workers: int, advance: Callable[[str], None]) -> None:  # fmt: skip
    """Make all shards that are not there yet; `advance` is called in this process, once an episode."""
    left = []
    for shard in shards:
        if part_path(folder, shard).exists():
            for visit in shard.visits:
                for errand in visit.errands:
                    advance(errand.episode)
        else:
            left.append(shard)
    if not left:
        return
    context = multiprocessing.get_context("spawn")
    told = context.Queue()
    with ProcessPoolExecutor(min(workers, len(left)), context, begin, (folder, plan, seed, told)) as pool:
        # Long shards first would balance better, but all are about as long; order keeps progress readable.
        futures = [pool.submit(make_shard, shard) for shard in left]
        pending = set(futures)
        try:
            while pending:
                done, pending = wait(pending, timeout=0.2)
                for future in done:
                    future.result()
                drain(told, advance)
        except BrokenProcessPool as error:
            raise BacksightError("A collecting process died (killed, or out of memory); run again: finished shards are kept. Fewer workers need less memory.") from error  # fmt: skip
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    drain(told, advance)


def drain(told: multiprocessing.Queue, advance: Callable[[str], None]) -> None:
    """Pass on the episodes that workers have finished."""
    while True:
        try:
            advance(told.get(timeout=0.02))
        except queue.Empty:
            return


def begin(folder: Path, plan: CollectPlan, seed: int, told: multiprocessing.Queue) -> None:
    """Set up a worker process."""
    global WORK
    WORK = (folder, plan, seed, told)
    # Mesa's software renderer would start a thread a core in each worker; side by side they only wait for each other.
    os.environ.setdefault("LP_NUM_THREADS", "0")


@cache
def simulator_here() -> Simulator:
    """This process's simulator."""
    assert WORK is not None
    return open_simulator(WORK[1])


def make_shard(shard: Shard) -> None:
    """Make one shard: the tar first, then its report, each under its name only when complete."""
    assert WORK is not None
    folder, plan, seed, told = WORK
    tar, part = folder / shard.blob, part_path(folder, shard)
    unfinished = tar.with_suffix(".part")
    report = write_shard(simulator_here(), plan, seed, shard, unfinished, told.put)
    unfinished.replace(tar)
    unfinished = part.with_suffix(".part")
    unfinished.write_text(json.dumps(asdict(report)))
    unfinished.replace(part)
