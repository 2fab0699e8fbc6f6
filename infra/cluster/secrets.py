"""`python -m infra.cluster.secrets`: generates the Secrets of a cluster that has no secret manager (overlay `kind`).

What is there already stays as it is, so running it again changes nothing. Values go from here to kubectl's standard
input: they stand on no command line and in no file.
"""

from __future__ import annotations

import argparse
import base64
import json
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tasks.errors import BacksightError

SERVICES, TASKS = "backsight", "backsight-tasks"

Manifest = dict[str, Any]
Values = Mapping[str, str]
Held = Mapping[tuple[str, str], Values]
"""(namespace, name) -> values of the Secrets that the cluster has."""


def main(argv: list[str] | None = None) -> None:
    """Make the missing Secrets; prints their names, never their values."""
    parser = argparse.ArgumentParser(prog="python -m infra.cluster.secrets", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--context", help="kubectl's context; the current one where left out")
    parser.add_argument("--bucket", default="backsight", help="name of the artefact store's bucket")
    options = parser.parse_args(argv)
    kubectl = ["kubectl", *(["--context", options.context] if options.context else [])]
    made = missing(held_by(kubectl), options.bucket)
    if made:
        ask([*kubectl, "create", "--filename", "-"], json.dumps({"apiVersion": "v1", "kind": "List", "items": made}))
    for secret in made:
        print(f"made secret {secret['metadata']['namespace']}/{secret['metadata']['name']}")
    if not made:
        print("all secrets are there already")


def missing(held: Held, bucket: str) -> list[Manifest]:
    """The Secrets that the cluster lacks. A value that two of them share is taken from the one that is there."""
    s3 = shared(held, "backsight-s3") or {
        "BACKSIGHT_S3_ENDPOINT": "s3.backsight.svc:9000",
        "BACKSIGHT_S3_BUCKET": bucket,
        "BACKSIGHT_S3_SECURE": "false",
        "BACKSIGHT_S3_ACCESS_KEY": f"backsight{secrets.token_hex(6)}",
        "BACKSIGHT_S3_SECRET_KEY": secrets.token_hex(24),
    }
    signing = held.get((TASKS, "backsight-signing")) or signing_keys()
    wanted: dict[tuple[str, str], Values] = {
        (SERVICES, "backsight-s3"): s3,
        (TASKS, "backsight-s3"): s3,
        (TASKS, "backsight-signing"): signing,
        (SERVICES, "backsight-prefect"): {"PREFECT_API_AUTH_STRING": f"backsight:{secrets.token_hex(24)}"},
        (SERVICES, "backsight-redis"): {"password": secrets.token_hex(24)},
        (SERVICES, "postgres-superuser"): {"username": "postgres", "password": secrets.token_hex(24)},
        (SERVICES, "postgres-prefect"): {"username": "prefect", "password": secrets.token_hex(24)},
        (SERVICES, "postgres-mlflow"): {"username": "mlflow", "password": secrets.token_hex(24)},
    }
    return [secret(*place, values) for place, values in wanted.items() if place not in held]


def signing_keys() -> Values:
    """A new pair of keys as the two files that `promote` finds mounted."""
    from tasks.promote.signing import make_key

    with tempfile.TemporaryDirectory(prefix="backsight-keys-") as folder:
        make_key(Path(folder) / "model.key")
        return {name: (Path(folder) / name).read_text() for name in ("model.key", "model.pub")}


def shared(held: Held, name: str) -> Values | None:
    """The values that either namespace has under a name."""
    return held.get((SERVICES, name)) or held.get((TASKS, name))


def secret(namespace: str, name: str, values: Values) -> Manifest:
    """The object."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace, "labels": {"app.kubernetes.io/part-of": "backsight"}},
        "type": "kubernetes.io/basic-auth" if "username" in values else "Opaque",
        "stringData": dict(values),
    }


def held_by(kubectl: list[str]) -> dict[tuple[str, str], Values]:
    """The Secrets that the cluster has in both namespaces."""
    held: dict[tuple[str, str], Values] = {}
    for namespace in (SERVICES, TASKS):
        listed = json.loads(ask([*kubectl, "--namespace", namespace, "get", "secrets", "--output", "json"]))
        for item in listed["items"]:
            values = {key: base64.b64decode(value).decode() for key, value in item.get("data", {}).items()}
            held[namespace, item["metadata"]["name"]] = values
    return held


def ask(command: list[str], words: str | None = None) -> str:
    """What kubectl answers."""
    try:
        done = subprocess.run(command, input=words, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise BacksightError("kubectl is not installed: it is what speaks to the cluster here.") from error
    if done.returncode != 0:
        raise BacksightError(f"kubectl could not do it: {' '.join(done.stderr.split())[-300:]}")
    return done.stdout


if __name__ == "__main__":
    try:
        main()
    except BacksightError as error:
        sys.exit(f"error: {error}")
