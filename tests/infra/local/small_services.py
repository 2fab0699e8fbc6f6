"""Small services for tests of the supervisor: real processes that serve HTTP, or fail to."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

from infra.local import http
from infra.local.service import Service

SERVE = """
import http.server, sys, time
time.sleep(float(sys.argv[2]))
http.server.ThreadingHTTPServer(('127.0.0.1', int(sys.argv[1])), http.server.SimpleHTTPRequestHandler).serve_forever()
"""
DIE = "import sys; print('first words'); print('the cellar is flooded'); sys.exit(3)"
IDLE = "import time; print('nothing to serve', flush=True); time.sleep(600)"


def serving(home: Path, name: str, port: int, delay: float = 0.0, needs: tuple[str, ...] = ()) -> Service:
    """Answers on a port after a delay in seconds."""
    url = f"http://127.0.0.1:{port}"
    return Service(
        name=name,
        command=(sys.executable, "-c", SERVE, str(port), str(delay)),
        answers=lambda _: ask(url),
        address=url,
        folder=home / name,
        port=port,
        needs=needs,
        stop_patience=2.0,
    )


def ask(url: str) -> None:
    """Raise `NotReady` unless the address answers."""
    http.get(url)


def dying(home: Path, name: str, port: int) -> Service:
    """Ends with code 3 at once."""
    return dataclasses.replace(serving(home, name, port), command=(sys.executable, "-c", DIE))


def idle(home: Path, name: str, port: int) -> Service:
    """Runs and never answers."""
    return dataclasses.replace(serving(home, name, port), command=(sys.executable, "-c", IDLE))
