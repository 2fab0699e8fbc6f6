"""Runs stages' flows under the profile `cluster`, one after the other: `python bad_cluster.py cases.json`.

A case is its name, its variables, the flow and its parameters; what is printed as JSON is name -> flow run and seconds.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import flows.stages
from flows.launch import cluster_diagnosis

# The reasons come at once from the emulated cluster, and nothing here heals while one waits.
cluster_diagnosis.SOON = 0.5
cluster_diagnosis.PULL_PATIENCE = 1.0


def main(cases: Path) -> None:
    """Run them all."""
    found = {}
    for name, variables, flow, parameters in json.loads(cases.read_text()):
        os.environ.update(variables)
        begun = time.monotonic()
        state = getattr(flows.stages, flow)(**parameters, return_state=True)
        found[name] = {"run": str(state.state_details.flow_run_id), "seconds": time.monotonic() - begun}
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
