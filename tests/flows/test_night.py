"""A whole night on a real stack: what a person sees, what a rerun does, how a failure reads, how a night is ended."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from flows.launch.process import MARK
from flows.plan import NIGHT, RIVAL
from tests.local_stack import LocalStack, ask, flow_run_id, wait_for

STEPS = [step.name for step in NIGHT if step.name != RIVAL]
SEED = "7"


def night(stack: LocalStack, smoke: Path, *words: str, seed: str = SEED) -> subprocess.CompletedProcess[str]:
    return stack.backsight("run", "nightly", "--preset", str(smoke), "--seed", seed, "--watch", *words)


@pytest.fixture(scope="module")
def first(stack: LocalStack, smoke: Path) -> subprocess.CompletedProcess[str]:
    """The first night; all tests here look at it or follow it."""
    done = night(stack, smoke)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def turns(output: str) -> dict[str, str]:
    """Step -> how it got its product, as the report tells."""
    return dict(re.findall(r"^  ([a-z-]+) +(ran|known)", output, re.MULTILINE))


def mlflow_runs(stack: LocalStack, parent: str | None = None) -> list[dict[str, Any]]:
    server = stack.settings()["MLFLOW_TRACKING_URI"]
    experiment = ask(f"{server}/api/2.0/mlflow/experiments/get-by-name?experiment_name=backsight")["experiment"]
    wanted = f"tags.`mlflow.parentRunId` = '{parent}'" if parent else "tags.`backsight.night` != ''"
    body = {"experiment_ids": [experiment["experiment_id"]], "filter": wanted}
    return ask(f"{server}/api/2.0/mlflow/runs/search", body).get("runs", [])


def night_run(stack: LocalStack, output: str) -> dict[str, Any]:
    """The MLflow run of the night whose report is given."""
    found = re.search(r"MLflow: +\S+/runs/(\w+)", output)
    assert found
    return next(run for run in mlflow_runs(stack) if run["info"]["run_id"] == found[1])


def tags(run: dict[str, Any]) -> dict[str, str]:
    return {tag["key"]: tag["value"] for tag in run["data"]["tags"]}


def children(stack: LocalStack, run: str) -> dict[str, str]:
    """Name of each child's flow run -> its state."""
    body = {"flow_runs": {"parent_flow_run_id": {"any_": [run]}}}
    return {child["name"].split()[0]: child["state_type"] for child in stack.prefect("flow_runs/filter", body)}


def state(stack: LocalStack, run: str) -> str:
    """How a flow run stands."""
    return str(stack.prefect("flow_runs/filter", {"flow_runs": {"id": {"any_": [run]}}})[0]["state_type"])


def test_a_night_ends_with_the_table_the_links_and_the_pictures(
    first: subprocess.CompletedProcess[str], stack: LocalStack
) -> None:
    assert turns(first.stdout) == dict.fromkeys(STEPS, "ran")
    assert "this model" in first.stdout and "mean map by slot" in first.stdout
    assert re.search(r"^verdict: \w+\. ", first.stdout, re.MULTILINE)
    assert re.search(r"a share of \d\.\d\d", first.stdout)
    shown = [Path(line.strip()) for line in first.stdout.splitlines() if line.endswith(".png")]
    assert shown and all(path.read_bytes().startswith(b"\x89PNG") for path in shown)
    assert all(stack.home in path.parents for path in shown)


def test_progress_is_told_in_plain_lines_where_there_is_no_terminal(first: subprocess.CompletedProcess[str]) -> None:
    assert re.search(r"^collect +\d+ % · ", first.stderr, re.MULTILINE)
    assert "\x1b" not in first.stderr


def test_mlflow_holds_the_night(first: subprocess.CompletedProcess[str], stack: LocalStack) -> None:
    parent = night_run(stack, first.stdout)
    assert tags(parent)["backsight.seed"] == SEED and parent["info"]["status"] == "FINISHED"
    runs = {run["info"]["run_name"]: run for run in mlflow_runs(stack, parent["info"]["run_id"])}
    assert set(runs) == set(STEPS)
    for name in STEPS[1:]:
        assert runs[name]["inputs"]["dataset_inputs"], f"{name} names no dataset"
    server = stack.settings()["MLFLOW_TRACKING_URI"]
    listed = ask(f"{server}/api/2.0/mlflow/artifacts/list?run_id={parent['info']['run_id']}")
    assert {"report.txt", "report.md"} <= {file["path"] for file in listed["files"]}


def test_prefect_shows_the_progress_and_the_report(first: subprocess.CompletedProcess[str], stack: LocalStack) -> None:
    run = flow_run_id(first.stdout)
    assert children(stack, run) == dict.fromkeys(STEPS, "COMPLETED")
    own = stack.prefect("artifacts/filter", {"artifacts": {"flow_run_id": {"any_": [run]}}})
    kinds = [artifact["type"] for artifact in own]
    assert kinds.count("table") == 1 and kinds.count("image") >= 1
    report = next(artifact["data"] for artifact in own if artifact["key"] == "night-report")
    assert "**this model**" in report and "![" in report
    bars = stack.prefect("artifacts/filter", {"artifacts": {"type": {"any_": ["progress"]}}})
    assert any(bar["key"].split("-")[0] == "collect" and bar["data"] == 100 for bar in bars)


def test_a_rerun_launches_nothing_and_says_so(
    first: subprocess.CompletedProcess[str], stack: LocalStack, smoke: Path, record_property: Callable[..., None]
) -> None:
    began = time.monotonic()
    again = night(stack, smoke)
    record_property("rerun_seconds", time.monotonic() - began)
    print(f"a night of hits took {time.monotonic() - began:.1f} s")
    assert again.returncode == 0, again.stdout + again.stderr
    assert turns(again.stdout) == dict.fromkeys(turns(again.stdout), "known")
    assert "Nothing was launched" in again.stdout
    assert children(stack, flow_run_id(again.stdout)) == {}


def test_a_failing_stage_gives_its_own_error_last(
    first: subprocess.CompletedProcess[str], stack: LocalStack, smoke: Path
) -> None:
    """`validate` is told to take every walk for blurred."""
    failed = night(stack, smoke, "--set", "validation.pictures.detail=1000")
    assert failed.returncode == 1
    assert failed.stderr.splitlines()[-1].startswith("error: validate failed: "), failed.stderr[-2000:]
    assert "Traceback" not in failed.stderr
    assert children(stack, flow_run_id(failed.stdout)) == {"validate": "FAILED"}


def job_processes(stack: LocalStack, stage: str) -> list[psutil.Process]:
    """The processes of a stage's task on this stack, less the shell that notes its end."""
    folder = str(stack.home / "jobs" / stage)
    everyone = psutil.process_iter(["environ", "name", "status"])
    ours = [p for p in everyone if (p.info["environ"] or {}).get(MARK, "").startswith(folder)]
    return [p for p in ours if p.info["name"] != "sh" and p.info["status"] != psutil.STATUS_ZOMBIE]


def test_only_the_stage_that_died_runs_again(
    first: subprocess.CompletedProcess[str], stack: LocalStack, smoke: Path
) -> None:
    """The evaluation's process is killed from outside; the same night, run again, repeats the evaluation alone."""
    words = ["--preset", str(smoke), "--seed", SEED, "--watch", "--set", "views=8"]
    command = [sys.executable, "-m", "flows.cli", "run", "nightly", *words]
    dying = subprocess.Popen(
        command, env=stack.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    for process in wait_for(lambda: job_processes(stack, "evaluate"), 60):
        process.kill()
    _, errors = dying.communicate(timeout=120)
    assert dying.returncode == 1
    assert "killed from outside (SIGKILL)" in errors.splitlines()[-1]
    again = night(stack, smoke, "--set", "views=8")
    assert again.returncode == 0, again.stderr
    ran = [step for step, turn in turns(again.stdout).items() if turn == "ran"]
    assert ran[0] == "evaluate" and set(ran) <= {"evaluate", RIVAL, "promote"}


def test_another_seed_is_no_hit_and_a_cancelled_night_leaves_nothing_running(
    first: subprocess.CompletedProcess[str], stack: LocalStack, smoke: Path
) -> None:
    submitted = stack.backsight("run", "nightly", "--preset", str(smoke), "--seed", "8")
    run = flow_run_id(submitted.stdout)
    wait_for(lambda: job_processes(stack, "collect"), 60)
    assert stack.backsight("cancel", run).returncode == 0
    wait_for(lambda: state(stack, run) == "CANCELLED", 60)
    wait_for(lambda: set(children(stack, run).values()) == {"CANCELLED"}, 60)
    wait_for(lambda: not job_processes(stack, "collect"), 60)


def test_a_wrong_call_submits_nothing(stack: LocalStack, smoke: Path) -> None:
    before = stack.prefect("flow_runs/count", {})
    for words in (["--preset", "tinny"], ["--preset", str(smoke), "--set", "training.joint.stebs=3"], ["--seed", "-1"]):
        refused = stack.backsight("run", "nightly", *words)
        assert refused.returncode == 2
        assert len(refused.stderr.splitlines()) == 1 and refused.stderr.startswith("error: ")
    assert stack.prefect("flow_runs/count", {}) == before
