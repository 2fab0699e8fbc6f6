"""The real stack: brought up, looked at, broken part by part, healed, and taken down."""

from __future__ import annotations

import http.client
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import filelock
import psutil
import pytest

from flows.launch.settings import LaunchSettings
from flows.pools import pool_of
from infra.local import http as loopback_http
from infra.local.flow_runs import RUN_MARK
from infra.local.planning import SERVICES
from infra.local.ports import becomes_free
from infra.local.processes import outlasting
from tasks.settings import StoreSettings
from tasks.store.bucket import Bucket
from tests.local_stack import LocalStack

LOOPBACK = {"127.0.0.1", "::1"}


@pytest.fixture
def kept(stack: LocalStack) -> Callable[[], None]:
    """Something written into each of Prefect, MLflow and the S3 server; calling it asserts that all is still there."""
    mark = f"mark{time.time_ns()}"
    api, mlflow = (stack.settings()[name] for name in ("PREFECT_API_URL", "MLFLOW_TRACKING_URI"))
    loopback_http.post(f"{api}/variables/", {"name": mark, "value": 1})
    loopback_http.post(f"{mlflow}/api/2.0/mlflow/experiments/create", {"name": mark})
    bucket_of(stack).put(mark, b"kept")

    def check() -> None:
        api, mlflow = (stack.settings()[name] for name in ("PREFECT_API_URL", "MLFLOW_TRACKING_URI"))
        assert loopback_http.get(f"{api}/variables/name/{mark}")["value"] == 1
        assert loopback_http.get(f"{mlflow}/api/2.0/mlflow/experiments/get-by-name?experiment_name={mark}")
        held = bucket_of(stack).get(mark)
        assert held is not None
        assert held.data == b"kept"

    return check


def bucket_of(stack: LocalStack) -> Bucket:
    names = ("endpoint", "access_key", "secret_key", "bucket")
    return Bucket(StoreSettings.model_validate({n: stack.settings()[f"BACKSIGHT_S3_{n.upper()}"] for n in names}))


@pytest.fixture
def occupied() -> Iterator[Callable[[int], None]]:
    """Call it to let a stranger listen on a port of loopback until the test ends."""
    held: list[socket.socket] = []

    def occupy(port: int) -> None:
        held.append(socket.create_server(("127.0.0.1", port)))

    yield occupy
    for listener in held:
        listener.close()


def snapshot(stack: LocalStack) -> dict[str, tuple[bytes, int]]:
    files = [stack.home / name for name in ("state.json", "stack.env", "conformance.json")]
    return {file.name: (file.read_bytes(), file.stat().st_mtime_ns) for file in files}


def test_a_second_up_changes_nothing(stack: LocalStack) -> None:
    before = snapshot(stack)
    stack.up()
    assert snapshot(stack) == before


def test_status_names_every_service_and_what_s3_can(stack: LocalStack) -> None:
    shown = stack.backsight("status")
    assert shown.returncode == 0
    for service, pid in stack.pids().items():
        assert any(
            line.split()[:2] == [service, "answers"] and f"pid {pid}" in line for line in shown.stdout.splitlines()
        )
    assert "conditional put no, list after write yes, multipart yes, versioning no" in shown.stdout


def test_everything_listens_on_and_speaks_to_loopback_alone(stack: LocalStack) -> None:
    connections = [c for process in stack.processes() for c in process.net_connections(kind="inet")]
    listening = [c for c in connections if c.status == psutil.CONN_LISTEN]
    assert len(listening) >= 3
    assert {c.laddr.ip for c in listening} <= LOOPBACK
    assert {c.raddr.ip for c in connections if c.raddr} <= LOOPBACK


def test_what_is_secret_stays_with_its_owner(stack: LocalStack) -> None:
    secret = stack.settings()["BACKSIGHT_S3_SECRET_KEY"]
    assert len(secret) >= 40
    assert stat.S_IMODE((stack.home / "stack.env").stat().st_mode) == 0o600
    assert stat.S_IMODE(stack.home.stat().st_mode) == 0o700
    assert not any(secret in word for process in stack.processes() for word in process.cmdline())
    logs = [log.read_text(errors="replace") for log in (stack.home / "logs").iterdir()]
    assert len(logs) == len(SERVICES)
    assert not any(secret in text for text in (*logs, (stack.home / "state.json").read_text()))


def test_no_service_sees_the_shell_s_settings_or_speaks_of_its_use(stack: LocalStack) -> None:
    for process in stack.processes():
        environment = process.environ()
        assert environment["DO_NOT_TRACK"] == "true"
        assert environment["GX_ANALYTICS_ENABLED"] == "false"
    server = psutil.Process(stack.pids()["prefect"]).environ()
    assert server["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false"


def test_mlflow_refuses_a_foreign_host_name(stack: LocalStack) -> None:
    address = urlsplit(stack.settings()["MLFLOW_TRACKING_URI"])
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=10)
    connection.request("GET", "/api/2.0/mlflow/experiments/search?max_results=1", headers={"Host": "attacker.example"})
    assert connection.getresponse().status == 403


def test_two_commands_at_once_take_turns(stack: LocalStack) -> None:
    command = [sys.executable, "-m", "flows.cli", "up"]
    with filelock.FileLock(stack.home / "stack.lock"):
        second = subprocess.Popen(command, env=stack.environment(), stdout=subprocess.PIPE, text=True)
        assert second.stdout is not None
        assert "waiting for it" in second.stdout.readline()
        assert second.poll() is None
    said, _ = second.communicate(timeout=30)
    assert second.returncode == 0
    assert "answers" in said


@pytest.mark.parametrize("service", ["s3", "postgres", "prefect"])
def test_a_killed_part_is_healed_and_the_rest_left_alone(stack: LocalStack, service: str) -> None:
    before = stack.pids()
    psutil.Process(before[service]).kill()
    broken = stack.backsight("status")
    assert broken.returncode == 1
    assert any(line.split()[:2] == [service, "stopped"] for line in broken.stdout.splitlines())

    stack.up()
    after = stack.pids()
    assert stack.backsight("status").returncode == 0
    assert {name for name in SERVICES if before[name] != after[name]} == {service}


def test_a_flow_run_outlives_its_worker_and_is_settled_once_lost(stack: LocalStack) -> None:
    run = start_flow_run(stack, seconds=300)
    assert wait_for_state(stack, run, "RUNNING")
    psutil.Process(stack.pids()["worker"]).kill()
    stack.up()
    (flow_run,) = (process for process in stack.processes("worker") if process.environ().get(RUN_MARK) == run)
    assert state_of(stack, run) == "RUNNING"

    psutil.Process(stack.pids()["worker"]).kill()
    flow_run.kill()
    assert not outlasting([flow_run], seconds=5)
    assert "1 flow runs without a process crashed" in stack.up()
    assert state_of(stack, run) == "CRASHED"


def start_flow_run(stack: LocalStack, seconds: float) -> str:
    api = stack.settings()["PREFECT_API_URL"]
    flow = loopback_http.post(f"{api}/flows/", {"name": "sleeping"})
    source = {"path": str(Path(__file__).parent), "entrypoint": "sleeping_flow.py:sleeping", "work_pool_name": "local"}
    # As all flow runs here: one that spoke through a pipe to its worker would die with that at its next word.
    own = {"job_variables": dict(pool_of(LaunchSettings(), stack.home).job_variables)}
    deployment = loopback_http.post(f"{api}/deployments/", {"name": "asleep", "flow_id": flow["id"], **source, **own})
    order = {"parameters": {"seconds": seconds}}
    return str(loopback_http.post(f"{api}/deployments/{deployment['id']}/create_flow_run", order)["id"])


def state_of(stack: LocalStack, run: str) -> str:
    api = stack.settings()["PREFECT_API_URL"]
    return str(loopback_http.get(f"{api}/flow_runs/{run}")["state"]["type"])


def wait_for_state(stack: LocalStack, run: str, wanted: str, seconds: float = 60) -> bool:
    deadline = time.monotonic() + seconds
    while state_of(stack, run) != wanted and time.monotonic() < deadline:
        time.sleep(0.2)
    return state_of(stack, run) == wanted


def test_all_killed_and_a_port_taken_heals_with_nothing_lost(
    stack: LocalStack, kept: Callable[[], None], occupied: Callable[[int], None]
) -> None:
    port = urlsplit(stack.settings()["MLFLOW_TRACKING_URI"]).port
    assert port is not None
    everything = stack.processes()
    for process in everything:
        process.kill()
    assert not outlasting(everything, seconds=10)
    assert becomes_free(port, seconds=10)
    occupied(port)

    said = stack.up()
    moved = urlsplit(stack.settings()["MLFLOW_TRACKING_URI"]).port
    assert f"mlflow: port {port} is taken, using " in said
    assert f"using {moved}\n" in said
    assert moved != port
    kept()


def test_down_leaves_no_process_and_loses_nothing(stack: LocalStack, kept: Callable[[], None]) -> None:
    settings, worker = stack.settings(), psutil.Process(stack.pids()["worker"])
    flow_run = subprocess.Popen(["sleep", "600"], env=worker.environ(), start_new_session=True)
    everything = stack.processes()
    assert flow_run.pid in {process.pid for process in everything}

    stack.down()
    assert flow_run.wait(timeout=5) == -signal.SIGTERM
    assert not outlasting(everything, seconds=0)
    assert stack.backsight("status").returncode == 1
    assert stack.down() == "nothing ran\n"

    stack.up()
    assert stack.settings() == settings
    kept()


def test_a_home_that_cannot_be_written_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    refused = LocalStack(tmp_path / "file" / "home").backsight("up")
    assert refused.returncode == 2
    assert refused.stderr.startswith(f"error: The stack's home {tmp_path}/file/home cannot be written")
    assert len(refused.stderr.splitlines()) == 1
