"""The supervisor on small services: starts, waits, heals, and says what went wrong."""

from __future__ import annotations

import dataclasses
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from infra.local import processes, supervisor
from infra.local.layout import Layout
from infra.local.ports import next_free
from infra.local.state import State
from infra.local.supervisor import PortTaken, Supervisor
from tasks.errors import BacksightError
from tests.infra.local.small_services import dying, idle, serving


@pytest.fixture
def layout(tmp_path: Path) -> Iterator[Layout]:
    layout = Layout(tmp_path / "home")
    layout.create()
    yield layout
    processes.stop(processes.members(layout.home), patience=2.0)


@pytest.fixture
def watch(layout: Layout) -> Supervisor:
    return Supervisor(layout, State(layout.state), lambda _: None, patience=20.0)


@pytest.fixture
def port() -> int:
    return next_free(18000)


def test_what_is_needed_answers_first(layout: Layout, watch: Supervisor, port: int) -> None:
    below = serving(layout.home, "below", port, delay=0.5)
    above = serving(layout.home, "above", next_free(port + 1), needs=("below",))
    watch.ensure_all([below, above])
    pids = [watch.state.get(name) for name in ("below", "above")]
    assert pids[0] and pids[1]
    assert pids[1].created - pids[0].created >= 0.5


def test_what_answers_is_left_alone(layout: Layout, watch: Supervisor, port: int) -> None:
    service = serving(layout.home, "web", port)
    watch.ensure_all([service])
    first = watch.state.get("web")
    watch.ensure_all([service])
    assert watch.state.get("web") == first
    assert watch.started == ["web"]


def test_other_settings_restart_it(layout: Layout, watch: Supervisor, port: int) -> None:
    service = serving(layout.home, "web", port)
    watch.ensure_all([service])
    watch.ensure_all([dataclasses.replace(service, environment={"COLOUR": "blue"})])
    record = watch.state.get("web")
    assert record
    assert watch.started == ["web", "web"]
    assert psutil.Process(record.pid).environ()["COLOUR"] == "blue"
    assert len(processes.members(layout.home)) == 1


def test_what_hangs_is_started_anew(
    layout: Layout, watch: Supervisor, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "SECOND_CHANCE", 0.5)
    monkeypatch.setattr("infra.local.http.TIMEOUT", 0.3)
    service = serving(layout.home, "web", port)
    watch.ensure_all([service])
    hung = watch.state.get("web")
    assert hung
    psutil.Process(hung.pid).suspend()
    watch.patience = 3.0
    watch.ensure_all([service])
    assert not processes.is_alive(hung.pid, hung.created)
    assert watch.started == ["web", "web"]


def test_what_an_interrupted_up_left_starting_is_waited_for(
    layout: Layout, watch: Supervisor, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "SECOND_CHANCE", 0.1)
    service = serving(layout.home, "web", port, delay=1.5)
    watch.patience = 0.3
    with pytest.raises(BacksightError, match="did not answer"):
        watch.ensure_all([service])
    watch.patience = 20.0
    watch.ensure_all([service])
    assert watch.started == ["web"]


def test_one_that_ends_is_named_with_its_last_words(layout: Layout, watch: Supervisor, port: int) -> None:
    begun = time.monotonic()
    slow = serving(layout.home, "slow", next_free(port + 1), delay=600)
    with pytest.raises(BacksightError) as failure:
        watch.ensure_all([slow, dying(layout.home, "pump", port)])
    assert "pump ended with code 3" in str(failure.value)
    assert f"{layout.log('pump')} ends: first words | the cellar is flooded" in str(failure.value)
    assert time.monotonic() - begun < watch.patience


def test_one_that_never_answers_is_named_with_its_log(layout: Layout, watch: Supervisor, port: int) -> None:
    watch.patience = 1.0
    with pytest.raises(BacksightError, match=r"sloth did not answer at http://\S+ within 1 s") as failure:
        watch.ensure_all([idle(layout.home, "sloth", port)])
    assert f"{layout.log('sloth')} ends: nothing to serve" in str(failure.value)


def test_what_needs_a_failed_one_is_not_started(layout: Layout, watch: Supervisor, port: int) -> None:
    needy = serving(layout.home, "needy", next_free(port + 1), needs=("pump",))
    with pytest.raises(BacksightError, match="pump ended with code 3"):
        watch.ensure_all([dying(layout.home, "pump", port), needy])
    assert watch.state.get("needy") is None


def test_a_port_lost_to_a_stranger_is_told_apart(
    layout: Layout, watch: Supervisor, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infra.local.http.TIMEOUT", 0.3)
    with socket.create_server(("127.0.0.1", port)), pytest.raises(PortTaken, match="web"):
        watch.ensure_all([serving(layout.home, "web", port)])


def test_a_stranger_s_answer_is_not_taken_for_the_service_s(layout: Layout, watch: Supervisor, port: int) -> None:
    """The stranger was quicker to bind the port, so waiting for the service has no use."""
    watch.ensure_all([serving(layout.home, "stranger", port)])
    with pytest.raises(PortTaken, match="web"):
        watch.ensure_all([idle(layout.home, "web", port)])
    assert processes.members(layout.home, "web") == []


def test_a_reused_pid_is_never_killed(layout: Layout, watch: Supervisor, port: int) -> None:
    service = serving(layout.home, "web", port)
    watch.ensure_all([service])
    record = watch.state.get("web")
    assert record
    processes.stop(processes.members(layout.home))
    with psutil.Popen(["sleep", "600"]) as stranger:
        watch.state.put("web", dataclasses.replace(record, pid=stranger.pid, created=record.created - 60))
        watch.ensure_all([service])
        assert stranger.is_running()
        stranger.kill()
    assert watch.started == ["web", "web"]


def test_the_record_survives_the_command(layout: Layout, watch: Supervisor, port: int) -> None:
    watch.ensure_all([serving(layout.home, "web", port)])
    assert State(layout.state).get("web") == watch.state.get("web")
    assert set(json.loads(layout.state.read_text())["services"]["web"]) == {"pid", "created", "port", "fingerprint"}
