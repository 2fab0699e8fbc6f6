"""A flow run's process on this machine speaks to a file: a worker that dies takes no reader away from it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def test_its_words_are_in_the_workers_log_and_not_in_the_pipe_to_the_worker(tmp_path: Path) -> None:
    """Without a flow run the engine says so and leaves."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    environment |= {"BACKSIGHT_HOME": str(tmp_path), "PREFECT_HOME": str(tmp_path / "prefect")}
    command = [sys.executable, "-m", "flows.engine"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("", "") and done.returncode != 0
    assert "flow run" in (tmp_path / "logs" / "worker.log").read_text().lower()
