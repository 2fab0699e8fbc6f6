"""The local stack's own times on this machine: a first `up`, one that finds all well, one after each SIGKILL, `down`.

`backsight bench stack [--json]`. Prints; judges nothing. Starts a stack of its own, on ports of its own.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from infra.local.planning import SERVICES
from tests.local_stack import LocalStack


def measure() -> dict[str, float]:
    """What was done -> seconds; and the resident memory of the idle stack in megabytes."""
    with tempfile.TemporaryDirectory(prefix="backsight-bench-") as folder:
        stack = LocalStack(Path(folder) / "home")
        try:
            return figures(stack)
        finally:
            stack.down()


def figures(stack: LocalStack) -> dict[str, float]:
    """The figures of one stack, which is up afterwards."""
    found = {"first up, s": seconds(stack.up), "second up, s": seconds(stack.up)}
    found["memory, MB"] = sum(process.memory_full_info().pss for process in stack.processes()) / 2**20
    for service in SERVICES:
        psutil.Process(stack.pids()[service]).kill()
        found[f"up after a SIGKILL of {service}, s"] = seconds(stack.up)
    found["down, s"] = seconds(stack.down)
    found["up on old data, s"] = seconds(stack.up)
    return found


def seconds(action: Callable[[], object]) -> float:
    """How long an action takes."""
    begun = time.perf_counter()
    action()
    return time.perf_counter() - begun


def main(argv: list[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    as_json = parser.parse_args(argv).json
    found = measure()
    lines = (f"{name:<36} {value:8.1f}" for name, value in found.items())
    print(json.dumps(found) if as_json else "\n".join(lines))


if __name__ == "__main__":
    main()
