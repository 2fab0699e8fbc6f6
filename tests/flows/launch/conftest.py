"""The platforms of the launchers' tests."""

from __future__ import annotations

import contextlib
import os
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.errors import BacksightError
from tasks.spec import HOUSE
from tests.cluster.small_cluster import SmallCluster
from tests.containers import engine, load_python
from tests.flows.launch.benches import Bench, ClusterBench, ContainerBench, ProcessBench, RealClusterBench


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[SmallCluster]:
    """An emulated cluster with JobSet and Kueue's API, one node, no GPU."""
    cluster = SmallCluster(tmp_path / "node", served=("jobsets", "workloads")).start()
    yield cluster
    cluster.stop()


@pytest.fixture(scope="session")
def docker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ContainerBench]:
    """A container engine, where one is there or can be started; tests that need one are skipped with the reason."""
    with contextlib.ExitStack() as held:
        try:
            address = held.enter_context(engine(tmp_path_factory.mktemp("engine")))
        except BacksightError as error:
            pytest.skip(f"did not run: {error}")
        yield ContainerBench(address, load_python(address))


@pytest.fixture(scope="session")
def real_cluster() -> RealClusterBench:
    """The cluster of $KUBECONFIG; without further words the image that `images/build.sh` makes and the guide loads."""
    namespace = os.environ.get("BACKSIGHT_TEST_NAMESPACE", "backsight-tasks")
    version = tomllib.loads((HOUSE / "pyproject.toml").read_text())["project"]["version"]
    found = RealClusterBench(namespace, os.environ.get("BACKSIGHT_TEST_IMAGE", f"backsight/flow:{version}"))
    found.prepare()
    return found


REAL = ["kubernetes"] if os.environ.get("BACKSIGHT_TEST_CLUSTER") == "1" else []


@pytest.fixture(params=["process", "cluster", "container", *REAL])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    """Each platform in turn; none may be left with anything running."""
    found: Bench
    match request.param:
        case "process":
            found = ProcessBench(tmp_path)
        case "cluster":
            found = ClusterBench(request.getfixturevalue("cluster"))
        case "kubernetes":
            found = request.getfixturevalue("real_cluster")
            found.sweep()
        case _:
            found = request.getfixturevalue("docker")
            found.sweep()
    yield found
    assert not found.left(), "a test left something running"
