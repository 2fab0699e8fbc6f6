"""What a stage records in MLflow, read back with MLflow's own client from a store on disk."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from tasks.errors import BacksightError
from tasks.spec import Outcome
from tasks.stage import StageContext, StageOutcome, execute, record_hit
from tasks.store import ArtefactStore, Manifest
from tasks.tracking import MlflowRun, NullRun, attach, open_run
from tests.tasks.test_stage import CountSpec, count

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mlflow")


@pytest.fixture
def client(database: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MlflowClient]:
    from mlflow import MlflowClient

    uri = f"sqlite:///{database}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.chdir(database)  # MLflow keeps the artifacts of a plain database in ./mlruns.
    yield MlflowClient(tracking_uri=uri)


def last_run(client: MlflowClient) -> Run:
    experiment = client.get_experiment_by_name("backsight")
    assert experiment
    return client.search_runs([experiment.experiment_id], order_by=["attributes.start_time DESC"], max_results=1)[0]


def test_a_stage_is_recorded(client: MlflowClient, store: ArtefactStore, monkeypatch: pytest.MonkeyPatch) -> None:
    night = open_run("night")
    assert night.id
    monkeypatch.setenv("BACKSIGHT_MLFLOW_PARENT_RUN", night.id)
    source = store.publish(Manifest(kind="dataset"))

    def work(spec: CountSpec, context: StageContext) -> StageOutcome:
        picture = context.scratch / "walk.png"
        picture.write_bytes(b"png")
        for step in range(250):
            context.run.metrics({"loss": 1 / (step + 1)}, step=step)
        return StageOutcome({}, {"count": 3.0}, (picture,))

    result = execute(CountSpec(source=source), work)
    night.end()
    assert result.run_id
    run = client.get_run(result.run_id)
    assert run.info.status == "FINISHED" and run.info.run_name == "count"
    assert run.data.tags["mlflow.parentRunId"] == night.id and run.data.tags["backsight.key"] == result.key
    assert run.data.params["upto"] == "3" and "workers" not in run.data.params
    assert run.data.metrics["count"] == 3.0 and run.data.metrics["seconds"] == result.seconds
    assert [m.step for m in client.get_metric_history(result.run_id, "loss")] == list(range(250))
    assert [f.path for f in client.list_artifacts(result.run_id, "pictures")] == ["pictures/walk.png"]
    (noted,) = run.inputs.dataset_inputs
    assert noted.dataset.source == source and noted.tags[0].value == "source"
    assert client.get_run(night.id).info.status == "FINISHED"


def test_a_failure_is_recorded_as_one(client: MlflowClient, store: ArtefactStore) -> None:
    def fail(spec: CountSpec, context: StageContext) -> StageOutcome:
        raise BacksightError("The renderer is gone.")

    with pytest.raises(BacksightError):
        execute(CountSpec(upto=9), fail)
    run = last_run(client)
    assert run.info.status == "FAILED" and run.data.tags["backsight.error"] == "The renderer is gone."


def test_a_hit_is_recorded_only_when_asked(client: MlflowClient, store: ArtefactStore) -> None:
    first = execute(CountSpec(upto=5), count)
    hit = execute(CountSpec(upto=5), count)
    assert hit.outcome is Outcome.CACHED and hit.run_id == first.run_id == last_run(client).info.run_id
    record_hit(CountSpec(upto=5), hit)
    noted = last_run(client)
    assert noted.info.run_id != first.run_id and noted.data.tags["backsight.cached"] == first.run_id
    assert noted.data.metrics["count"] == 5.0


def test_another_process_may_go_on_with_a_run(client: MlflowClient) -> None:
    opened = open_run("night", tags={"night": "1"})
    assert opened.id
    again = attach(opened.id)
    again.params({"a": {"b": 1, "c": {}}, "long": "x" * 900})
    again.end("KILLED")
    run = client.get_run(opened.id)
    assert run.info.status == "KILLED" and run.data.params["a.b"] == "1" and len(run.data.params["long"]) == 500


def test_a_model_is_kept_and_loads(client: MlflowClient, tmp_path: Path) -> None:
    import mlflow

    class Double(mlflow.pyfunc.PythonModel):
        def predict(self, model_input: list[str]) -> list[str]:
            return [word * 2 for word in model_input]

    mlflow.pyfunc.save_model(str(tmp_path / "model"), python_model=Double(), pip_requirements=[])
    run = open_run("train")
    uri = run.model("network", tmp_path / "model", {"kld": 0.25})
    run.end()
    assert uri and uri.startswith("models:/")
    assert mlflow.pyfunc.load_model(uri).predict(["ab"]) == ["abab"]
    (model,) = client.search_logged_models([last_run(client).info.experiment_id])
    assert model.source_run_id == run.id and model.metrics and model.metrics[0].value == 0.25


def test_without_a_server_it_is_said(store: ArtefactStore, capsys: pytest.CaptureFixture[str]) -> None:
    result = execute(CountSpec(), count)
    assert result.run_id is None and isinstance(attach("x"), NullRun)
    assert "not tracked: MLFLOW_TRACKING_URI is not set" in capsys.readouterr().err


def test_a_server_that_is_down_fails_before_the_work(store: ArtefactStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    with pytest.raises(
        BacksightError, match=r"MLflow at http://127\.0\.0\.1:9 does not answer: see `backsight status`"
    ):
        execute(CountSpec(), lambda spec, context: pytest.fail("the work was done"))


class DeafClient:
    """A client of a server that died after the run was opened; each call stands for minutes of retries."""

    tracking_uri = "http://127.0.0.1:1"

    def __init__(self) -> None:
        self.calls = 0

    def get_run(self, _: str) -> SimpleNamespace:
        return SimpleNamespace(info=SimpleNamespace(experiment_id="1"))

    def refuse(self, *_: object, **__: object) -> None:
        from mlflow.exceptions import MlflowException

        self.calls += 1
        raise MlflowException("Max retries exceeded")

    set_tag = log_batch = set_terminated = refuse


def test_a_server_that_dies_on_the_way_is_waited_for_once() -> None:
    client = DeafClient()
    run = MlflowRun(client, "r")  # type: ignore[arg-type]
    for record in (lambda: run.tags({"a": "b"}), lambda: run.params({"c": 1}), lambda: run.end("FAILED")):
        with pytest.raises(BacksightError, match=r"MLflow at .* does not answer"):
            record()
    assert client.calls == 1


def test_a_failure_that_cannot_be_recorded_does_not_hide_the_works_own(capsys: pytest.CaptureFixture[str]) -> None:
    client = DeafClient()
    MlflowRun(client, "r").fail(error="The renderer is gone.")  # type: ignore[arg-type]
    assert client.calls == 0
    assert capsys.readouterr().err.startswith("not recorded in MLflow: MLflow at http://127.0.0.1:1 does not answer")


def test_mlflow_is_not_imported_before_it_is_needed(store: ArtefactStore) -> None:
    code = """
import sys
from tests.tasks.test_stage import CountSpec, count
from tasks.stage import execute
execute(CountSpec(), count)
assert execute(CountSpec(), count).outcome == "cached"
assert not {"mlflow", "torch", "pandas", "great_expectations", "rich"} & set(sys.modules)
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
