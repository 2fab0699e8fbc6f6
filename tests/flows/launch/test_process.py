"""The launcher contract on real child processes."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import psutil
import pytest

from flows.launch import Cause, Ending, Handle, Job, JobState, LogLine, Progress
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


def ran(launcher: ProcessLauncher, asked: Job) -> tuple[list[LogLine | Progress], Ending]:
    handle = launcher.start(asked)
    reports = list(launcher.follow(handle))
    ending = launcher.ending(handle)
    assert ending is not None
    return reports, ending


def test_success_carries_the_result_the_lines_and_the_progress(launcher: ProcessLauncher) -> None:
    script = "print('hello'); progress(1, 4); progress(4, 4); answer(outputs={'dataset': 'dataset/' + 'a' * 64})"
    reports, ending = ran(launcher, job(script))
    assert reports[0] == LogLine("hello")
    assert reports[1] == Progress("walks", 1, 4, "walk", 1.5, {"scene": "s1"})
    assert [r.done for r in reports if isinstance(r, Progress)] == [1, 4]
    assert ending.state is JobState.SUCCEEDED and ending.cause is None and ending.exit_code == 0
    assert ending.result is not None and ending.result.outputs == {"dataset": "dataset/" + "a" * 64}
    assert ending.seconds > 0


def test_reports_arrive_while_the_task_runs(launcher: ProcessLauncher) -> None:
    handle = launcher.start(job("import time; print('ready', flush=True); time.sleep(30)"))
    reports = launcher.follow(handle)
    assert next(reports) == LogLine("ready")
    assert launcher.ending(handle) is None
    launcher.cancel(handle)


def test_force_reaches_the_task(launcher: ProcessLauncher) -> None:
    reports, _ = ran(launcher, job("print(arguments.force); answer()", force=True))
    assert reports == [LogLine("True")]


def test_the_tasks_own_error_is_the_diagnosis(launcher: ProcessLauncher) -> None:
    script = "print('error: first'); sys.stderr.write('error: Shard 3 is truncated.\\ntrailing noise\\n'); sys.exit(1)"
    _, ending = ran(launcher, job(script))
    assert (ending.state, ending.cause, ending.exit_code) == (JobState.FAILED, Cause.TASK, 1)
    assert ending.diagnosis == "Shard 3 is truncated."


def test_a_failed_result_gives_the_diagnosis_too(launcher: ProcessLauncher) -> None:
    _, ending = ran(launcher, job("answer('failed', error='No GPU is there.'); sys.exit(2)"))
    assert (ending.cause, ending.diagnosis) == (Cause.TASK, "No GPU is there.")


def test_an_exit_without_a_sentence_shows_the_last_line(launcher: ProcessLauncher) -> None:
    _, ending = ran(launcher, job("print('about to leave'); sys.exit(7)"))
    assert ending.cause is Cause.EXIT
    assert ending.diagnosis is not None and "code 7" in ending.diagnosis and "about to leave" in ending.diagnosis


def test_success_without_a_result_is_a_failure(launcher: ProcessLauncher) -> None:
    _, ending = ran(launcher, job("print('done')"))
    assert (ending.state, ending.cause) == (JobState.FAILED, Cause.NO_RESULT)


def test_a_sigkill_from_outside_is_named(launcher: ProcessLauncher) -> None:
    _, ending = ran(launcher, job("import os, signal; os.kill(os.getpid(), signal.SIGKILL)"))
    assert (ending.state, ending.cause, ending.exit_code) == (JobState.FAILED, Cause.KILLED, 137)
    assert ending.diagnosis is not None and "SIGKILL" in ending.diagnosis


def test_running_out_of_memory_is_named(launcher: ProcessLauncher) -> None:
    limit = "import resource; resource.setrlimit(resource.RLIMIT_AS, (2**29, 2**29)); bytearray(2**30)"
    _, ending = ran(launcher, job(limit))
    assert (ending.state, ending.cause) == (JobState.FAILED, Cause.OUT_OF_MEMORY)
    assert ending.diagnosis is not None and "out of memory" in ending.diagnosis


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


def test_a_second_start_finds_the_running_job(launcher: ProcessLauncher) -> None:
    asked = job("import time; print('ready', flush=True); time.sleep(30)")
    first = launcher.start(asked)
    other = ProcessLauncher(launcher.root, package="probes", poll=0.02)
    assert other.start(asked) == first
    assert next(other.follow(first)) == LogLine("ready")
    other.cancel(first)
    assert launcher.ending(first) is not None


def test_starts_at_once_give_one_process(launcher: ProcessLauncher) -> None:
    asked = job("import time; time.sleep(30)")
    handles: list[Handle] = []
    threads = [threading.Thread(target=lambda: handles.append(launcher.start(asked))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(handles) == {Handle("act-1", 1)}
    launcher.cancel(handles[0])


def test_a_start_after_the_end_is_a_new_attempt(launcher: ProcessLauncher) -> None:
    ran(launcher, job("sys.exit(1)"))
    reports, ending = ran(launcher, job("print('again'); answer()"))
    assert launcher.attach("act-1") == Handle("act-1", 2)
    assert reports == [LogLine("again")] and ending.state is JobState.SUCCEEDED
    assert launcher.attach("act-2") is None


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


def test_the_deadline_ends_a_job(launcher: ProcessLauncher) -> None:
    began = time.monotonic()
    _, ending = ran(launcher, job("import time; time.sleep(60)", deadline=0.5))
    assert (ending.state, ending.cause) == (JobState.FAILED, Cause.DEADLINE)
    assert ending.diagnosis is not None and "0.5 s" in ending.diagnosis
    assert time.monotonic() - began < 30


def test_old_attempts_are_forgotten(launcher: ProcessLauncher) -> None:
    for _ in range(5):
        ran(launcher, job("answer()"))
    assert sorted(p.name for p in (launcher.root / "act-1").iterdir() if p.is_dir()) == ["3", "4", "5"]


@pytest.mark.parametrize("name", ["", "Act", "a/b", "-a", "a" * 60])
def test_a_name_that_no_platform_takes_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="cannot be named"):
        job("", name=name)
