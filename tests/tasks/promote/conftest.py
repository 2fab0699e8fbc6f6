"""An MLflow back end without a server, and a registered model of each test's own."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from mlflow import MlflowClient

from tasks.store import ArtefactStore

numbers = itertools.count()


@pytest.fixture(scope="module")
def tracking_uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An MLflow back end in a file, its tables made once. Processes that a test forks may use it too."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("MLFLOW_SQLALCHEMYSTORE_POOLCLASS", "NullPool")
        environment.setenv("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
        folder = tmp_path_factory.mktemp("mlflow")
        uri = f"sqlite:///{folder}/mlflow.db?timeout=60"
        MlflowClient(uri, uri).create_experiment("backsight", artifact_location=str(folder / "artifacts"))
        yield uri


@pytest.fixture
def registered(tracking_uri: str, store: ArtefactStore, monkeypatch: pytest.MonkeyPatch) -> str:
    """A registered model's name of the test's own, with MLflow configured."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking_uri)
    return f"model-{next(numbers)}"
