"""`python -m infra.policy [OVERLAY ...]`: holds rendered overlays against schemas and rules; part of `make lint`."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from infra.policy.check import PRODUCTION, RULES, broken
from infra.policy.manifests import render
from tasks.errors import BacksightError

OVERLAYS = Path(__file__).parents[1] / "kubernetes" / "overlays"


def main(names: list[str]) -> int:
    """Print what is broken; the exit code says whether anything is."""
    folders = [Path(name) for name in names] or sorted(folder for folder in OVERLAYS.iterdir() if folder.is_dir())
    if shutil.which("kubectl") is None:
        print("policy: NOT CHECKED: kubectl, which renders the manifests, is not installed here")
        return 0
    count = 0
    for folder in folders:
        manifests = render(folder)
        production = folder.name == "production"
        problems = broken(manifests, production)
        rules = len(RULES) + (len(PRODUCTION) if production else 0)
        print(f"policy: {folder.name}: {len(manifests)} objects, {rules} rules, {len(problems)} problems")
        for problem in problems:
            print(f"  {problem}")
        count += len(problems)
    return 1 if count else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except BacksightError as error:
        sys.exit(f"error: {error}")
