"""What of a store nothing names any more. Pure decisions here; `tasks.store.sweep` asks the server and deletes.

Roots are: every ref but the stage cache's old ones, the registry's checkpoints, every object under a prefix that is not
known here, and all that is younger than the age, since its publication may be going on. What a root names is kept, and
what that names; and so are the records of the stages that made what is kept.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from tasks.errors import UsageError
from tasks.spec import ManifestId
from tasks.store.bucket import Listed
from tasks.store.index import PREFIX, id_of

SHORTEST = timedelta(days=1)
"""Least age of what is removed. A blob that is put again is written anew when older than half of it (`blobs.FRESH`)."""

BLOBS, QUARANTINE, TRIALS = "blobs/sha256/", "quarantine/", "conformance"
CACHES = ("refs/stage/", "refs/shard/", "refs/part/", "refs/resume/")
"""Refs by which work is found again instead of done again; they last as long as the age, from their last use on."""

UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class Reason(StrEnum):
    """Why an object goes."""

    CACHE = "stage cache, not used for longer than the age"
    MANIFEST = "artefact that nothing names"
    BLOB = "blob that no artefact names"
    QUARANTINE = "report on rejected data"
    TRIAL = "left by a conformance check"


@dataclass(frozen=True)
class Snapshot:
    """A store at one moment."""

    objects: Mapping[str, Listed]
    """Key -> what the listing tells."""
    names: Mapping[ManifestId, Set[str]]
    """Manifest -> the digests and the ids in it."""
    roots: frozenset[ManifestId]
    """Named by refs that last, by the registry, by unknown objects."""
    digests: frozenset[str] = frozenset()
    """Digests named there."""
    made: Mapping[ManifestId, Set[ManifestId]] = field(default_factory=dict)
    """Record of a stage -> what the stage published."""


def age(text: str) -> timedelta:
    """`7d`, `36h`; `UsageError` for what is no age, or too young to be safe."""
    found = re.fullmatch(r"\s*(\d{1,6})\s*([mhdw])\s*", text)
    if found is None:
        raise UsageError(f"--older-than {text!r} is no age: write it as 7d, 36h or 2w.")
    wanted = timedelta(**{UNITS[found[2]]: int(found[1])})
    if wanted < SHORTEST:
        raise UsageError(
            f"--older-than {text} is below 1d: what a stage is publishing at this moment could go with it."
        )
    return wanted


def reachable(names: Mapping[ManifestId, Set[str]], roots: Iterable[ManifestId]) -> set[str]:
    """The roots, all that they name, all that these name, and so on: ids and digests."""
    found: set[str] = set()
    waiting = list(roots)
    while waiting:
        here = waiting.pop()
        if here not in found:
            found.add(here)
            waiting += [named for named in names.get(here, ()) if named not in found]
    return found


def doomed(snapshot: Snapshot, cutoff: datetime) -> dict[str, Reason]:
    """Key -> why it goes, for everything that is older than `cutoff` and that nothing reachable names."""
    young = {id_of(k) for k, item in snapshot.objects.items() if k.startswith(PREFIX) and item.modified >= cutoff}
    kept = with_records(snapshot, reachable(snapshot.names, snapshot.roots | young)) | snapshot.digests
    found = {}
    for key, item in snapshot.objects.items():
        if item.modified < cutoff and (reason := fate(key, kept)) is not None:
            found[key] = reason
    return found


def with_records(snapshot: Snapshot, kept: set[str]) -> set[str]:
    """What is kept, and the records of the stages that made it (seed, settings, run), for lineage to tell."""
    waiting = {record: made for record, made in snapshot.made.items() if record not in kept}
    while found := [record for record, made in waiting.items() if not kept.isdisjoint(made)]:
        kept = kept | reachable(snapshot.names, found)
        waiting = {record: made for record, made in waiting.items() if record not in kept}
    return kept


def fate(key: str, kept: Set[str]) -> Reason | None:
    """Why an old object goes; None = it stays. Keys of no known kind stay."""
    if key.startswith(PREFIX):
        return None if id_of(key) in kept else Reason.MANIFEST
    if key.startswith(BLOBS):
        return None if key.rpartition("/")[2] in kept else Reason.BLOB
    if key.startswith(CACHES):
        return Reason.CACHE
    if key.startswith(QUARANTINE):
        return Reason.QUARANTINE
    return Reason.TRIAL if key.startswith(TRIALS) else None


def summary(found: Mapping[str, Reason], objects: Mapping[str, Listed]) -> list[tuple[Reason, int, int]]:
    """Reason, number of objects, bytes: in the order in which they are deleted."""
    count = Counter(found.values())
    size: Counter[Reason] = Counter()
    for key, reason in found.items():
        size[reason] += objects[key].size
    return [(reason, count[reason], size[reason]) for reason in Reason if count[reason]]
