"""What every launcher does, on every platform that can be had here: see `flows.launch.contract`."""

from __future__ import annotations

import threading

from flows.launch import Cause, Handle, Job, JobState, Launcher, LogLine, Progress, Report
from tests.flows.launch.benches import Bench, ran

SLEEPS = "import time; print('ready', flush=True); time.sleep(30)"


def first_line(launcher: Launcher, handle: Handle) -> Report:
    return next(report for report in launcher.follow(handle) if isinstance(report, LogLine))


def test_success_carries_the_result_the_lines_and_the_progress(bench: Bench) -> None:
    script = "print('hello'); progress(1, 4); progress(4, 4); answer(outputs={'dataset': 'dataset/' + 'a' * 64})"
    reports, ending = ran(bench.launcher(), bench.job(script))
    assert reports == [
        LogLine("hello"),
        Progress("walks", 1, 4, "walk", 1.5, {"scene": "s1"}),
        Progress("walks", 4, 4, "walk", 1.5, {"scene": "s1"}),
    ]
    assert ending.state is JobState.SUCCEEDED and ending.cause is None and ending.exit_code == 0
    assert ending.result is not None and ending.result.outputs == {"dataset": "dataset/" + "a" * 64}


def test_reports_arrive_while_the_task_runs(bench: Bench) -> None:
    launcher = bench.launcher()
    handle = launcher.start(bench.job(SLEEPS))
    assert first_line(launcher, handle) == LogLine("ready")
    assert launcher.ending(handle) is None
    launcher.cancel(handle)


def test_force_reaches_the_task(bench: Bench) -> None:
    reports, _ = ran(bench.launcher(), bench.job("print(arguments.force); answer()", force=True))
    assert reports == [LogLine("True")]


def test_a_variable_reaches_the_task(bench: Bench) -> None:
    asked = bench.job("import os; print(os.environ['BACKSIGHT_MLFLOW_PARENT_RUN']); answer()")
    asked = Job(
        asked.name,
        asked.spec,
        environment={**asked.environment, "BACKSIGHT_MLFLOW_PARENT_RUN": "run-7"},
        resources=asked.resources,
    )
    reports, _ = ran(bench.launcher(), asked)
    assert reports == [LogLine("run-7")]


def test_the_tasks_own_error_is_the_diagnosis(bench: Bench) -> None:
    # Two streams, which a platform may well show in another order than they were written in at the same moment.
    script = (
        "import time; print('error: first', flush=True); time.sleep(0.1); "
        "sys.stderr.write('error: Shard 3 is truncated.\\ntrailing noise\\n'); sys.exit(1)"
    )
    _, ending = ran(bench.launcher(), bench.job(script))
    assert (ending.state, ending.cause, ending.exit_code) == (JobState.FAILED, Cause.TASK, 1)
    assert ending.diagnosis == "Shard 3 is truncated."


def test_a_failed_result_gives_the_diagnosis_too(bench: Bench) -> None:
    _, ending = ran(bench.launcher(), bench.job("answer('failed', error='No GPU is there.'); sys.exit(2)"))
    assert (ending.cause, ending.diagnosis) == (Cause.TASK, "No GPU is there.")


def test_an_exit_without_a_sentence_shows_the_last_line(bench: Bench) -> None:
    _, ending = ran(bench.launcher(), bench.job("print('about to leave'); sys.exit(7)"))
    assert ending.cause is Cause.EXIT
    assert ending.diagnosis is not None and "code 7" in ending.diagnosis and "about to leave" in ending.diagnosis


def test_success_without_a_result_is_a_failure(bench: Bench) -> None:
    _, ending = ran(bench.launcher(), bench.job("print('done')"))
    assert (ending.state, ending.cause) == (JobState.FAILED, Cause.NO_RESULT)


def test_a_sigkill_from_outside_is_named(bench: Bench) -> None:
    launcher = bench.launcher()
    handle = launcher.start(bench.job(SLEEPS))
    assert first_line(launcher, handle) == LogLine("ready")
    bench.kill(handle)
    assert LogLine("ready") in list(launcher.follow(handle))
    ending = launcher.ending(handle)
    assert ending is not None and (ending.state, ending.cause) == (JobState.FAILED, Cause.KILLED)
    assert ending.diagnosis is not None and "SIGKILL" in ending.diagnosis


def test_running_out_of_memory_is_named(bench: Bench) -> None:
    _, ending = ran(bench.launcher(), bench.job(bench.hog))
    assert (ending.state, ending.cause) == (JobState.FAILED, Cause.OUT_OF_MEMORY)
    assert ending.diagnosis is not None and "out of memory" in ending.diagnosis


def test_cancel_leaves_nothing_and_is_remembered(bench: Bench) -> None:
    child = "[sys.executable, '-c', 'import time, signal; signal.signal(15, 1); time.sleep(60)']"
    launcher = bench.launcher()
    handle = launcher.start(bench.job(f"import subprocess; subprocess.Popen({child}); {SLEEPS}"))
    assert first_line(launcher, handle) == LogLine("ready")
    assert bench.left()
    launcher.cancel(handle)
    assert bench.left() == []
    ending = bench.launcher().ending(handle)
    assert ending is not None and (ending.state, ending.cause) == (JobState.CANCELLED, Cause.CANCELLED)
    launcher.cancel(handle)
    assert launcher.ending(handle) == ending


def test_a_second_start_finds_the_running_job(bench: Bench) -> None:
    asked, launcher, other = bench.job(SLEEPS), bench.launcher(), bench.launcher()
    first = launcher.start(asked)
    assert other.start(asked) == first == other.attach("act-1")
    assert first_line(other, first) == LogLine("ready")
    other.cancel(first)
    assert launcher.ending(first) is not None


def test_starts_at_once_give_one_job(bench: Bench) -> None:
    asked = bench.job(SLEEPS)
    handles: list[Handle] = []
    threads = [threading.Thread(target=lambda: handles.append(bench.launcher().start(asked))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert handles == [Handle("act-1", 1)] * 4
    bench.launcher().cancel(handles[0])


def test_a_start_after_the_end_is_a_new_attempt(bench: Bench) -> None:
    launcher = bench.launcher()
    ran(launcher, bench.job("sys.exit(1)"))
    reports, ending = ran(launcher, bench.job("print('again'); answer()"))
    assert launcher.attach("act-1") == Handle("act-1", 2)
    assert reports == [LogLine("again")] and ending.state is JobState.SUCCEEDED
    assert launcher.attach("act-2") is None


def test_another_process_follows_to_the_end_what_it_did_not_start(bench: Bench) -> None:
    bench.launcher().start(bench.job("import time; print('one', flush=True); time.sleep(.3); print('two'); answer()"))
    successor = bench.launcher()
    handle = successor.attach("act-1")
    assert handle is not None
    assert list(successor.follow(handle)) == [LogLine("one"), LogLine("two")]
    ending = bench.launcher().ending(handle)
    assert ending is not None and ending.state is JobState.SUCCEEDED


def test_the_deadline_ends_a_job(bench: Bench) -> None:
    _, ending = ran(bench.launcher(), bench.job("import time; time.sleep(60)", deadline=1.0))
    assert (ending.state, ending.cause) == (JobState.FAILED, Cause.DEADLINE)
    assert ending.diagnosis is not None and "its deadline of 1 s" in ending.diagnosis
    assert bench.left() == []


def test_old_attempts_are_forgotten(bench: Bench) -> None:
    launcher = bench.launcher()
    for _ in range(4):
        ran(launcher, bench.job("answer()"))
    gone = launcher.ending(Handle("act-1", 2))
    assert gone is not None and gone.state is JobState.SUCCEEDED
    assert launcher.attach("act-1") == Handle("act-1", 4)
