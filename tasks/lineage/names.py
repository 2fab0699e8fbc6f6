"""What a person may call an artefact, and which artefact that is."""

from __future__ import annotations

import difflib
import json
import re
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from typing import Any

from tasks.errors import BacksightError, UsageError
from tasks.lineage.graph import Lineage
from tasks.lineage.trace import EPISODE, SHARD, Part, Tracer
from tasks.lineage.walks import read_all_walks
from tasks.settings import PlatformSettings
from tasks.spec import ManifestId

PATIENCE = 5.0
SHORTEST_DIGEST = 6
MOST_NEAR = 5

FORMS = "a manifest id or the beginning of its digest, a version (3), an alias (champion), a stage (joint), " + (
    "DATASET:shards/000.tar, a blob's digest, or an episode"
)


@dataclass(frozen=True)
class Model:
    """A version or an alias of the registered model."""

    name: str
    version: str | None
    alias: str | None

    @classmethod
    def parse(cls, text: str, registered: str) -> Model | None:
        """`3`, `v3`, `champion`, `backsight@champion`, `models:/backsight/3`; None for what has none of these forms."""
        plain = text.removeprefix("models:/")
        if found := re.fullmatch(r"([a-z][a-z0-9-]*)@([A-Za-z0-9_-]+)", plain):
            return cls(found[1], None, found[2])
        if found := re.fullmatch(r"(?:([a-z][a-z0-9-]*)/)?v?(\d{1,5})", plain):
            return cls(found[1] or registered, found[2], None)
        return cls(registered, None, plain) if plain in ("champion", "challenger", "previous") else None


def lineage_of(tracer: Tracer, text: str) -> Lineage:
    """The lineage of whatever a person has named; `UsageError` with the nearest names where there is no such thing."""
    if (model := Model.parse(text, tracer.registered)) is not None:
        return tracer.of_artefact(checkpoint_of(tracer, model))
    if ":" in text:
        return tracer.of_part(shard_in(tracer, *text.split(":", 1)))
    if re.fullmatch(rf"([a-z]+/)?[0-9a-f]{{{SHORTEST_DIGEST},64}}", text):
        found = digest_named(tracer, text)
        return tracer.of_part(found) if isinstance(found, Part) else tracer.of_artefact(found)
    if re.fullmatch(r"[a-z]+", text) and (product := tracer.store.ref("latest", text)) is not None:
        return tracer.of_artefact(product)
    return tracer.of_part(episode_named(tracer, text.removeprefix(f"{EPISODE}/")))


def digest_named(tracer: Tracer, text: str) -> ManifestId | Part:
    """The one artefact, or the one blob, whose name begins so."""
    index = tracer.index
    found: list[str] = index.beginning(text) if "/" in text else index.with_digest(text)
    if not found and not (blobs := [] if "/" in text and not text.startswith("shard/") else blobs_of(tracer, text)):
        raise unknown(text, index.ids())
    if not found:
        if len(blobs) > 1:
            raise ambiguous(text, blobs)
        return shard_part(tracer, blobs[0])
    if len(found) > 1:
        raise ambiguous(text, found)
    return found[0]


def blobs_of(tracer: Tracer, text: str) -> list[str]:
    """Digests of blobs that begin so."""
    digests = tracer.index.blobs_beginning(text.rpartition("/")[2])
    return [digest for digest in digests if held(tracer, digest)]


def held(tracer: Tracer, digest: str) -> dict[ManifestId, list[str]]:
    """Artefact -> names under which it holds a blob."""
    found = {id: tracer.manifest(id).blobs for id in tracer.index.holding(digest)}
    named = {id: [name for name, blob in blobs.items() if blob.digest == digest] for id, blobs in found.items()}
    return {id: names for id, names in named.items() if names}


def shard_part(tracer: Tracer, digest: str) -> Part:
    """A blob with the datasets that hold it and the episodes in it."""
    holders = held(tracer, digest)
    datasets = tuple(id for id in holders if id.startswith("dataset/"))
    walks = [walk for id in datasets[:1] for walk in tracer.walks(id) if walk.shard in holders[id]]
    return Part(SHARD, digest, datasets or tuple(holders), tuple(walks))


def shard_in(tracer: Tracer, dataset: str, name: str) -> Part:
    """A shard by its name within a dataset."""
    id = digest_named(tracer, dataset if "/" in dataset else f"dataset/{dataset}")
    if isinstance(id, Part):
        raise unknown(dataset, tracer.index.beginning("dataset/"))
    blobs = tracer.manifest(id).blobs
    if name not in blobs:
        raise unknown(name, list(blobs))
    return shard_part(tracer, blobs[name].digest)


def episode_named(tracer: Tracer, name: str) -> Part:
    """An episode with the datasets that hold it."""
    datasets = read_all_walks(tracer.store, tracer.index)
    files = tracer.index.files_with(name)
    holding = tuple(
        id for id, m in datasets.items() if "index.parquet" in m.blobs and m.blobs["index.parquet"].digest in files
    )
    if not holding:
        stages = tracer.store.refs("latest")
        raise unknown(name, [*tracer.index.episodes(), *stages, "champion", "challenger", "previous"])
    walks = tuple(walk for walk in tracer.index.walks(files[0]) if walk.episode == name)
    return Part(EPISODE, name, holding, walks)


def checkpoint_of(tracer: Tracer, model: Model) -> ManifestId:
    """The checkpoint behind a version or an alias: the ledger's word for its own aliases, MLflow's for the rest."""
    for id, marks in tracer.marks.items() if model.name == tracer.registered else ():
        if model.alias in marks:
            return id
    server = PlatformSettings.load().mlflow_tracking_uri
    asked = f"{model.name}@{model.alias}" if model.alias else f"version {model.version} of {model.name}"
    if server is None or not server.startswith("http"):
        raise UsageError(
            f"There is no {asked} in the ledger, and no MLflow server is configured: set MLFLOW_TRACKING_URI."
        )
    key = {"alias": model.alias} if model.alias else {"version": model.version}
    path = "registered-models/alias" if model.alias else "model-versions/get"
    answer = ask(f"{server.rstrip('/')}/api/2.0/mlflow/{path}?{urllib.parse.urlencode({'name': model.name, **key})}")
    tags = {tag["key"]: tag["value"] for tag in (answer or {}).get("model_version", {}).get("tags", [])}
    if "checkpoint" not in tags:
        raise UsageError(f"The registry has no {asked}: see the model's page in MLflow for its versions and aliases.")
    return str(tags["checkpoint"])


def ask(url: str) -> Any:
    """The server's JSON; None where it knows no such thing. Plain HTTP: importing MLflow takes two seconds."""
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        error.close()
        return None
    except OSError as error:
        raise BacksightError(
            "MLflow does not answer: see `backsight status`, or name a checkpoint instead of a version."
        ) from error


def unknown(text: str, names: list[str]) -> UsageError:
    """The sentence for what is not there."""
    head, _, digest = text.rpartition("/")
    same = [name for name in names if name.startswith(head)]
    near = (
        difflib.get_close_matches(text, same, n=MOST_NEAR, cutoff=0.5)
        or sorted(same, key=lambda name: -common(name.rpartition("/")[2], digest))[:MOST_NEAR]
    )
    told = f"; nearest are {', '.join(shortened(name) for name in near)}" if near else ""
    return UsageError(f"Nothing here is called {shortened(text)}{told}. Name {FORMS}.")


def ambiguous(text: str, names: list[str]) -> UsageError:
    """The sentence for a beginning that several names have."""
    told = ", ".join(shortened(name) for name in names[:MOST_NEAR])
    return UsageError(f"{text} is the beginning of {len(names)} names ({told}): give more digits.")


def shortened(name: str) -> str:
    """An id with as much of its digest as people read."""
    head, slash, digest = name.rpartition("/")
    return f"{head}{slash}{digest[:16]}" if re.fullmatch(r"[0-9a-f]{17,64}", digest) else name


def common(left: str, right: str) -> int:
    """Length of the common beginning."""
    return next((i for i, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), min(len(left), len(right)))
