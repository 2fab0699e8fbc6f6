"""`python -m infra.policy.derive FOLDER`: the compact schema of the Kubernetes objects that this house uses.

FOLDER is a strict one of the Python package kubernetes-validate (`.../kubernetes-json-schema/v1.36.0-local-strict`),
whose schemas are made from Kubernetes' own OpenAPI description (Apache-2.0). Kept is what decides whether an object is
valid; descriptions, status and kinds that nobody here writes go.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

TARGET = Path(__file__).parent / "schemas" / "kubernetes.json"
KINDS = {
    "v1/ConfigMap": "core.v1.ConfigMap",
    "v1/LimitRange": "core.v1.LimitRange",
    "v1/Namespace": "core.v1.Namespace",
    "v1/PersistentVolumeClaim": "core.v1.PersistentVolumeClaim",
    "v1/Pod": "core.v1.Pod",
    "v1/ResourceQuota": "core.v1.ResourceQuota",
    "v1/Secret": "core.v1.Secret",
    "v1/Service": "core.v1.Service",
    "v1/ServiceAccount": "core.v1.ServiceAccount",
    "apps/v1/DaemonSet": "apps.v1.DaemonSet",
    "apps/v1/Deployment": "apps.v1.Deployment",
    "apps/v1/StatefulSet": "apps.v1.StatefulSet",
    "batch/v1/CronJob": "batch.v1.CronJob",
    "batch/v1/Job": "batch.v1.Job",
    "networking.k8s.io/v1/NetworkPolicy": "networking.v1.NetworkPolicy",
    "policy/v1/PodDisruptionBudget": "policy.v1.PodDisruptionBudget",
    "rbac.authorization.k8s.io/v1/ClusterRole": "rbac.v1.ClusterRole",
    "rbac.authorization.k8s.io/v1/ClusterRoleBinding": "rbac.v1.ClusterRoleBinding",
    "rbac.authorization.k8s.io/v1/Role": "rbac.v1.Role",
    "rbac.authorization.k8s.io/v1/RoleBinding": "rbac.v1.RoleBinding",
    "scheduling.k8s.io/v1/PriorityClass": "scheduling.v1.PriorityClass",
}
PARTS = ("core.v1.Taint",)
"""What only extensions' objects hold, see extensions.yaml."""
DROPPED = ("description", "$id", "$schema", "default", "x-kubernetes-group-version-kind")
LEADERS = ("io.k8s.api.", "io.k8s.apimachinery.pkg.")


def main(folder: Path) -> None:
    """Write the schema."""
    definitions = json.loads((folder / "_definitions.json").read_text())["$defs"]
    kept: dict[str, Any] = {}
    for name in (*KINDS.values(), *PARTS):
        gather(f"io.k8s.api.{name}", definitions, kept)
    lines = [
        f'"{short(name)}": {json.dumps(kept[name], separators=(",", ":"), sort_keys=True)}' for name in sorted(kept)
    ]
    TARGET.write_text('{"$defs": {\n' + ",\n".join(lines) + "\n}}\n")
    print(f"{TARGET.name}: {len(kept)} definitions, {TARGET.stat().st_size} bytes")


def gather(name: str, definitions: dict[str, Any], kept: dict[str, Any]) -> None:
    """Keep a definition and all that it refers to."""
    if name in kept:
        return
    full = definitions[name]
    kept[name] = {}
    if "kind" in full.get("properties", {}):
        # A whole object: what the cluster says of it is not for us to write.
        full = {**full, "properties": {key: value for key, value in full["properties"].items() if key != "status"}}
    kept[name] = lean(full)
    for wanted in sorted(references(full)):
        gather(wanted, definitions, kept)


def references(schema: Any) -> set[str]:
    """Names of the definitions that a schema refers to."""
    if isinstance(schema, list):
        return {name for part in schema for name in references(part)}
    if not isinstance(schema, dict):
        return set()
    own = {schema["$ref"].rpartition("/")[2]} if isinstance(schema.get("$ref"), str) else set()
    return own | {name for value in schema.values() for name in references(value)}


def lean(schema: Any) -> Any:
    """A schema without words, and without the nulls that a manifest has no business with."""
    if isinstance(schema, list):
        return [lean(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: lean(value) for key, value in schema.items() if not (key in DROPPED and not isinstance(value, dict))}
    if isinstance(made.get("type"), list):
        kinds = [kind for kind in made["type"] if kind != "null"]
        made["type"] = kinds[0] if len(kinds) == 1 else kinds
    if "$ref" in made and isinstance(made["$ref"], str):
        made["$ref"] = f"#/$defs/{short(made['$ref'].rpartition('/')[2])}"
    return made


def short(name: str) -> str:
    """`core.v1.Pod` of `io.k8s.api.core.v1.Pod`."""
    for leader in LEADERS:
        name = name.removeprefix(leader)
    return name


if __name__ == "__main__":
    main(Path(sys.argv[1]))
