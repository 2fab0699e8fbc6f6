"""Postgres alone: in a deep home, after a cut-off set-up, after a kill."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from infra.local import postgres, processes
from infra.local.credentials import S3Keys
from infra.local.layout import Layout
from infra.local.planning import WANTED_PORTS
from infra.local.service import Service, StackPlan
from infra.local.state import State
from infra.local.supervisor import Supervisor


@pytest.fixture
def deep(tmp_path: Path) -> Iterator[Layout]:
    layout = Layout(tmp_path / ("a-long-name-" * 8) / "home")
    layout.create()
    yield layout
    processes.stop(processes.members(layout.home), patience=5.0)
    shutil.rmtree(postgres.socket_folder(layout.folder("postgres")))


def start(layout: Layout) -> Service:
    service = postgres.service(StackPlan(layout, WANTED_PORTS, S3Keys("access", "secret")))
    Supervisor(layout, State(layout.state), lambda _: None, patience=60.0).ensure_all([service])
    return service


def databases(layout: Layout) -> set[str]:
    sockets = str(postgres.socket_folder(layout.folder("postgres")))
    with psycopg.connect(host=sockets, user=postgres.SUPERUSER, dbname="postgres") as connection:
        return {name for (name,) in connection.execute("SELECT datname FROM pg_database")}


def test_a_deep_home_a_cut_off_set_up_and_a_kill(deep: Layout) -> None:
    cut_off = deep.folder("postgres") / "data.new"
    cut_off.mkdir(parents=True)
    (cut_off / "PG_VERSION").write_text("18")
    start(deep)
    assert databases(deep) >= {"prefect", "mlflow"}

    record = State(deep.state).get("postgres")
    assert record
    psutil.Process(record.pid).kill()
    start(deep)
    assert databases(deep) >= {"prefect", "mlflow"}
    assert State(deep.state).get("postgres") != record


def test_nobody_but_the_owner_can_enter(deep: Layout) -> None:
    start(deep)
    folder = deep.folder("postgres")
    for place in (folder, folder / "data", postgres.socket_folder(folder)):
        assert place.stat().st_mode & 0o077 == 0
    listening = [c for p in processes.members(deep.home) for c in p.net_connections(kind="inet")]
    assert listening == []
