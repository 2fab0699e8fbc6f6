"""A task that does what its spec says, in Python: stands for every way in which a real task can behave."""

import argparse
import json
import sys
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--spec", type=Path, required=True)
parser.add_argument("--result", type=Path)
parser.add_argument("--force", action="store_true")
arguments = parser.parse_args()


def answer(outcome: str = "succeeded", **fields: object) -> None:
    """Give the stage's result: as a file where one is named, else as a line, as `tasks.stage.main` does."""
    told = json.dumps({"stage": "act", "key": "k", "outcome": outcome, **fields}, separators=(",", ":"))
    if arguments.result:
        arguments.result.write_text(told)
    else:
        print(told, flush=True)


def progress(done: float, total: float | None = None) -> None:
    """Write a line of progress."""
    told = {"label": "walks", "done": done, "total": total, "unit": "walk", "eta_s": 1.5, "detail": {"scene": "s1"}}
    print(json.dumps({"progress": told}), flush=True)


sys.argv = ["act"]
exec(json.loads(arguments.spec.read_text())["script"])
