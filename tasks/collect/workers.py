"""Spreads shards over spawned processes, each with its own simulator and GL context."""

from __future__ import annotations

import json
import multiprocessing
import os
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from tasks.collect.dataset import part_path
from tasks.collect.live import Walked
from tasks.collect.schedule import Shard
from tasks.collect.shards import write_shard
from tasks.collect.shelf import Shelf
from tasks.collect.simulator import Simulator
from tasks.collect.spec import CollectPlan
from tasks.errors import BacksightError


@dataclass(frozen=True)
class Order:
    """What all workers of one collection have in common."""

    folder: Path
    plan: CollectPlan
    seed: int


@dataclass(frozen=True)
class Post:
    """A worker process's place: its order, and where it tells of finished episodes."""

    order: Order
    told: multiprocessing.Queue


POST: list[Post] = []
"""In a worker process: its one post."""


def open_simulator(plan: CollectPlan) -> Simulator:
    """The simulator that a plan asks for."""
    if plan.simulator == "habitat":
        from tasks.collect.habitat import HabitatSimulator

        return HabitatSimulator(plan.scene_dataset, plan.size)
    from tasks.collect.embedded.simulator import EmbeddedSimulator

    return EmbeddedSimulator(plan.rooms)


def make_shards(
    order: Order, shards: list[Shard], workers: int, advance: Callable[[Walked], None], shelf: Shelf
) -> None:
    """Make all shards that are not there yet; `advance` is called in this process, once an episode."""
    left = []
    for shard in shards:
        tar, report = order.folder / shard.blob, part_path(order.folder, shard)
        if report.exists() or shelf.take(shard, tar, report):
            for visit in shard.visits:
                for errand in visit.errands:
                    advance(Walked(errand.episode))
        else:
            left.append(shard)
    if left:
        run_pool(order, left, min(workers, len(left)), advance, shelf)


def run_pool(order: Order, shards: list[Shard], workers: int, advance: Callable[[Walked], None], shelf: Shelf) -> None:
    """Let spawned processes make the shards; what they finish goes to the shelf at once."""
    context = multiprocessing.get_context("spawn")
    told = context.Queue()
    pool = ProcessPoolExecutor(workers, context, begin, (order, told))
    try:
        pending: dict[Future[None], Shard] = {pool.submit(make_shard, shard): shard for shard in shards}
        while pending:
            done, _ = wait(pending, timeout=0.1)
            drain(told, advance)
            for future in done:
                future.result()
                shard = pending.pop(future)
                shelf.keep(shard, order.folder / shard.blob, part_path(order.folder, shard))
        drain(told, advance)
    except BrokenProcessPool as error:
        raise BacksightError(
            "A collecting process died (killed, or out of memory). Run the stage again: finished shards are kept; "
            "fewer workers need less memory."
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def drain(told: multiprocessing.Queue, advance: Callable[[Walked], None]) -> None:
    """Pass on the episodes that workers have finished."""
    while True:
        try:
            advance(told.get(timeout=0.02))
        except queue.Empty:
            return


def begin(order: Order, told: multiprocessing.Queue) -> None:
    """Set up a worker process."""
    POST.append(Post(order, told))
    # Mesa's software renderer would start a thread a core in each worker; side by side they only wait for each other.
    os.environ.setdefault("LP_NUM_THREADS", "0")
    threading.Thread(target=leave_with_parent, daemon=True).start()


def leave_with_parent() -> None:
    """End this process when the one that started it is gone: a killed collection leaves nobody behind."""
    parent = multiprocessing.parent_process()
    assert parent is not None, "only spawned processes have a post"
    parent.join()
    os._exit(1)


@cache
def simulator_here() -> Simulator:
    """This process's simulator."""
    return open_simulator(POST[0].order.plan)


def make_shard(shard: Shard) -> None:
    """Make one shard: the tar first, then its report, each under its name only when complete."""
    order = POST[0].order
    tar, part = order.folder / shard.blob, part_path(order.folder, shard)
    unfinished = tar.with_suffix(".part")
    report = write_shard(simulator_here(), order.plan, order.seed, shard, unfinished, POST[0].told.put)
    unfinished.replace(tar)
    unfinished = part.with_suffix(".part")
    unfinished.write_text(json.dumps(asdict(report)))
    unfinished.replace(part)
