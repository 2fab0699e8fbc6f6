"""The trained state in shares, one a rank: who holds which tensor, how a share is written, how all of them are read.

No rank ever holds the whole state: rank r writes the tensors that `deal` gives it, whole, so that any number of ranks
can go on from them. What is said of the training (config, history) stands in the metadata of every share.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model.errors import DataError

if TYPE_CHECKING:
    from torch import Tensor

RANKS = "ranks"
"""Metadata: how many shares there are."""


def deal(sizes: Mapping[str, int], ranks: int) -> dict[str, int]:
    """Name -> rank: the largest first, each to the rank that holds least, so that shares are about as large."""
    held = [0] * ranks
    dealt = {}
    for name in sorted(sizes, key=lambda name: (-sizes[name], name)):
        rank = held.index(min(held))
        dealt[name] = rank
        held[rank] += sizes[name]
    return dealt


def share_name(step: int, rank: int, ranks: int) -> str:
    """File name of a rank's share of the state after `step` updates."""
    return f"step-{step:08}-share-{rank:05}-of-{ranks:05}.safetensors"


def write_share(path: Path, tensors: Mapping[str, Tensor], ranks: int, said: Mapping[str, str]) -> None:
    """One rank's share; `said` is the same in all of them."""
    from safetensors.torch import save_file

    path.parent.mkdir(parents=True, exist_ok=True)
    contiguous = {name: tensor.contiguous() for name, tensor in sorted(tensors.items())}
    save_file(contiguous, path, metadata={**said, RANKS: str(ranks)})


@dataclass(frozen=True)
class SavedState(Mapping[str, "Tensor"]):
    """All tensors of a state, each read from its share when it is asked for."""

    place: Mapping[str, Any]
    """Name -> the open share that holds it."""
    said: Mapping[str, str]
    """Metadata."""

    def __getitem__(self, name: str) -> Tensor:
        tensor: Tensor = self.place[name].get_tensor(name)
        return tensor

    def __iter__(self) -> Iterator[str]:
        return iter(self.place)

    def __len__(self) -> int:
        return len(self.place)


def read_state(shares: Sequence[Path]) -> SavedState:
    """The state in these shares. Raises `DataError` for a damaged share, or where one is missing."""
    place: dict[str, Any] = {}
    said: dict[str, str] = {}
    for path in shares:
        share = _opened(path)
        said = dict(share.metadata() or {})
        place |= dict.fromkeys(share.keys(), share)
    if len(shares) != int(said.get(RANKS, 0)):
        there = ", ".join(path.name for path in shares) or "nothing"
        raise DataError(
            f"A training's state is in {said.get(RANKS, 'no')} shares, but there is {there}: start the training anew."
        )
    return SavedState(place, said)


def _opened(path: Path) -> Any:
    """The share at a path; a `DataError` where it cannot be read."""
    from safetensors import SafetensorError, safe_open

    try:
        return safe_open(path, framework="pt")
    except (SafetensorError, OSError) as error:
        raise DataError(f"{path} is damaged ({error}): start the training anew.") from error
