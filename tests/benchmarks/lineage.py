"""`backsight lineage` as a person types it, on 10,000 manifests: the first look of a machine, and later ones.

`backsight bench lineage [--nights N] [--json]`. Prints; judges nothing. Starts an S3 server of its own.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.many_nights import Nights, environment_of, lines_of
from tests.rclone_server import RcloneServer

NIGHTS = 560
"""18 manifests each: 10,000 in all."""


def measure(nights: int) -> dict[str, float]:
    """What was asked -> seconds, with the start of Python."""
    with tempfile.TemporaryDirectory(prefix="backsight-bench-") as folder:
        server = RcloneServer(Path(folder))
        made = Nights(server.data / "bench")
        for night in range(nights):
            made.add(night)
        server.start()
        try:
            return figures(server, made, Path(folder) / "home")
        finally:
            server.stop()


def figures(server: RcloneServer, made: Nights, home: Path) -> dict[str, float]:
    """The figures of one store."""
    environment = environment_of(server, home)
    found: dict[str, float] = {}

    def ask(what: str, name: str) -> None:
        begun, used = time.perf_counter(), used_by_children()
        command = [sys.executable, "-m", "flows.cli", "lineage", name]
        subprocess.run(command, env=environment, check=True, capture_output=True)
        found[f"{what}, s"] = time.perf_counter() - begun
        found[f"{what}, CPU s"] = used_by_children() - used

    found["manifests"] = sum(1 for _ in (made.folder / "manifests").rglob("*.json"))
    found["objects"] = made.objects
    ask("first look of this machine", made.verdicts[-1])
    ask("the newest verdict", made.verdicts[-1])
    ask("a verdict in the middle", made.verdicts[len(made.verdicts) // 2])
    ask("the oldest dataset", made.datasets[0])
    ask("an episode: every index is read", "b0-train-1")
    ask("another episode", f"b{len(made.verdicts) - 1}-train-1")
    return found


def used_by_children() -> float:
    """Processor seconds of the children that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def main(argv: list[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nights", type=int, default=NIGHTS, help="18 manifests each")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args(argv)
    found = measure(arguments.nights)
    print(json.dumps(found) if arguments.json else lines_of(found))


if __name__ == "__main__":
    main()
