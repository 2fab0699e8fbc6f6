"""Small mutable names for artefacts: the outcome of a stage key, the verdict on a checkpoint."""

from __future__ import annotations

import enum
import re

from tasks.errors import BacksightError, UsageError
from tasks.store.blobs import FRESH
from tasks.store.bucket import Bucket
from tasks.store.guard import Guard

KIND = r"[a-z]+"
NAME = r"[A-Za-z0-9][A-Za-z0-9._-]*"


class AnyValue(enum.Enum):
    """Says that a ref may be overwritten whatever it holds."""

    ANY = "any"


ANY = AnyValue.ANY


class RefConflict(BacksightError):
    """A ref did not hold what the writer expected: somebody else was first."""


class Refs:
    """The refs of one bucket."""

    def __init__(self, bucket: Bucket, guard: Guard) -> None:
        self.bucket = bucket
        self.guard = guard

    def set(self, kind: str, name: str, target: str, expected: str | AnyValue | None = ANY) -> None:
        """Point `kind/name` at `target` where it points at `expected` now (`None`: nowhere yet), else `RefConflict`."""
        key, data = path(kind, name), target.encode()
        if isinstance(expected, AnyValue):
            self.guard.overwrite(key, data)
            return
        won = self.guard.create(key, data) if expected is None else self.guard.swap(key, expected.encode(), data)
        if not won:
            raise RefConflict(
                f"The ref {kind}/{name} holds {self.get(kind, name) or 'nothing'} where {expected or 'nothing'} was "
                "expected: another process was first; read it again and decide anew."
            )

    def get(self, kind: str, name: str) -> str | None:
        """Where `kind/name` points; `None` = there is no such ref."""
        held = self.bucket.get(path(kind, name))
        return held.data.decode() if held else None

    def keep(self, kind: str, name: str, target: str) -> None:
        """Note that a ref was used, for `backsight gc` removes refs of caches by the age of their last use."""
        key, data = path(kind, name), target.encode()
        if not self.bucket.fresh(key, len(data), FRESH):
            self.guard.swap(key, data, data)

    def all(self, kind: str) -> dict[str, str]:
        """Name -> target of every ref of a kind."""
        prefix = path(kind, "")
        names = [name.removeprefix(prefix) for name in self.bucket.names(prefix)]
        targets = {name: self.get(kind, name) for name in names if re.fullmatch(NAME, name)}
        return {name: target for name, target in targets.items() if target is not None}


def path(kind: str, name: str) -> str:
    """The ref's key in its bucket; with an empty name, the prefix of its kind."""
    if not re.fullmatch(KIND, kind) or (name and not re.fullmatch(NAME, name)):
        raise UsageError(f"{kind}/{name} cannot name a ref: use letters, digits, dots, dashes and underscores.")
    return f"refs/{kind}/{name}"
