"""Running out of memory as a sentence, and how much was used."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from model.errors import BacksightError

REFUSALS = ("out of memory", "can't allocate memory", "not enough memory")
"""What torch's allocators say, on GPUs and on the CPU, in an error of no class of its own."""


@contextmanager
def enough_memory(device: torch.device | str, advice: str) -> Iterator[None]:
    """Turn an allocator's refusal into a `BacksightError` that names the device and gives the advice."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError) and not any(words in str(error).lower() for words in REFUSALS):
            raise
        raise BacksightError(f"The memory of {device} is too small for this: {advice}.") from error


def peak_memory() -> dict[str, float]:
    """GB at the most so far: of this process in the host's memory, and of its tensors on each GPU that it used."""
    # Linux counts in units of 1024 bytes.
    used = {"host": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9}
    for index in range(torch.cuda.device_count() if torch.cuda.is_initialized() else 0):
        if peak := torch.cuda.max_memory_allocated(index):
            used[f"cuda:{index}"] = peak / 1e9
    return used
