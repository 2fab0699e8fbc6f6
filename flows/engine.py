"""`python -m flows.engine`: Prefect's engine for one flow run of this machine, whose words go to the worker's log.

Prefect's worker reads its flow runs' output from a pipe. Were that their only way to speak, the death of the worker
would end each of them at its next word, and with it the stage that it waits for.
"""

from __future__ import annotations

import os
import runpy

from infra.local.layout import Layout
from tasks.settings import home


def main() -> None:
    """Become the engine."""
    log = Layout(home()).log("worker")
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as kept:
        for stream in (1, 2):
            os.dup2(kept.fileno(), stream)
    runpy.run_module("prefect.engine", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
