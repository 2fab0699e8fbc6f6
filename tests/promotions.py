"""Published checkpoints and evaluations whose scores are drawn, for tests of what comes after the evaluation."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tasks.evaluation import Evaluation, plan_digest
from tasks.promote.promote import promote
from tasks.promote.spec import Policy, PromoteSpec
from tasks.scores import PlanRows, ScoreBook, write_scores
from tasks.spec import ManifestId, StageResult
from tasks.stage import execute
from tasks.store import ArtefactStore, Manifest
from tasks.summary import difference, over_scenes, summarise
from tests.score_books import plan_rows, scores

POLICY = Policy(resamples=1000, nights=1)
"""A whole alpha for one night: twenty-four scenes are to show a gain of a third."""


def promotion(name: str, evaluation: ManifestId, champion: ManifestId | None = None) -> PromoteSpec:
    """What the gate is asked of a model registered under a name."""
    return PromoteSpec(evaluation=evaluation, champion=champion, policy=POLICY, registered=name)


def night(
    store: ArtefactStore, name: str, error: float, champion: ManifestId | None = None
) -> tuple[str, str, StageResult]:
    """Checkpoint, evaluation and outcome of one challenger."""
    checkpoint = publish_checkpoint(store, f"{name} {error}")
    evaluation = publish_evaluation(store, checkpoint, error, seed=round(1000 * error))
    return checkpoint, evaluation, execute(promotion(name, evaluation, champion), promote)


def aliased(uri: str, name: str) -> dict[str, str]:
    """Alias -> checkpoint by MLflow's own account."""
    from mlflow import MlflowClient

    client = MlflowClient(uri, uri)
    aliases = client.get_registered_model(name).aliases
    return {alias: client.get_model_version(name, version).tags["checkpoint"] for alias, version in aliases.items()}


def publish_checkpoint(store: ArtefactStore, name: str) -> ManifestId:
    """A checkpoint that nobody can load, but everybody can move."""
    files = {"weights.safetensors": f"weights of {name}", "config.json": "{}", "tokenizer.json": "{}"}
    blobs = {file: store.put_blob(content.encode()) for file, content in files.items()}
    return store.publish(Manifest(kind="checkpoint", blobs=blobs, meta={"phase": "joint", "steps": 1}))


def publish_evaluation(
    store: ArtefactStore,
    checkpoint: ManifestId,
    error: float,
    seed: int = 0,
    plan: PlanRows | None = None,
    grid: int = 16,
    labels: str = "1",
) -> ManifestId:
    """An evaluation of a model whose mean KLD is about `error`, beside a slot mean of .8."""
    plan = plan_rows(scenes=24) if plan is None else plan
    book = ScoreBook(plan, {"model": scores(plan, error, seed), "slot_mean": scores(plan, 0.8, 1000)})
    record = evaluation_record(book, checkpoint, grid, labels)
    with tempfile.TemporaryDirectory() as folder:
        write_scores(book, Path(folder) / "views.parquet")
        blobs = {"views.parquet": store.put_blob(Path(folder) / "views.parquet")}
    blobs["metrics.json"] = store.put_blob(record.model_dump_json().encode())
    return store.publish(Manifest(kind="evaluation", blobs=blobs, inputs={"checkpoint": checkpoint}))


def evaluation_record(book: ScoreBook, checkpoint: ManifestId, grid: int = 16, labels: str = "1") -> Evaluation:
    """The record that `evaluate` would write of a book."""
    plan, draws = book.plan, over_scenes(book.plan, 200, 0.95, 0)
    model, slot = book.systems["model"], book.systems["slot_mean"]
    return Evaluation(
        dataset=f"dataset/{'0' * 64}",
        checkpoint=checkpoint,
        split="val_unseen",
        labels=labels,
        plan=plan_digest(plan),
        grid=grid,
        keyframes=plan.keyframes.shape[1],
        views=len(plan.scene),
        scenes=draws.scenes,
        pairs=int(plan.valid.sum()),
        confidence=0.95,
        chance=0.25,
        systems={name: summarise(plan, system, draws) for name, system in book.systems.items()},
        differences={"slot_mean": {m: difference(m, plan, model, slot, draws) for m in ("kld", "ap_none")}},
        strata={},
    )
