"""Prints what is in an image, Debian's and Python's packages, as a CycloneDX bill of materials."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import distributions
from typing import Any


def main(image: str, version: str) -> None:
    """Write the bill on stdout: equal contents, equal bytes."""
    bill = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": {"type": "container", "name": f"backsight/{image}", "version": version}},
        "components": [*python_packages(), *debian_packages()],
    }
    json.dump(bill, sys.stdout, indent=1, sort_keys=True)


def python_packages() -> list[dict[str, Any]]:
    """The packages of the interpreter that runs this."""
    found = {(found.metadata["Name"].lower().replace("_", "-"), found.version) for found in distributions()}
    return [component(name, version, f"pkg:pypi/{name}@{version}") for name, version in sorted(found)]


def debian_packages() -> list[dict[str, Any]]:
    """The system's packages."""
    form = "${Package} ${Version} ${Architecture}\n"
    listed = subprocess.run(["dpkg-query", "-W", "-f", form], capture_output=True, text=True, check=True).stdout
    rows = sorted(tuple(line.split()) for line in listed.splitlines())
    return [component(name, version, f"pkg:deb/debian/{name}@{version}?arch={arch}") for name, version, arch in rows]


def component(name: str, version: str, purl: str) -> dict[str, Any]:
    """One entry of the bill."""
    return {"type": "library", "name": name, "version": version, "purl": purl}


if __name__ == "__main__":
    main(*sys.argv[1:])
