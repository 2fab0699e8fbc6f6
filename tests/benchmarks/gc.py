"""`backsight gc` as a person types it, on a store of 10,000 objects, half of which nothing names.

`backsight bench gc [--nights N] [--json]`. Prints; judges nothing. Starts an S3 server of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.many_nights import Nights, environment_of, lines_of
from tests.rclone_server import RcloneServer

NIGHTS = 136
"""As many that the ledger names, and as many that it does not: 37 objects each."""
MONTH = 30 * 24 * 3600


def measure(nights: int) -> dict[str, float]:
    """Counts and seconds, with the start of Python."""
    with tempfile.TemporaryDirectory(prefix="backsight-bench-") as folder:
        server = RcloneServer(Path(folder))
        kept = fill(server.data / "bench", nights)
        server.start()
        try:
            return figures(server, Path(folder) / "home", kept)
        finally:
            server.stop()


def fill(bucket: Path, nights: int) -> set[Path]:
    """Write old nights; the files that something reachable names."""
    lost, named = Nights(bucket), Nights(bucket)
    for night in range(nights):
        lost.add(100_000 + night)
    lost_files = {path for path in bucket.rglob("*") if path.is_file() and "refs/l" not in str(path)}
    for night in range(nights):
        named.add(night)
    then = time.time() - MONTH
    everything = {path for path in bucket.rglob("*") if path.is_file()}
    for path in everything:
        os.utime(path, (then, then))
    return {path for path in everything - lost_files if "/refs/stage/" not in str(path)}


def figures(server: RcloneServer, home: Path, kept: set[Path]) -> dict[str, float]:
    """What the commands say and take."""
    environment = environment_of(server, home)

    def gc(*words: str) -> tuple[float, dict[str, object]]:
        begun = time.perf_counter()
        command = [sys.executable, "-m", "flows.cli", "gc", "--json", *words]
        said = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
        return time.perf_counter() - begun, json.loads(said)

    first, planned = gc("--plan")
    again, _ = gc("--plan")
    applied, removed = gc("--apply")
    return {
        "objects": len(planned["objects"]) + int(str(planned["kept"])),  # type: ignore[arg-type]
        "that nothing names": len(planned["objects"]),  # type: ignore[arg-type]
        "removed": len(removed["objects"]),  # type: ignore[arg-type]
        "reachable and gone (must be 0)": sum(not path.exists() for path in kept),
        "first plan of this machine, s": first,
        "plan, s": again,
        "apply, s": applied,
    }


def main(argv: list[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nights", type=int, default=NIGHTS, help="of each sort")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args(argv)
    found = measure(arguments.nights)
    print(json.dumps(found) if arguments.json else lines_of(found))


if __name__ == "__main__":
    main()
