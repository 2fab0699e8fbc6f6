"""Which rank this process is (torchrun, SLURM or alone), and the process group that joins the ranks."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from model.errors import UsageError

if TYPE_CHECKING:
    import torch

SLURM_PORT = 29500


@dataclass(frozen=True)
class World:
    """This process among the ranks of one training."""

    rank: int = 0
    local_rank: int = 0
    size: int = 1
    meeting: str | None = None
    """Address at which the ranks meet; none = the environment says it (torchrun), or there is one rank."""

    @property
    def is_main(self) -> bool:
        """Whether this rank speaks for all."""
        return self.rank == 0


def world_of(environment: Mapping[str, str] = os.environ) -> World:
    """The world that torchrun's variables name, else SLURM's, else one rank alone."""
    if "RANK" in environment:
        return World(int(environment["RANK"]), int(environment["LOCAL_RANK"]), int(environment["WORLD_SIZE"]))
    if int(environment.get("SLURM_NTASKS", 1)) > 1 and "SLURM_PROCID" in environment:
        host = environment.get("MASTER_ADDR") or environment["SLURM_LAUNCH_NODE_IPADDR"]
        port = environment.get("MASTER_PORT") or SLURM_PORT + int(environment["SLURM_JOB_ID"]) % 1000
        rank, local_rank, size = (int(environment[f"SLURM_{name}"]) for name in ("PROCID", "LOCALID", "NTASKS"))
        return World(rank, local_rank, size, meeting=f"tcp://{host}:{port}")
    return World()


def device_of(wanted: str, world: World) -> torch.device:
    """The device of this rank. Raises `UsageError` where a GPU is asked for that this machine does not have."""
    import torch

    there = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if wanted == "cpu" or (wanted == "auto" and there == 0):
        return torch.device("cpu")
    if world.local_rank >= there:
        raise UsageError(
            f"Training asks for a GPU for rank {world.rank}, but this machine has {there}: "
            "set training.<phase>.device to cpu, or use fewer ranks."
        )
    return torch.device("cuda", world.local_rank)


@contextmanager
def joined(world: World, device: torch.device) -> Iterator[None]:
    """The process group of all ranks, left again at the end."""
    import torch
    from torch import distributed

    # DeepSpeed takes these two from the environment alone; without the second it probes, and warns about, the machine.
    os.environ["LOCAL_RANK"] = str(world.local_rank)
    os.environ["DS_ACCELERATOR"] = device.type
    backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
    if device.type == "cuda":
        torch.cuda.set_device(device)
    meeting: dict[str, Any] = {"rank": world.rank, "world_size": world.size}
    meeting["store" if world.size == 1 else "init_method"] = (
        distributed.HashStore() if world.size == 1 else world.meeting or "env://"
    )
    distributed.init_process_group(backend, **meeting)
    try:
        yield
    finally:
        # DeepSpeed, where it was used, must forget the group too before another can be joined.
        owner = sys.modules["deepspeed"].comm if "deepspeed" in sys.modules else distributed
        owner.destroy_process_group()


def from_main(value: Any) -> Any:
    """Rank 0's value, on all ranks."""
    from torch import distributed

    box = [value]
    distributed.broadcast_object_list(box, src=0)
    return box[0]


def wait_for_all() -> None:
    """Return when every rank has come to this point."""
    from torch import distributed

    distributed.barrier()
