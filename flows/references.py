"""What `latest` means for each input of a stage, and who is champion."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from flows.parameters import LATEST
from flows.plan import CHAMPION, NIGHT, RIVAL, Inputs, Stage, stage_spec
from tasks.errors import UsageError
from tasks.spec import REGISTERED, ManifestId

if TYPE_CHECKING:
    from tasks.preset import Preset
    from tasks.store import ArtefactStore

KIND = "latest"
"""Refs `latest/<stage>` point at what a stage published last."""


def note_latest(store: ArtefactStore, stage: Stage, product: ManifestId) -> None:
    """Remember what a stage has published, for those who ask for `latest`."""
    store.set_ref(KIND, stage, product)


def resolve(
    store: ArtefactStore, stage: Stage, inputs: Mapping[str, str | None], preset: Preset
) -> dict[str, ManifestId | None]:
    """The inputs with `latest` replaced by what it means now; `UsageError` where there is nothing yet."""
    known = {name: value for name, value in inputs.items() if value != LATEST}
    sources = next(step.sources for step in NIGHT if step.stage is stage)
    for name in inputs.keys() - known.keys():
        known[name] = None if sources[name] == RIVAL else latest(store, Stage(sources[name]))
    if inputs.get(CHAMPION) == LATEST:
        known[CHAMPION] = rival(store, known["evaluation"], preset)
    return known


def latest(store: ArtefactStore, stage: Stage) -> ManifestId:
    """What a stage published last."""
    product = store.ref(KIND, stage)
    if product is None:
        raise UsageError(
            f"There is no latest outcome of {stage}, since it has not run yet: run `backsight run {stage}` first, "
            "or give a manifest id."
        )
    return product


def champion(store: ArtefactStore) -> ManifestId | None:
    """The champion's checkpoint, as the ledger of verdicts has it; None before the first promotion."""
    from tasks.promote.ledger import Ledger

    head = Ledger(store, REGISTERED).head()
    return head.entry.champion if head else None


def known_verdict(store: ArtefactStore, checkpoint: ManifestId) -> ManifestId | None:
    """The verdict that was passed on a checkpoint."""
    return store.ref("verdict", checkpoint.partition("/")[2])


def rival(store: ArtefactStore, evaluation: ManifestId | None, preset: Preset) -> ManifestId | None:
    """The champion's evaluation on the data of another evaluation; None where there is no champion to beat."""
    from tasks.evaluation import read_evaluation
    from tasks.stage import cached

    reigning = champion(store)
    if reigning is None or evaluation is None:
        return None
    measured = read_evaluation(store, evaluation)
    if measured.checkpoint == reigning:
        return None
    inputs: Inputs = {"dataset": measured.dataset, "checkpoint": reigning}
    known = cached(store, stage_spec(Stage.EVALUATE, preset, 0, inputs))
    if known is None:
        raise UsageError(
            f"The champion has not been measured on {measured.dataset}: run "
            f"`backsight run evaluate --set dataset={measured.dataset} --set checkpoint={reigning}` first."
        )
    return known.outputs["evaluation"]
