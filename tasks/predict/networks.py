"""From a name to a network that answers: a checkpoint's folder, or what the store holds."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.checkpoints import fetch_checkpoint
from tasks.errors import UsageError
from tasks.spec import MANIFEST_ID, REGISTERED

if TYPE_CHECKING:
    from model.predict import Predictor
    from tasks.store import ArtefactStore

CHAMPION = "champion"


@dataclass(frozen=True)
class Opened:
    """A network and where it came from."""

    predictor: Predictor
    name: str
    about: dict[str, Any]
    """For the record: phase and step of the training, and the encoders."""
    note: str = ""
    """What is to be known of it before it is believed."""


def open_network(name: str, device: str | None, unload_language: bool) -> Opened:
    """The network of that name (see `PredictSettings.model`).

    Raises `UsageError` for a name that leads nowhere; `DataError` for what is no checkpoint, and for one that the gate
    has judged and whose signature is missing or does not hold.
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
    id, note = (reigning(store), "") if name == CHAMPION else (name, vouched(store, name))
    files = fetch_checkpoint(store, id)
    return _opened(Predictor.load(files, device, unload_language), id, read_config(files), note)


def reigning(store: ArtefactStore) -> str:
    """The champion's checkpoint, as the ledger of verdicts has it; its chain and the signature are checked."""
    from tasks.promote.signing import trusted_champion

    champion = trusted_champion(store, REGISTERED)
    if champion is None:
        raise UsageError(
            "There is no champion yet: run a night with `backsight demo`, or name a checkpoint with --model."
        )
    return champion


def vouched(store: ArtefactStore, id: str) -> str:
    """What is to be said of a checkpoint that was named by its id: nothing where a trusted key has signed it.

    Its bytes are those of its name in any case. Raises `DataError` where a signature does not hold, and where the
    ledger knows the checkpoint, so that it must have one.
    """
    from tasks.promote.ledger import Ledger
    from tasks.promote.signing import require_signature, signature_of

    judged = signature_of(store, id) is not None
    if judged or any(id == written.entry.checkpoint for written in Ledger(store, REGISTERED).entries()):
        require_signature(store, id)
        return ""
    return f"{id} was never judged by the gate, so nobody has signed it."


def _opened(predictor: Predictor, name: str, config: Any, note: str = "") -> Opened:
    about = {"phase": config.phase, "step": config.step, "encoders": list(config.network.encoders)}
    return Opened(predictor, name, about, note)
