"""The platforms of the launchers' tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.small_cluster import SmallCluster
from tests.flows.launch.benches import Bench, ClusterBench, ProcessBench


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[SmallCluster]:
    """An emulated cluster with JobSet and Kueue's API, one node, no GPU."""
    cluster = SmallCluster(tmp_path / "node", served=("jobsets", "workloads")).start()
    yield cluster
    cluster.stop()


@pytest.fixture(params=["process", "cluster"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    """Each platform in turn; none may be left with anything running."""
    found: Bench
    if request.param == "process":
        found = ProcessBench(tmp_path)
    else:
        found = ClusterBench(request.getfixturevalue("cluster"))
    yield found
    assert not found.left(), "a test left something running"
