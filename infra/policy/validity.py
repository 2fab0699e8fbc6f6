"""Whether a manifest is what its schema says: no unknown field, no wrong type, none missing."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from infra.policy.derive import KINDS
from infra.policy.manifests import Manifest, title

SCHEMAS = Path(__file__).parent / "schemas"


def invalid(manifest: Manifest) -> list[str]:
    """What is wrong with a manifest, one sentence each."""
    kind = f"{manifest.get('apiVersion')}/{manifest.get('kind')}"
    found = schemas().get(kind)
    if found is None:
        return [f"{title(manifest)}: {kind} is no kind that infra/policy/schemas knows (a removed or misspelt API?)"]
    problems = sorted(validator(kind).iter_errors(manifest), key=lambda problem: list(map(str, problem.absolute_path)))
    return [f"{title(manifest)}: {place(problem)}: {problem.message}" for problem in problems]


def place(problem: Any) -> str:
    """`spec.template.spec.containers[0].image`."""
    words = ""
    for step in problem.absolute_path:
        words += f"[{step}]" if isinstance(step, int) else f".{step}"
    return words.removeprefix(".") or "the object"


@cache
def validator(kind: str) -> Any:
    """The validator of a kind."""
    import jsonschema

    return jsonschema.Draft202012Validator({**schemas()[kind], "$defs": definitions()})


@cache
def definitions() -> dict[str, Any]:
    """Kubernetes' definitions."""
    found: dict[str, Any] = json.loads((SCHEMAS / "kubernetes.json").read_text())["$defs"]
    return found


@cache
def schemas() -> dict[str, Any]:
    """`<apiVersion>/<Kind>` -> schema."""
    import yaml

    own = {kind: {"$ref": f"#/$defs/{name}"} for kind, name in KINDS.items()}
    return {**own, **yaml.safe_load((SCHEMAS / "extensions.yaml").read_text())}
