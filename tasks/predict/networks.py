"""From a name to a network that answers: a checkpoint's folder, or what the store holds."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.errors import DataError, UsageError
from tasks.spec import MANIFEST_ID

if TYPE_CHECKING:
    from model.predict import Predictor
    from tasks.store import ArtefactStore

CHAMPION = "champion"
REGISTERED = "backsight"
"""Name of the registered model whose champion is meant."""


@dataclass(frozen=True)
class Opened:
    """A network and where it came from."""

    predictor: Predictor
    name: str
    about: dict[str, Any]
    """For the record: phase and step of the training, and the encoders."""


def open_network(name: str, device: str | None, unload_language: bool) -> Opened:
    """The network of that name (see `PredictSettings.model`).

    Raises `UsageError` for a name that leads nowhere, `DataError` for what is no checkpoint.
    """
    from model.predict import Predictor
    from model.training.checkpoint import CheckpointFiles, read_config

    if name != CHAMPION and not re.fullmatch(MANIFEST_ID, name):
        if not Path(name).is_dir():
            raise UsageError(
                f"There is no model {name!r}: say {CHAMPION}, the folder of a checkpoint, or an id like "
                "checkpoint/<64 hex digits>."
            )
        predictor = Predictor.open(name, device, unload_language)
        return _opened(predictor, name, read_config(CheckpointFiles.inside(Path(name))))
    from tasks.store import open_store

    store = open_store()
    id = reigning(store) if name == CHAMPION else name
    files = stored_files(store, id)
    return _opened(Predictor.load(files, device, unload_language), id, read_config(files))


def reigning(store: ArtefactStore) -> str:
    """The champion's checkpoint, as the ledger of verdicts has it; its chain and the signature are checked."""
    from tasks.promote.signing import trusted_champion

    champion = trusted_champion(store, REGISTERED)
    if champion is None:
        raise UsageError(
            "There is no champion yet: run a night with `backsight demo`, or name a checkpoint with --model."
        )
    return champion


def stored_files(store: ArtefactStore, id: str) -> Any:
    """A checkpoint's files in the local cache; the optimiser's state stays in the store."""
    from model.training.checkpoint import NAMES, CheckpointFiles

    manifest = store.manifest(id)
    if manifest.kind != "checkpoint":
        raise DataError(f"{id} is a {manifest.kind}, not a checkpoint: give what a training stage published.")
    wanted = {name: blob for name, blob in manifest.blobs.items() if name != NAMES["state"]}
    return CheckpointFiles.named({name: store.fetch(blob) for name, blob in wanted.items()})


def _opened(predictor: Predictor, name: str, config: Any) -> Opened:
    about = {"phase": config.phase, "step": config.step, "encoders": list(config.network.encoders)}
    return Opened(predictor, name, about)
