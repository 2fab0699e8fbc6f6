"""Keeps the state of a training while it goes on: each rank writes its share in a thread; all agree when it is kept."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from model.errors import BacksightError
from model.training.shares import share_name, write_share

if TYPE_CHECKING:
    from torch import Tensor

    from model.training.ranks import World


class Vault(Protocol):
    """Where shares lie so that every rank of every node can have them. Called from a thread of the keeper."""

    def put(self, share: Path) -> str:
        """Take the file over; answers the name by which it is had again."""
        ...

    def get(self, name: str) -> Path:
        """The file of that name, on this machine."""
        ...


@dataclass(frozen=True)
class FolderVault:
    """A folder that all ranks see; holds each rank's two newest shares."""

    folder: Path

    def put(self, share: Path) -> str:
        """Move the file into the folder."""
        self.folder.mkdir(parents=True, exist_ok=True)
        share.rename(self.folder / share.name)
        # The newest may be one that other ranks have not written yet; the one before it is whole.
        mine = sorted(self.folder.glob(f"*-{share.name.partition('-share-')[2]}"))
        for old in mine[:-2]:
            old.unlink()
        return share.name

    def get(self, name: str) -> Path:
        """The path in the folder."""
        return self.folder / name

    def newest(self) -> tuple[Path, ...]:
        """The shares of the newest state that is whole; none where there is none."""
        by_step: dict[str, list[Path]] = {}
        for share in sorted(self.folder.glob("step-*.safetensors")):
            by_step.setdefault(share.name.partition("-share-")[0], []).append(share)
        whole = [found for found in by_step.values() if len(found) == int(found[0].stem.rpartition("-")[2])]
        return tuple(whole[-1]) if whole else ()


@dataclass(frozen=True)
class Kept:
    """A state that all ranks have put into the vault."""

    step: int
    names: tuple[str, ...]
    """The shares' names in the vault, by rank."""


class Keeper:
    """One rank's side of keeping a state; every rank begins and collects at the same steps."""

    def __init__(self, folder: Path, world: World, vault: Vault) -> None:
        self.folder, self.world, self.vault = folder, world, vault
        self.step: int | None = None
        """Updates in the state that is being kept; None = nothing is."""
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="keep-state")
        self._work: Future[str] | None = None

    @property
    def ready(self) -> bool:
        """Whether this rank's share is put, or has failed to be: once all are ready, `collect` waits for nobody."""
        return self._work is not None and self._work.done()

    def begin(self, step: int, share: Mapping[str, Tensor], said: Mapping[str, str]) -> None:
        """Start to write and put this rank's share, whose tensors must not change any more."""
        assert self.step is None, "a state is still being kept"
        self.step = step
        self._work = self._pool.submit(self._put, share_name(step, self.world.rank, self.world.size), share, said)

    def collect(self) -> Kept:
        """Wait for all ranks' shares. Collective. Raises what went wrong, on every rank, whichever rank it befell."""
        from torch import distributed

        assert self.step is not None and self._work is not None, "no state is being kept"
        work, step, self._work, self.step = self._work, self.step, None, None
        cause = work.exception()
        mine = work.result() if cause is None else cause if isinstance(cause, BacksightError) else None
        told: list[str | BacksightError | None] = [None] * self.world.size
        distributed.all_gather_object(told, mine)
        if cause is not None:
            raise cause
        names: list[str] = []
        for rank, word in enumerate(told):
            if not isinstance(word, str):
                raise word or BacksightError(f"Rank {rank} could not keep its share of the state after step {step}.")
            names.append(word)
        return Kept(step, tuple(names))

    def close(self) -> None:
        """End the thread; what it has in hand is finished first."""
        self._pool.shutdown()

    def _put(self, name: str, share: Mapping[str, Tensor], said: Mapping[str, str]) -> str:
        path = self.folder / name
        write_share(path, share, self.world.size, said)
        return self.vault.put(path)
