"""Recognising the stack's own processes, and stopping them alone."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from infra.local import processes

STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(600)"
PARENT = "import subprocess, time; subprocess.Popen(['sleep', '600']); time.sleep(600)"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    processes.stop(processes.members(tmp_path), patience=1.0)


def start(home: Path, service: str, *command: str) -> subprocess.Popen[bytes]:
    environment = processes.service_environment(home, service, {})
    return processes.spawn(command, environment, home, home / f"{service}.log")


def wait_for(count: int, home: Path) -> list[psutil.Process]:
    deadline = time.monotonic() + 10
    while len(found := processes.members(home)) != count:
        assert time.monotonic() < deadline, found
        time.sleep(0.02)
    return found


def test_children_are_found_when_their_parent_was_killed(home: Path) -> None:
    parent = start(home, "web", sys.executable, "-c", PARENT)
    wait_for(2, home)
    parent.kill()
    parent.wait()
    (orphan,) = processes.members(home, "web")
    assert orphan.name() == "sleep"
    assert processes.members(home, "other") == []
    assert processes.members(home / "elsewhere") == []


def test_one_that_ignores_the_polite_signal_is_killed(home: Path) -> None:
    process = start(home, "web", sys.executable, "-c", STUBBORN)
    while not (home / "web.log").read_text():
        time.sleep(0.02)
    processes.stop(processes.members(home), patience=0.2)
    assert process.wait(timeout=5) < 0
    assert processes.members(home) == []


def test_a_zombie_counts_as_gone(home: Path) -> None:
    process = start(home, "web", "true")
    created = psutil.Process(process.pid).create_time()
    deadline = time.monotonic() + 5
    while psutil.Process(process.pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
    assert not processes.is_alive(process.pid, created)
    process.wait()


def test_the_same_pid_at_another_time_is_another_process() -> None:
    me = psutil.Process()
    assert processes.is_alive(me.pid, me.create_time())
    assert not processes.is_alive(me.pid, me.create_time() - 60)


def test_a_shell_s_settings_do_not_reach_a_service(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PREFECT_API_URL", "MLFLOW_TRACKING_URI", "PGHOST", "RCLONE_CONFIG"):
        monkeypatch.setenv(name, "http://elsewhere.example")
    environment = processes.service_environment(home, "web", {"PREFECT_HOME": "own"})
    assert "http://elsewhere.example" not in environment.values()
    assert environment["PREFECT_HOME"] == "own"
    assert environment["PATH"]


def test_a_missing_program_is_named(home: Path) -> None:
    with pytest.raises(processes.BacksightError, match="The program no-such-program is missing"):
        start(home, "web", "no-such-program")
