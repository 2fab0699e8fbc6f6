"""The image's script for backups against a real Postgres and a real S3 server: what is dumped comes back."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from infra.local import postgres, processes
from infra.local.credentials import S3Keys
from infra.local.layout import Layout
from infra.local.planning import WANTED_PORTS
from infra.local.service import StackPlan
from infra.local.state import State
from infra.local.supervisor import Supervisor
from tasks.settings import StoreSettings
from tests.rclone_server import rclone

SCRIPT = Path(__file__).parents[3] / "images" / "services" / "backup.sh"


@pytest.fixture
def sockets(tmp_path: Path) -> Iterator[Path]:
    """A Postgres as the image `services` sets it up: databases belong to their users, an extension does not."""
    layout = Layout(tmp_path / "home")
    layout.create()
    service = postgres.service(StackPlan(layout, WANTED_PORTS, S3Keys("access", "secret")))
    Supervisor(layout, State(layout.state), lambda _: None, patience=60.0).ensure_all([service])
    found = postgres.socket_folder(layout.folder("postgres"))
    for name in postgres.DATABASES:
        ask(found, "postgres", f"CREATE ROLE {name} LOGIN", f"ALTER DATABASE {name} OWNER TO {name}")
    ask(found, "prefect", "CREATE EXTENSION pg_trgm")
    yield found
    processes.stop(processes.members(layout.home), patience=5.0)
    shutil.rmtree(found, ignore_errors=True)


def ask(sockets: Path, database: str, *statements: str, user: str = postgres.SUPERUSER) -> list[tuple[object, ...]]:
    """What the last statement answers."""
    with psycopg.connect(host=str(sockets), user=user, dbname=database, autocommit=True) as connection:
        for statement in statements:
            cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def test_a_dump_comes_back_to_who_may_not_make_extensions(
    sockets: Path, store_settings: StoreSettings, tmp_path: Path
) -> None:
    made = ("CREATE TABLE run (name text)", "CREATE INDEX ON run USING gin (name gin_trgm_ops)")
    ask(sockets, "prefect", *made, "INSERT INTO run VALUES ('a night')", user="prefect")
    environment = {
        **os.environ,
        "PATH": f"{postgres.binary('pg_dump').parent}:{rclone().parent}:{os.environ['PATH']}",
        "TMPDIR": str(tmp_path),
        "PGHOST": str(sockets),
        "PREFECT_PASSWORD": "unused",
        "MLFLOW_PASSWORD": "unused",
    }

    def backup(*words: str) -> str:
        done = subprocess.run(["sh", str(SCRIPT), *words], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    backup("dump")
    ask(sockets, "prefect", "DELETE FROM run", user="prefect")
    dumps = backup("list").split()
    assert len(dumps) == 2
    backup("restore", "prefect", next(d for d in dumps if d.startswith("prefect/")).removeprefix("prefect/"))
    assert ask(sockets, "prefect", "SELECT name FROM run", user="prefect") == [("a night",)]
