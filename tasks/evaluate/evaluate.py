"""The stage: one checkpoint and the baselines on a fixed plan of held-out views."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from model.batch import Batch, Targets
from model.data.loader import view_batches
from model.data.reader import ViewReader
from model.data.views import View, evaluation_views
from model.data.walks import open_dataset
from model.labels import LABEL_VERSION
from model.metrics import identity_chance
from model.predict import Predictor
from model.training.checkpoint import NAMES, CheckpointFiles
from tasks.datasets import fetch_dataset
from tasks.errors import DataError, UsageError
from tasks.evaluate.pictures import draw_pictures
from tasks.evaluate.record import BASELINE, record
from tasks.evaluate.scoring import collect, plan_rows, score
from tasks.evaluate.spec import EvaluateSpec, EvaluationPlan
from tasks.evaluate.systems import Learnt, answers
from tasks.evaluation import MODEL, Evaluation
from tasks.progress import Progress
from tasks.scores import ScoreBook, Scores, write_scores
from tasks.spec import ManifestId
from tasks.stage import StageContext, StageOutcome
from tasks.store import ArtefactStore, Manifest

TRAIN = "train"
"""Split whose targets the mean maps are learnt from."""


@dataclass(frozen=True)
class Bench:
    """Everything that a measurement needs: the same for every model but the predictor."""

    predictor: Predictor
    reader: ViewReader
    views: Sequence[View]
    plan: EvaluationPlan

    def batches(self) -> Iterator[Batch]:
        """The planned views in order."""
        return view_batches(self.reader, self.views, self.plan.batch)


def evaluate(spec: EvaluateSpec, context: StageContext) -> StageOutcome:
    """Publishes `metrics.json`, `views.parquet` and pictures.

    Raises `UsageError` for a dataset that was not found good, a split that it does not have, a checkpoint that takes
    other keyframes than the plan asks for; `DataError` for a model that predicts no numbers.
    """
    bench = set_up(spec, context)
    started = time.monotonic()
    book = measure(bench, context.progress)
    seconds = time.monotonic() - started
    if lost := book.systems[MODEL].broken(book.plan):
        raise DataError(
            f"{spec.checkpoint} predicts no number (NaN) in {lost} of {len(bench.views)} views: look at the curves of "
            "its training run, and train it again with a lower learning rate."
        )
    chance = identity_chance(book.plan.valid, book.plan.visible)
    evaluation = record(book, spec, bench.predictor.config.grid, LABEL_VERSION, chance)
    write_scores(book, context.scratch / "views.parquet")
    (context.scratch / "metrics.json").write_text(evaluation.model_dump_json(indent=1))
    with context.progress.track("draw pictures", 4, "pictures") as track:
        pictures = draw_pictures(bench.predictor, bench.reader, bench.views, book, context.scratch / "pictures")
        track.advance(len(pictures))
    id = publish(spec, context, evaluation, pictures)
    context.run.file(context.scratch / "metrics.json")
    return StageOutcome({"evaluation": id}, {**figures(evaluation), "measuring_seconds": seconds}, tuple(pictures))


def set_up(spec: EvaluateSpec, context: StageContext) -> Bench:
    """The predictor, the dataset and the plan of views."""
    plan = spec.plan
    files = fetch_dataset(context.store, spec.dataset, context.progress)
    predictor = load_predictor(context.store, spec.checkpoint)
    slots = predictor.config.keyframes
    if plan.keyframes > slots:
        raise UsageError(
            f"The plan asks for {plan.keyframes} keyframes, but {spec.checkpoint} takes {slots}: it comes from another "
            f"preset; use that one, or set evaluate.keyframes to {slots} at most."
        )
    dataset = open_dataset(files)
    views = evaluation_views(dataset, plan.split, plan.views, plan.keyframes, plan.seed)
    return Bench(predictor, ViewReader(dataset, predictor.config, predictor.tokenizer), views, plan)


def load_predictor(store: ArtefactStore, id: ManifestId) -> Predictor:
    """The checkpoint's network; its optimiser's state stays in the store."""
    manifest = store.manifest(id)
    if manifest.kind != "checkpoint":
        raise DataError(f"{id} is a {manifest.kind}, not a checkpoint: give what `train` published.")
    wanted = {name: blob for name, blob in manifest.blobs.items() if name != NAMES["state"]}
    return Predictor.load(CheckpointFiles.named({name: store.fetch(blob) for name, blob in wanted.items()}))


def measure(bench: Bench, progress: Progress) -> ScoreBook:
    """Scores of all systems on all planned views."""
    learnt = learn(bench, progress)
    truths: list[Targets] = []
    draw = torch.Generator().manual_seed(bench.plan.seed)

    def parts() -> Iterator[Mapping[str, Scores]]:
        with progress.track("evaluate", len(bench.views), "views") as track:
            for batch in bench.batches():
                truths.append(batch.targets)
                yield scored(bench, batch, learnt, draw)
                track.advance(len(batch.row))

    pieces = list(parts())
    return collect(pieces, plan_rows(bench.reader.dataset, bench.views, bench.predictor.config.keyframes, truths))


def learn(bench: Bench, progress: Progress) -> Learnt:
    """What the baselines know, from views of the train split."""
    plan, reader = bench.plan, bench.reader
    views = evaluation_views(reader.dataset, TRAIN, plan.baseline_views, plan.keyframes, plan.seed)
    with progress.track("learn baselines", len(views), "views") as track:

        def counted() -> Iterator[Batch]:
            for batch in view_batches(reader, views, plan.batch):
                yield batch
                track.advance(len(batch.row))

        return Learnt.of(counted())


def scored(bench: Bench, batch: Batch, learnt: Learnt, draw: torch.Generator) -> dict[str, Scores]:
    """Scores of all systems on one batch."""
    prediction = bench.predictor.predict(batch.views, batch.text)
    planned = [bench.views[row] for row in batch.row.tolist()]
    before = bench.reader.batch([replace(view, current=view.current - 1) for view in planned]).targets
    said = answers(batch, prediction, before, learnt, bench.predictor.config, draw)
    valid = batch.views.valid[:, :-1].numpy()
    return {name: score(answer, batch.targets, valid) for name, answer in said.items()}


def figures(evaluation: Evaluation) -> dict[str, float]:
    """What MLflow plots: the model's figures, the baseline's, and the paired difference in KLD and AP none."""
    told = {name: estimate.value for name, estimate in evaluation.model.items()}
    told |= {f"{BASELINE}.{name}": e.value for name, e in evaluation.systems[BASELINE].items()}
    for name in ("kld", "ap_none"):
        estimate = evaluation.differences[BASELINE][name]
        told |= {f"difference.{name}.{end}": getattr(estimate, end) for end in ("value", "low", "high")}
    return {name: value for name, value in told.items() if value is not None}


def publish(spec: EvaluateSpec, context: StageContext, evaluation: Evaluation, pictures: Sequence[Path]) -> ManifestId:
    """The evaluation as an artefact."""
    store, scratch = context.store, context.scratch
    names = ["views.parquet", "metrics.json", *(f"pictures/{path.name}" for path in pictures)]
    paths = [scratch / "views.parquet", scratch / "metrics.json", *pictures]
    meta = {"split": evaluation.split, "plan": evaluation.plan, "views": evaluation.views, "scenes": evaluation.scenes}
    return store.publish(
        Manifest(
            kind="evaluation",
            blobs={name: store.put_blob(path) for name, path in zip(names, paths, strict=True)},
            inputs={"dataset": spec.dataset, "checkpoint": spec.checkpoint},
            meta=meta,
        )
    )
