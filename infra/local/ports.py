"""Free ports on loopback."""

from __future__ import annotations

import socket
import time
from collections.abc import Collection

from tasks.errors import BacksightError

LOOPBACK = "127.0.0.1"
TRIES = 200
POLL = 0.05


def is_free(port: int) -> bool:
    """Whether a server could listen on this port of loopback now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def becomes_free(port: int, seconds: float) -> bool:
    """Whether a port is free, now or soon: a killed process keeps its sockets until its last thread has ended."""
    deadline = time.monotonic() + seconds
    while not (free := is_free(port)) and time.monotonic() < deadline:
        time.sleep(POLL)
    return free


def next_free(wanted: int, promised: Collection[int] = ()) -> int:
    """The first free port from `wanted` upwards that is not among the promised ones."""
    for port in range(wanted, min(wanted + TRIES, 65536)):
        if port not in promised and is_free(port):
            return port
    raise BacksightError(f"No port from {wanted} to {wanted + TRIES - 1} is free on {LOOPBACK}: stop what holds them.")
