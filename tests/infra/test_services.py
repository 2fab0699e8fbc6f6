"""The image's script for services: how Postgres ends when its pod is told to."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from infra.local import postgres

SCRIPT = Path(__file__).parents[2] / "images" / "services" / "service.sh"
PATIENCE = 60.0


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.fixture
def data() -> Iterator[Path]:
    """A volume that belongs to who runs Postgres."""
    folder = Path(tempfile.mkdtemp(prefix="backsight-volume-"))
    postgres.own(folder)
    yield folder
    shutil.rmtree(folder)


def test_postgres_leaves_in_order_though_clients_stay(data: Path) -> None:
    port = free_port()
    environment = {
        **os.environ,
        "PATH": f"{postgres.binary('postgres').parent}:{os.environ['PATH']}",
        "PGDATA": str(data / "postgres"),
        "PGPORT": str(port),
        "POSTGRES_PASSWORD": "super",
        "PREFECT_PASSWORD": "secret",
        "MLFLOW_PASSWORD": "secret",
        "POSTGRES_BUFFERS": "16MB",
    }
    command = [*postgres.as_ordinary_user(), "sh", str(SCRIPT), "postgres"]
    server = subprocess.Popen(command, env=environment, cwd="/", stderr=subprocess.DEVNULL)
    try:
        with connected(port, server):
            server.send_signal(signal.SIGTERM)
            assert server.wait(PATIENCE) == 0
    finally:
        server.kill()
    control = subprocess.run(
        [str(postgres.binary("pg_controldata")), str(data / "postgres")], capture_output=True, text=True
    )
    assert "shut down\n" in control.stdout


def connected(port: int, server: subprocess.Popen[bytes]) -> psycopg.Connection[tuple[object, ...]]:
    """A client of the server, once it answers over TCP."""
    address = f"host=127.0.0.1 port={port} user=prefect password=secret dbname=prefect"
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return psycopg.connect(address)
        except psycopg.OperationalError:
            assert server.poll() is None and time.monotonic() < deadline, "Postgres did not start"
            time.sleep(0.1)
