"""Starts the ranks of a training, or runs this one; whichever rank fails first gives the stage's one line of error.

Without RANK in the environment, and for more than one rank, this process becomes torchrun's agent for ranks that
run the same command again; where BACKSIGHT_NODES is set, for those of them that belong to this node. Rank 0 alone is
the stage: it talks to MLflow and publishes. The others are given local paths by it.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import traceback
from collections.abc import Mapping
from pathlib import Path

from model.training.ranks import World, device_of, from_main, joined, world_of
from tasks.errors import BacksightError, UsageError
from tasks.files import write
from tasks.spec import Outcome, StageResult
from tasks.stage import cached, main, read_spec
from tasks.store import open_store
from tasks.train.failure import FOLDER_VARIABLE, Failure, first, leave_word
from tasks.train.spec import TrainSpec
from tasks.train.train import Meeting, follow, work_of

TOLD = "told"
"""File by which rank 0 says that it has reported the failure itself."""


def launch(argv: list[str]) -> int:
    """Run the command in the way that the environment and the spec ask for; gives the exit code."""
    world = world_of()
    if world.size > 1 and not world.is_main:
        return follow_main(argv, world)
    if world.size > 1 or "RANK" in os.environ or not needs_ranks(argv):
        return run_main(argv, world)
    return start_ranks(argv)


def run_main(argv: list[str], world: World) -> int:
    """Rank 0: the stage itself."""
    meeting = Meeting(world)
    code = main(TrainSpec, work_of(meeting), argv)
    if code and (place := os.environ.get(FOLDER_VARIABLE)):
        (Path(place) / TOLD).touch()
    if world.size > 1 and not meeting.held:
        # Nothing to do (a cache hit), or failed before the ranks met: they wait, so they are sent home.
        with joined(world, device_of("cpu", world)):
            from_main(None)
    return code


def follow_main(argv: list[str], world: World) -> int:
    """Any other rank: trains what rank 0 says."""
    options = parse(argv)
    try:
        follow(read_spec(TrainSpec, options.spec), world)
    except Exception as error:  # noqa: BLE001 - the border of the process: rank 0 or the agent reports it
        leave_word(world.rank, error)
        if options.debug:
            traceback.print_exc()
        return error.exit_code if isinstance(error, BacksightError) else 1
    return 0


def needs_ranks(argv: list[str]) -> bool:
    """Whether several ranks have work to do; False also for a spec or a store that `main` will complain about."""
    options = parse(argv)
    try:
        spec = read_spec(TrainSpec, options.spec)
        return spec.ranks > 1 and (options.force or cached(open_store(), spec) is None)
    except BacksightError:
        return False


def start_ranks(argv: list[str]) -> int:
    """Become torchrun's agent for the ranks of the spec, and report if they cannot."""
    import logging

    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.run import parse_args, run

    options = parse(argv)
    ranks, meeting = ranks_here(read_spec(TrainSpec, options.spec).ranks)
    # The stage's own error is the last line: torchrun's account of exit codes says less.
    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, len(os.sched_getaffinity(0)) // ranks)))
    with tempfile.TemporaryDirectory(prefix="backsight-ranks-") as place:
        os.environ[FOLDER_VARIABLE] = place
        try:
            run(parse_args([*meeting, f"--nproc_per_node={ranks}", "-m", "tasks.train", *argv]))
        except ChildFailedError as error:
            failure = first(Path(place)) or unspoken(
                error.get_first_failure()[0], error.get_first_failure()[1].exitcode
            )
            if not (Path(place) / TOLD).exists():
                report(failure, options.result)
            return failure.exit_code
        except SignalException as stop:
            return 128 + int(stop.sigval)
    return 0


def ranks_here(ranks: int, environment: Mapping[str, str] = os.environ) -> tuple[int, list[str]]:
    """How many of the ranks run on this node, and torchrun's words for how they meet the others.

    A launcher of several nodes sets BACKSIGHT_NODES, MASTER_ADDR, MASTER_PORT and, this node's number,
    JOB_COMPLETION_INDEX.
    """
    nodes = int(environment.get("BACKSIGHT_NODES", 1))
    if nodes == 1:
        return ranks, ["--standalone"]
    if ranks % nodes:
        raise UsageError(f"{ranks} ranks cannot be dealt out evenly over {nodes} nodes: change training.ranks.")
    place = f"--master_addr={environment['MASTER_ADDR']}", f"--master_port={environment['MASTER_PORT']}"
    return ranks // nodes, [f"--nnodes={nodes}", f"--node_rank={environment['JOB_COMPLETION_INDEX']}", *place]


def unspoken(rank: int, exit_code: int) -> Failure:
    """The failure of a rank that left no word."""
    reason = f"was killed by signal {-exit_code}" if exit_code < 0 else f"left with exit code {exit_code}"
    return Failure(rank, f"Rank {rank} {reason}: it may have run out of memory; lower the phase's batch.", 1)


def report(failure: Failure, result: Path | None) -> None:
    """What `tasks.stage.main` would have said, had rank 0 lived to say it."""
    failed = StageResult(stage=TrainSpec.task, key="", outcome=Outcome.FAILED, error=failure.error)
    if result is None:
        print(failed.model_dump_json(), flush=True)
    else:
        write(result, failed.model_dump_json(indent=1).encode())
    print(f"error: {failure.error}", file=sys.stderr, flush=True)


def parse(argv: list[str]) -> argparse.Namespace:
    """The options of `tasks.stage.main` that matter here; it checks the rest itself."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--spec", type=Path, default=Path("spec.json"))
    parser.add_argument("--result", type=Path)
    parser.add_argument("--force", action="store_true")
    parser.add_argument("--debug", action="store_true")
    return parser.parse_known_args(argv)[0]
