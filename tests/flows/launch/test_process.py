"""Child processes beyond the contract: whole families end, and a successor follows what a dead flow run started."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.launch import Cause, JobState, LogLine
from tasks.errors import UsageError
from tasks.spec import HOUSE
from tests.flows.launch.benches import ProcessBench, act, marked, ran


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[ProcessBench]:
    bench = ProcessBench(tmp_path)
    yield bench
    assert not bench.left(), "a test left processes behind"


def test_a_task_killed_with_its_shell_is_named(bench: ProcessBench) -> None:
    launcher = bench.launcher()
    handle = launcher.start(bench.job("import time; print('ready', flush=True); time.sleep(30)"))
    reports = launcher.follow(handle)
    assert next(reports) == LogLine("ready")
    for process in marked(bench.folder):
        process.kill()
    assert list(reports) == []
    ending = launcher.ending(handle)
    assert ending is not None and (ending.state, ending.cause) == (JobState.FAILED, Cause.KILLED)


GRANDCHILDREN = (
    "import subprocess, time; "
    "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'], start_new_session=True); "
    "subprocess.Popen([sys.executable, '-c', 'import time, signal; signal.signal(15, 1); time.sleep(60)']); "
    "print('ready', flush=True); "
)


def test_cancel_ends_the_whole_family(bench: ProcessBench) -> None:
    launcher = bench.launcher()
    handle = launcher.start(bench.job(GRANDCHILDREN + "time.sleep(60)"))
    assert next(launcher.follow(handle)) == LogLine("ready")
    assert len(bench.left()) == 4
    launcher.cancel(handle)
    assert bench.left() == []
    ending = launcher.ending(handle)
    assert ending is not None and (ending.state, ending.cause) == (JobState.CANCELLED, Cause.CANCELLED)
    launcher.cancel(handle)


def test_a_dead_task_leaves_no_orphans(bench: ProcessBench) -> None:
    _, ending = ran(bench.launcher(), bench.job(GRANDCHILDREN + "sys.exit('error: no more')"))
    assert ending.diagnosis == "no more"
    assert bench.left() == []


def test_another_process_follows_to_the_end_what_a_dead_one_started(bench: ProcessBench) -> None:
    """The flow run that started the job is killed; its successor re-attaches and learns everything."""
    starter = f"""
import os, pathlib
from tests.flows.launch.benches import ProcessBench
bench = ProcessBench(pathlib.Path({str(bench.folder)!r}))
bench.launcher().start(bench.job("import time; print('one', flush=True); time.sleep(.5); print('two'); answer()"))
os.kill(os.getpid(), 9)
"""
    environment = {**os.environ, "PYTHONPATH": str(HOUSE)}
    flow = os.spawnve(os.P_WAIT, sys.executable, [sys.executable, "-c", starter], environment)
    assert flow == -signal.SIGKILL
    launcher = bench.launcher()
    handle = launcher.attach("act-1")
    assert handle is not None
    assert list(launcher.follow(handle)) == [LogLine("one"), LogLine("two")]
    ending = launcher.ending(handle)
    assert ending is not None and ending.state is JobState.SUCCEEDED


@pytest.mark.parametrize("name", ["", "Act", "a/b", "-a", "a" * 60])
def test_a_name_that_no_platform_takes_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="cannot be named"):
        act("", name)
