"""A stage's flow under the profile `cluster`: from Prefect through the launcher to a real task in an emulated pod."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tasks.collect.schedule import shards_of
from tasks.preset import load_preset
from tasks.settings import StoreSettings
from tasks.spec import HOUSE
from tasks.store import open_store
from tests.cluster.small_cluster import SmallCluster
from tests.local_stack import LocalStack

TABLE = {
    "default": {
        "collect": {"image": "collector", "cpu": 1, "memory_gib": 2, "pods": 2, "queue": "collect", "grace_seconds": 1}
    }
}
FLOW = "import sys; from flows.stages import collect; collect(preset=sys.argv[1], seed=5)"


def test_collect_is_dealt_out_over_pods_and_its_outcome_found_in_the_store(
    stack: LocalStack, smoke: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:/usr/bin:/bin")
    platform = stack.settings()
    cluster = SmallCluster(tmp_path / "node", further={"PYTHONPATH": str(HOUSE)}).start()
    try:
        cluster.api.put("secrets", "backsight-s3", {"stringData": {k: v for k, v in platform.items() if "_S3_" in k}})
        (tmp_path / "resources.yaml").write_text(json.dumps(TABLE))
        config = {
            "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "k"}}],
            "clusters": [{"name": "k", "cluster": {"server": cluster.api.url}}],
        }
        (tmp_path / "kubeconfig").write_text(json.dumps(config))
        environment = {
            **stack.environment(),
            **platform,
            "KUBECONFIG": str(tmp_path / "kubeconfig"),
            "BACKSIGHT_PROFILE": "cluster",
            "BACKSIGHT_LAUNCH_RESOURCES": str(tmp_path / "resources.yaml"),
            "BACKSIGHT_LAUNCH_IMAGE_COLLECTOR": "backsight/collector:test",
            "PREFECT_HOME": str(tmp_path / "prefect"),
        }
        done = subprocess.run(
            [sys.executable, "-c", FLOW, str(smoke)], env=environment, cwd=HOUSE, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
        job = cluster.api.all("jobs")[0]
        assert job["spec"]["completions"] == 2 and job["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "collect"
        assert len(cluster.api.all("pods")) == 2
        assert platform["BACKSIGHT_S3_SECRET_KEY"] not in done.stdout + done.stderr + json.dumps(job)
    finally:
        cluster.stop()
    plan = load_preset(smoke).collect
    monkeypatch.setenv("BACKSIGHT_HOME", str(stack.home))
    store = open_store(StoreSettings.load())
    made = store.manifest(store.ref("latest", "collect") or "")
    assert {name for name in made.blobs if name.startswith("shards/")} == {s.blob for s in shards_of(plan, 5)}
