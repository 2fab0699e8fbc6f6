"""What a stack's store, ledger, registry and Prefect say at one moment, and what two such readings tell of a night.

`python -m tests.chaos.books` prints the reading of the stack that the environment names, as JSON.
"""

from __future__ import annotations

import json
import sys
import urllib.request
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any, Self

REGISTERED = "backsight"


@dataclass(frozen=True)
class Books:
    """One reading."""

    stages: dict[str, str] = field(default_factory=dict)
    """Key of a stage -> the record that its ref names: what was published."""
    names: dict[str, str] = field(default_factory=dict)
    """Key -> name of the stage."""
    records: list[str] = field(default_factory=list)
    """Records of stages that lie in the store, named by a ref or not."""
    broken: list[str] = field(default_factory=list)
    """Published stages of which a manifest or a blob is missing."""
    verdicts: list[str] = field(default_factory=list)
    """Verdicts of the ledger's entries, newest first."""
    champion: str | None = None
    """By the ledger."""
    referred: str | None = None
    """By the store's ref."""
    aliased: str | None = None
    """By the registry's alias."""
    versions: list[str] = field(default_factory=list)
    """Checkpoint of every registered version."""
    unfinished: list[str] = field(default_factory=list)
    """Flow runs that Prefect believes to be on their way."""

    @classmethod
    def read(cls, text: str) -> Self:
        """A reading from its JSON."""
        return cls(**json.loads(text))


def lost(before: Books, after: Books, ran: set[str]) -> list[str]:
    """What was published once and is gone, broken, or was made again."""
    gone = [name for key, name in before.names.items() if key not in after.stages]
    again = [name for key, name in before.names.items() if name in ran and key in after.stages]
    return sorted({*gone, *again, *(f"{name} (incomplete)" for name in after.broken)})


def double(before: Books, after: Books) -> list[str]:
    """What stands in the books twice, or differently in two of them."""
    moved = [key for key, id in before.stages.items() if after.stages.get(key, id) != id]
    changed = [f"{before.names[key]} (other record)" for key in moved]
    verdicts = [f"ledger entry of {id[:16]}" for id, times in Counter(after.verdicts).items() if times > 1]
    versions = [f"version of {id[:19]}" for id, times in Counter(after.versions).items() if times > 1]
    champions = {after.champion, after.referred, after.aliased}
    torn = ["champion: ledger, ref and alias differ"] if len(champions) > 1 else []
    return [*changed, *verdicts, *versions, *torn]


def unnamed(after: Books) -> int:
    """Records of stages that were cut off before their ref was set: `gc` takes them."""
    return len(set(after.records) - set(after.stages.values()))


def reading() -> Books:
    """The books of the stack that the environment names."""
    from mlflow import MlflowClient

    from tasks.promote.ledger import Ledger
    from tasks.settings import PlatformSettings
    from tasks.spec import StageResult
    from tasks.store import open_store

    store, platform = open_store(), PlatformSettings.load()
    stages = store.refs("stage")
    results = {key: StageResult.model_validate(store.manifest(record).meta["result"]) for key, record in stages.items()}
    broken = [r.stage for r in results.values() if not all(store.complete(id) for id in r.outputs.values())]
    entries = [written.entry for written in Ledger(store, REGISTERED).entries()]
    client = MlflowClient(platform.mlflow_tracking_uri, platform.mlflow_tracking_uri)
    found = client.search_model_versions(f"name='{REGISTERED}'")
    tags = {version.version: str(version.tags.get("checkpoint")) for version in found}
    aliases = client.get_registered_model(REGISTERED).aliases if found else {}
    return Books(
        stages=stages,
        names={key: result.stage for key, result in results.items()},
        records=[f"stage/{key.rpartition('/')[2][:64]}" for key in store.bucket.names("manifests/stage/")],
        broken=broken,
        verdicts=[entry.verdict for entry in entries],
        champion=entries[0].champion if entries else None,
        referred=store.ref("champion", REGISTERED),
        aliased=tags.get(aliases["champion"]) if "champion" in aliases else None,
        versions=list(tags.values()),
        unfinished=unfinished(f"{platform.prefect_api_url}/flow_runs/filter"),
    )


def unfinished(url: str) -> list[str]:
    """Names of the flow runs that are on their way by Prefect's account; scheduled ones lie in the future."""
    body = {"flow_runs": {"state": {"type": {"any_": ["PENDING", "RUNNING", "CANCELLING"]}}}}
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        runs: list[dict[str, Any]] = json.load(answer)
    return [str(run["name"]) for run in runs]


if __name__ == "__main__":
    print(json.dumps(asdict(reading())))
    sys.exit(0)
