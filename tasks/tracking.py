"""What a stage records in MLflow: one run each, a child of the night's run where there is one."""

from __future__ import annotations

import contextlib
import os
import sys
import time
import urllib.error
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tasks.errors import BacksightError
from tasks.settings import PlatformSettings
from tasks.spec import ManifestId

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric

EXPERIMENT = "backsight"
PARENT_VARIABLE = "BACKSIGHT_MLFLOW_PARENT_RUN"
FLUSH_SECONDS = 2.0
MOST_IN_A_BATCH = 100
LONGEST_PARAM = 500
HEALTH_SECONDS = 5

Ending = Literal["FINISHED", "FAILED", "KILLED"]


class TrackedRun(ABC):
    """A record of one stage or one night."""

    id: str | None = None
    """MLflow's run id; `None` where nothing is recorded."""
    url: str | None = None
    """Its page; `None` where there is no page."""

    @abstractmethod
    def params(self, values: Mapping[str, Any]) -> None:
        """Settings; nested mappings become dotted names."""

    @abstractmethod
    def metrics(self, values: Mapping[str, float], step: int = 0) -> None:
        """Numbers at a step; sent in bundles."""

    @abstractmethod
    def tags(self, values: Mapping[str, str]) -> None:
        """Labels to search by."""

    @abstractmethod
    def file(self, path: Path, folder: str | None = None) -> None:
        """Keep a file, or a folder's content, as an artifact under `folder`."""

    @abstractmethod
    def dataset(self, id: ManifestId, context: str) -> None:
        """Note an artefact of the store as an input of the run; `context` says what it was used for."""

    @abstractmethod
    def model(self, name: str, folder: Path, metrics: Mapping[str, float] | None = None) -> str | None:
        """Keep a model that a flavour's `save_model` wrote to `folder`; gives its `models:/...` address."""

    @abstractmethod
    def end(self, how: Ending = "FINISHED", error: str = "") -> None:
        """Send what is left and close the run; `error` = why it failed."""

    def fail(self, how: Ending = "FAILED", error: str = "") -> None:
        """Close the run of work that has failed; its own error is on its way, and no second one takes its place."""
        try:
            self.end(how, error)
        except BacksightError as unheard:
            print(f"not recorded in MLflow: {unheard}", file=sys.stderr)


class NullRun(TrackedRun):
    """Records nothing, because no server was named."""

    def params(self, values: Mapping[str, Any]) -> None:
        """Nothing is recorded."""

    def metrics(self, values: Mapping[str, float], step: int = 0) -> None:
        """Nothing is recorded."""

    def tags(self, values: Mapping[str, str]) -> None:
        """Nothing is recorded."""

    def file(self, path: Path, folder: str | None = None) -> None:
        """Nothing is recorded."""

    def dataset(self, id: ManifestId, context: str) -> None:
        """Nothing is recorded."""

    def model(self, name: str, folder: Path, metrics: Mapping[str, float] | None = None) -> str | None:
        """Nothing is recorded."""
        return None

    def end(self, how: Ending = "FINISHED", error: str = "") -> None:
        """Nothing is recorded."""


class MlflowRun(TrackedRun):
    """A run on an MLflow server. All methods raise `BacksightError` where the server fails."""

    def __init__(self, client: MlflowClient, run_id: str) -> None:
        self.id: str = run_id
        self.client = client
        self._waiting: list[Metric] = []
        self._flushed = time.monotonic()
        self._refused = False
        experiment = client.get_run(run_id).info.experiment_id
        if client.tracking_uri.startswith("http"):
            self.url = f"{client.tracking_uri.rstrip('/')}/#/experiments/{experiment}/runs/{run_id}"

    def params(self, values: Mapping[str, Any]) -> None:
        """Settings; nested mappings become dotted names."""
        from mlflow.entities import Param

        flat = [Param(name, str(value)[:LONGEST_PARAM]) for name, value in flattened(values)]
        with self._told():
            for start in range(0, len(flat), MOST_IN_A_BATCH):
                self.client.log_batch(self.id, params=flat[start : start + MOST_IN_A_BATCH])

    def metrics(self, values: Mapping[str, float], step: int = 0) -> None:
        """Numbers at a step; sent in bundles."""
        from mlflow.entities import Metric

        now = round(time.time() * 1000)
        self._waiting += [Metric(name, float(value), now, step) for name, value in values.items()]
        if time.monotonic() - self._flushed > FLUSH_SECONDS:
            self._flush()

    def tags(self, values: Mapping[str, str]) -> None:
        """Labels to search by."""
        with self._told():
            for name, value in values.items():
                self.client.set_tag(self.id, name, value)

    def file(self, path: Path, folder: str | None = None) -> None:
        """Keep a file, or a folder's content, as an artifact under `folder`."""
        with self._told():
            if path.is_dir():
                self.client.log_artifacts(self.id, str(path), folder)
            else:
                self.client.log_artifact(self.id, str(path), folder)

    def dataset(self, id: ManifestId, context: str) -> None:
        """Note an artefact of the store as an input of the run; `context` says what it was used for."""
        from mlflow.entities import Dataset, DatasetInput, InputTag

        kind, _, digest = id.partition("/")
        # MLflow keeps 36 characters of a digest; the whole name stands in the source.
        dataset = Dataset(name=kind, digest=digest[:36], source_type="backsight", source=id)
        with self._told():
            self.client.log_inputs(self.id, [DatasetInput(dataset, [InputTag("mlflow.data.context", context)])])

    def model(self, name: str, folder: Path, metrics: Mapping[str, float] | None = None) -> str:
        """Keep a model that a flavour's `save_model` wrote to `folder`; gives its `models:/...` address."""
        from mlflow.entities import LoggedModelOutput

        with self._told():
            experiment = self.client.get_run(self.id).info.experiment_id
            model = self.client.create_logged_model(experiment, name, source_run_id=self.id)
            self.client.log_model_artifacts(model.model_id, str(folder))
            self.client.finalize_logged_model(model.model_id, "READY")
            self.client.log_outputs(self.id, [LoggedModelOutput(model.model_id, step=0)])
            for metric, value in (metrics or {}).items():
                self.client.log_metric(self.id, metric, value, model_id=model.model_id)
        return str(model.model_uri)

    def end(self, how: Ending = "FINISHED", error: str = "") -> None:
        """Send what is left and close the run; `error` = why it failed."""
        if how != "FINISHED":
            require_answer(self.client.tracking_uri)  # its silence may be why
        if error:
            self.tags({"backsight.error": error[:LONGEST_PARAM]})
        self._flush()
        with self._told():
            self.client.set_terminated(self.id, how)

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """Failures as one sentence. MLflow's client retries each call for two minutes: after one such, none begins."""
        if self._refused:
            require_answer(self.client.tracking_uri)
        try:
            with told():
                yield
        except BacksightError:
            self._refused = True
            require_answer(self.client.tracking_uri)
            raise

    def _flush(self) -> None:
        waiting, self._waiting, self._flushed = self._waiting, [], time.monotonic()
        with self._told():
            for start in range(0, len(waiting), MOST_IN_A_BATCH):
                self.client.log_batch(self.id, metrics=waiting[start : start + MOST_IN_A_BATCH])


def open_run(name: str, parent: str | None = None, tags: Mapping[str, str] | None = None) -> TrackedRun:
    """A new run in the experiment `backsight`, under `parent`, else under `$BACKSIGHT_MLFLOW_PARENT_RUN`."""
    client = connect()
    if client is None:
        return NullRun()
    labels = dict(tags or {})
    if belongs_to := parent or os.environ.get(PARENT_VARIABLE):
        labels["mlflow.parentRunId"] = belongs_to
    with told():
        run = client.create_run(experiment_id(client), run_name=name, tags=labels)
        return MlflowRun(client, run.info.run_id)


def attach(run_id: str) -> TrackedRun:
    """A run that another process opened, to add to it or to end it."""
    client = connect()
    if client is None:
        return NullRun()
    with told():
        return MlflowRun(client, run_id)


def connect() -> MlflowClient | None:
    """A client of the configured server; `None`, said on stderr, where none is configured."""
    uri = PlatformSettings.load().mlflow_tracking_uri
    if uri is None:
        print("not tracked: MLFLOW_TRACKING_URI is not set, so nothing is recorded in MLflow.", file=sys.stderr)
        return None
    require_answer(uri)
    from mlflow import MlflowClient

    # The registry is named too: left out, it would be taken from the process's environment.
    return MlflowClient(tracking_uri=uri, registry_uri=uri)


def require_answer(uri: str) -> None:
    """Raise a `BacksightError` where no server answers: MLflow's own client would retry for minutes first."""
    if not uri.startswith(("http://", "https://")):
        return
    try:
        urllib.request.urlopen(f"{uri.rstrip('/')}/health", timeout=HEALTH_SECONDS).close()
    except urllib.error.HTTPError as error:
        error.close()
    except OSError as error:
        raise BacksightError(
            f"MLflow at {uri} does not answer: see `backsight status`, start it with `backsight up`, "
            "or unset MLFLOW_TRACKING_URI to go without."
        ) from error


def experiment_id(client: MlflowClient) -> str:
    """The experiment's id; made at the first call, by whichever process is first."""
    from mlflow.exceptions import MlflowException

    found = client.get_experiment_by_name(EXPERIMENT)
    if found is None:
        try:
            return str(client.create_experiment(EXPERIMENT))
        except MlflowException as error:
            found = client.get_experiment_by_name(EXPERIMENT)
            if found is None:
                raise error
    return str(found.experiment_id)


@contextlib.contextmanager
def told() -> Iterator[None]:
    """Turn MLflow's failures into one sentence."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        said = str(error).strip().partition("\n")[0]
        raise BacksightError(f"MLflow refused a record ({said}): see its log, or unset MLFLOW_TRACKING_URI.") from error


def flattened(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """`{"a": {"b": 1}}` -> `("a.b", 1)`."""
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from flattened(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
