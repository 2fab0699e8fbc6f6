"""What is worth saying of an artefact, from its manifest alone. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tasks.spec import ManifestId
from tasks.store import Manifest

MOST_FACTS = 4
LONGEST_FACT = 96


def facts(manifest: Manifest) -> tuple[str, ...]:
    """A few words on an artefact; kinds that are not known here get their plain figures."""
    meta = manifest.meta
    match manifest.kind:
        case "dataset":
            return dataset_facts(meta)
        case "checkpoint":
            return tuple(f"{meta[name]}{unit}" for name, unit in (("phase", ""), ("steps", " steps")) if name in meta)
        case "evaluation":
            counted = (f"{meta[name]} {name}" for name in ("views", "scenes") if name in meta)
            return (*([str(meta["split"])] if "split" in meta else []), *counted)
        case "verdict":
            return tuple(clipped(str(meta[name])) for name in ("ruling", "reason") if name in meta)
        case "ledger":
            return entry_facts(meta.get("entry", {}))
        case _:
            plain = [(name, value) for name, value in sorted(meta.items()) if isinstance(value, str | int | float)]
            return tuple(clipped(f"{name} {value}") for name, value in plain[:MOST_FACTS])


def dataset_facts(meta: Mapping[str, Any]) -> tuple[str, ...]:
    """How much a dataset holds, and whether it was found good."""
    counted = [f"{meta[name]} {name}" for name in ("episodes", "frames") if name in meta]
    quality = meta.get("quality")
    found = ["as collected"] if quality is None else ["validated" if quality.get("passed") else "found unfit"]
    return (*found, *counted)


def entry_facts(entry: Mapping[str, Any]) -> tuple[str, ...]:
    """An entry of the ledger: its number, what was done, by whom."""
    said = [f"entry {entry.get('number')}", str(entry.get("act", "verdict")), f"by {entry.get('by')}"]
    return (*said, str(entry.get("at")), *([clipped(entry["why"])] if entry.get("why") else []))


def made_by(records: Sequence[Manifest], id: ManifestId) -> str:
    """The stage that published an artefact, from the stage records that name it; the earliest name in order counts."""
    makers = [record for record in records if id in record.meta.get("result", {}).get("outputs", {}).values()]
    told = [maker_text(record.meta) for record in makers]
    return min(told, default="")


def maker_text(meta: Mapping[str, Any]) -> str:
    """`stage joint, seed 7, MLflow run 3ef25a7959654d98`."""
    result = meta["result"]
    run = f", MLflow run {result['run_id']}" if result.get("run_id") else ""
    return f"stage {result['stage']}, seed {meta['spec'].get('seed', 0)}{run}"


def clipped(text: str) -> str:
    """At most so many characters, on one line."""
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_FACT else f"{line[: LONGEST_FACT - 1]}…"
