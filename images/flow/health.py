"""Whether the process of this container does its work: `health.py [HOST:PORT ...]`.

With addresses, where a process serves no page of its own: whether all of them can be reached. Without, for engines that
ask by themselves: a Prefect server and a worker started with `--with-healthcheck` answer over HTTP; anything else, a
flow run above all, is healthy while it runs.
"""

from __future__ import annotations

import socket
import sys
import urllib.request
from pathlib import Path

PAGES = {"server start": "http://127.0.0.1:4200/api/health", "worker start": "http://127.0.0.1:8080/health"}


def main(addresses: list[str]) -> None:
    """Leave with 0 where all is well, else with an error."""
    for address in addresses:
        host, _, port = address.rpartition(":")
        socket.create_connection((host, int(port)), timeout=4).close()
    for page in pages(commands()) if not addresses else ():
        urllib.request.urlopen(page, timeout=4).close()


def commands() -> list[str]:
    """The command lines of the container's processes."""
    lines = [path.read_bytes().replace(b"\0", b" ").decode() for path in Path("/proc").glob("[0-9]*/cmdline")]
    return [line for line in lines if Path(__file__).name not in line]


def pages(lines: list[str]) -> list[str]:
    """The addresses that are to answer."""
    return [page for words, page in PAGES.items() if any(f"prefect {words}" in line for line in lines)]


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except OSError as error:
        sys.exit(f"unhealthy: {error}")
