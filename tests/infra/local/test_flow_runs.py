"""Which flow runs are settled after their process died, and how."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import psutil
import pytest

from infra.local import flow_runs

NOW = 1_800_000_000.0


class Api:
    """Answers the one query with given runs, and notes what it is told."""

    def __init__(self, runs: list[dict[str, Any]]) -> None:
        self.runs = runs
        self.told: dict[str, str] = {}

    def post(self, url: str, body: Any) -> Any:
        if url.endswith("/flow_runs/filter"):
            assert set(body["flow_runs"]["state"]["type"]["any_"]) == {"PENDING", "RUNNING", "CANCELLING"}
            return self.runs
        assert body["force"]
        self.told[url.split("/")[-2]] = body["state"]["type"]
        return {}


def run(name: str, kind: str, since: float) -> dict[str, Any]:
    stamp = datetime.fromtimestamp(since, UTC).isoformat()
    return {"id": name, "name": f"{name}-name", "state": {"type": kind, "timestamp": stamp}}


def test_lost_runs_are_settled_and_the_living_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [
        run("lost", "RUNNING", NOW - 60),
        run("unborn", "PENDING", NOW - 60),
        run("leaving", "CANCELLING", NOW - 60),
        run("alive", "RUNNING", NOW - 60),
        run("new", "PENDING", NOW + 1),
    ]
    api = Api(runs)
    monkeypatch.setattr(flow_runs.http, "post", api.post)
    settled = flow_runs.settle("http://api", alive={"alive"}, before=NOW)
    assert api.told == {"lost": "CRASHED", "unborn": "SCHEDULED", "leaving": "CANCELLED"}
    assert settled == {
        "crashed": ["lost-name"],
        "will start again": ["unborn-name"],
        "were cancelled": ["leaving-name"],
    }


def test_a_process_tells_its_flow_run() -> None:
    with (
        psutil.Popen(["sleep", "60"], env={flow_runs.RUN_MARK: "one"}) as marked,
        psutil.Popen(["sleep", "60"]) as other,
    ):
        assert flow_runs.with_a_process([psutil.Process(marked.pid), psutil.Process(other.pid)]) == {"one"}
        marked.kill()
        other.kill()
