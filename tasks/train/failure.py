"""Why the first of several ranks failed: one file that only the first to fail can write."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from tasks.errors import BacksightError

FOLDER_VARIABLE = "BACKSIGHT_RANKS"
"""Folder in which the ranks of one launch leave word; unset where somebody else started them."""

PEER_GONE = ("Connection closed by peer", "Connection reset by peer", "Broken pipe", "Connection refused")
"""What gloo says when another rank is no more."""


@dataclass(frozen=True)
class Failure:
    """What went wrong first."""

    rank: int
    error: str
    exit_code: int


class PeerFailed(BacksightError):
    """Another rank failed first; this carries its sentence."""


def folder() -> Path | None:
    """Where the ranks leave word."""
    named = os.environ.get(FOLDER_VARIABLE)
    return Path(named) if named else None


def leave_word(rank: int, error: BaseException) -> None:
    """Note a failure, unless another rank has failed before."""
    place = folder()
    if place is None:
        return
    said = " ".join(str(error).split()) if isinstance(error, BacksightError) else f"{type(error).__name__}: {error}"
    code = error.exit_code if isinstance(error, BacksightError) else 1
    mine = place / f"rank-{rank}.json"
    mine.write_text(json.dumps(asdict(Failure(rank, said, code))))
    try:
        os.link(mine, place / "first.json")
    except FileExistsError:
        return


def first(place: Path | None) -> Failure | None:
    """The failure that came first."""
    if place is None or not (place / "first.json").exists():
        return None
    return Failure(**json.loads((place / "first.json").read_text()))


def of_peer(rank: int, error: Exception) -> Exception:
    """The failure to report instead of `error`: the peer's own words where a peer failed first."""
    known = first(folder())
    if known is not None and known.rank != rank:
        failed = PeerFailed(f"Rank {known.rank} failed: {known.error}")
        failed.exit_code = known.exit_code
        return failed
    if isinstance(error, RuntimeError) and any(sign in str(error) for sign in PEER_GONE):
        return PeerFailed("Another rank died without a word: it may have run out of memory; lower the phase's batch.")
    return error
