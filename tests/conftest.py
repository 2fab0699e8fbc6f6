"""Fixtures that every folder of tests may use."""

from __future__ import annotations

import itertools
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tasks.settings import StoreSettings
from tasks.store import ArtefactStore, open_store
from tests.local_stack import LocalStack
from tests.rclone_server import RcloneServer

numbers = itertools.count()


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Processes share the tests file by file; one takes all files that use the local stack, so that one is started."""
    from xdist.scheduler import LoadFileScheduling

    class OneStack(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            source = (config.rootpath / file).read_text()
            return "the stack" if re.search(r"\bstack: LocalStack", source) else file

    return OneStack(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The README's commands come last, however the files were named: they find what the flows' own night has done."""
    items.sort(key=lambda item: item.path.name == "test_readme.py")


@pytest.fixture(autouse=True)
def honest_floats() -> None:
    """Small floats count: a library that an earlier test called may have left this thread flushing them to zero.

    Hypothesis refuses to draw floats in such a thread.
    """
    if "torch" in sys.modules:
        import torch

        torch.set_flush_denormal(False)


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RcloneServer]:
    """One S3 server for the whole session; tests share it, each with a bucket of its own."""
    server = RcloneServer(tmp_path_factory.mktemp("s3"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder of the test's own, and no platform configured."""
    folder = tmp_path / "home"
    monkeypatch.setenv("BACKSIGHT_HOME", str(folder))
    for name in ("MLFLOW_TRACKING_URI", "PREFECT_API_URL", "BACKSIGHT_MLFLOW_PARENT_RUN", "BACKSIGHT_PROGRESS"):
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture
def store_settings(s3_server: RcloneServer, home: Path, monkeypatch: pytest.MonkeyPatch) -> StoreSettings:
    """An empty bucket, also set in the environment, so that `open_store()` and child processes find it."""
    settings = s3_server.settings(f"test-{next(numbers)}")
    for name, value in s3_server.variables(settings.bucket).items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("BACKSIGHT_S3_SECURE", raising=False)
    open_store(settings).bucket.create()
    return settings


@pytest.fixture
def store(store_settings: StoreSettings) -> ArtefactStore:
    """A store over an empty bucket."""
    return open_store(store_settings)


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """The local stack, started once for the session; a test that breaks it heals it."""
    stack = LocalStack(tmp_path_factory.mktemp("stack") / "home")
    stack.up()
    yield stack
    stack.down()
    assert not stack.processes()
