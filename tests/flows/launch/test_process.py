"""The launcher contract on real child processes."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import psutil
import pytest

from flows.launch import Cause, Ending, Job, JobState, LogLine, Report
from flows.launch.process import MARK, ProcessLauncher
from tasks.errors import UsageError
from tasks.spec import StageSpec

PROBES = Path(__file__).parent


class ActSpec(StageSpec):
    task: ClassVar[str] = "act"
    stage: str = "act"
    script: str


@pytest.fixture
def launcher(tmp_path: Path) -> Iterator[ProcessLauncher]:
    launcher = ProcessLauncher(tmp_path / "jobs", package="probes", poll=0.02, grace=1.0)
    yield launcher
    assert not marked(tmp_path), "a test left processes behind"


def marked(folder: Path) -> list[psutil.Process]:
    everyone = psutil.process_iter(["environ", "status"])
    ours = [p for p in everyone if str(folder) in (p.info["environ"] or {}).get(MARK, "")]
    return [p for p in ours if p.info["status"] != psutil.STATUS_ZOMBIE]


def job(script: str, name: str = "act-1", force: bool = False, deadline: float | None = None) -> Job:
    return Job(name, ActSpec(script=script), force, deadline, {"PYTHONPATH": str(PROBES)})


def ran(launcher: ProcessLauncher, asked: Job) -> tuple[list[Report], Ending]:
    handle = launcher.start(asked)
    reports = list(launcher.follow(handle))
    ending = launcher.ending(handle)
    assert ending is not None
    return reports, ending


def test_a_task_killed_with_its_shell_is_named(launcher: ProcessLauncher) -> None:
    handle = launcher.start(job("import time; print('ready', flush=True); time.sleep(30)"))
    reports = launcher.follow(handle)
    assert next(reports) == LogLine("ready")
    for process in marked(launcher.root):
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


def test_cancel_ends_the_whole_family(launcher: ProcessLauncher) -> None:
    handle = launcher.start(job(GRANDCHILDREN + "time.sleep(60)"))
    assert next(launcher.follow(handle)) == LogLine("ready")
    assert len(marked(launcher.root)) == 4
    launcher.cancel(handle)
    assert marked(launcher.root) == []
    ending = launcher.ending(handle)
    assert ending is not None and (ending.state, ending.cause) == (JobState.CANCELLED, Cause.CANCELLED)
    launcher.cancel(handle)


def test_a_dead_task_leaves_no_orphans(launcher: ProcessLauncher) -> None:
    _, ending = ran(launcher, job(GRANDCHILDREN + "sys.exit('error: no more')"))
    assert ending.diagnosis == "no more"
    assert marked(launcher.root) == []


def test_another_process_follows_to_the_end_what_a_dead_one_started(launcher: ProcessLauncher, tmp_path: Path) -> None:
    """The flow run that started the job is killed; its successor re-attaches and learns everything."""
    starter = f"""
import sys; sys.path.insert(0, {str(PROBES)!r})
import os, test_process as t
t.ProcessLauncher(t.Path({str(launcher.root)!r}), package="probes").start(
    t.job("import time; print('one', flush=True); time.sleep(.5); print('two'); answer()"))
os.kill(os.getpid(), 9)
"""
    flow = os.spawnv(os.P_WAIT, sys.executable, [sys.executable, "-c", starter])
    assert flow == -signal.SIGKILL
    handle = launcher.attach("act-1")
    assert handle is not None
    assert list(launcher.follow(handle)) == [LogLine("one"), LogLine("two")]
    ending = launcher.ending(handle)
    assert ending is not None and ending.state is JobState.SUCCEEDED


@pytest.mark.parametrize("name", ["", "Act", "a/b", "-a", "a" * 60])
def test_a_name_that_no_platform_takes_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="cannot be named"):
        job("", name=name)
