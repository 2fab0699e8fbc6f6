"""Training over several nodes: each node's agent takes its ranks, and fetches for itself what rank 0 has."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from model.training.config import PhaseConfig
from tasks.errors import UsageError
from tasks.store import ArtefactStore
from tasks.train.launch import ranks_here
from tasks.train.spec import TrainSpec
from tests.published import NETWORK, box_dataset

PHASE = PhaseConfig(steps=2, batch=2, losses={"goal": 1.0}, log_every=1, workers=0, zero=0)


def test_ranks_are_dealt_out_over_the_nodes() -> None:
    assert ranks_here(4, {}) == (4, ["--standalone"])
    pod = {"BACKSIGHT_NODES": "2", "JOB_COMPLETION_INDEX": "1", "MASTER_ADDR": "a-0.a", "MASTER_PORT": "29500"}
    meeting = ["--nnodes=2", "--node_rank=1", "--master_addr=a-0.a", "--master_port=29500"]
    assert ranks_here(8, pod) == (4, meeting)
    with pytest.raises(UsageError, match="dealt out evenly"):
        ranks_here(3, pod)


@pytest.mark.skipif(
    "BACKSIGHT_SLOW_TESTS" not in os.environ,
    reason="30 s of CPU for four torch processes: BACKSIGHT_SLOW_TESTS=1 runs it",
)
def test_two_nodes_train_one_checkpoint(store: ArtefactStore, home: Path, tmp_path: Path) -> None:
    """The nodes are two agents on this machine, which share its cache."""
    dataset = box_dataset(store, tmp_path, unseen=1)
    spec = TrainSpec(stage="pretrain", dataset=dataset, network=NETWORK, phase=PHASE, ranks=2)
    (tmp_path / "spec.json").write_text(spec.model_dump_json())
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    meeting = {"BACKSIGHT_NODES": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "tasks.train", "--spec", str(tmp_path / "spec.json")]
    nodes = [
        subprocess.Popen(
            command,
            env={**os.environ, **meeting, "JOB_COMPLETION_INDEX": str(number)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for number in range(2)
    ]
    said = [node.communicate(timeout=170)[0] for node in nodes]
    assert [node.returncode for node in nodes] == [0, 0], "\n".join(said)
    assert sum('"checkpoint":"checkpoint/' in text for text in said) == 1
    assert len(store.refs("stage")) == 1
