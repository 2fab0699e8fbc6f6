"""The stage: one checkpoint and the baselines on a fixed plan of held-out views."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from model.batch import Batch, Targets
from model.data.loader import view_batches
from model.data.reader import ViewReader
from model.data.views import View, evaluation_views
from model.data.walks import open_dataset
from model.labels import LABEL_VERSION
from model.metrics import identity_chance
from model.predict import Predictor
from tasks.card import model_card
from tasks.checkpoints import fetch_checkpoint
from tasks.datasets import fetch_split, open_files
from tasks.errors import DataError, UsageError
from tasks.evaluate.cost import encoded, measure_cost
from tasks.evaluate.page import evaluation_page
from tasks.evaluate.pictures import draw_pictures
from tasks.evaluate.record import BASELINE, record
from tasks.evaluate.scoring import collect, plan_rows, score
from tasks.evaluate.shards import ScoreShelf, Shard, shards_of, together
from tasks.evaluate.spec import EvaluateSpec, EvaluationPlan
from tasks.evaluate.systems import Learnt, answers
from tasks.evaluation import COST, MODEL, Evaluation
from tasks.navigate import lab
from tasks.progress import Progress, Track
from tasks.scores import ScoreBook, Scores, write_scores
from tasks.sealed import SPLIT, require_permit
from tasks.spec import ManifestId
from tasks.stage import StageContext, StageOutcome
from tasks.store import ArtefactStore, Manifest

if TYPE_CHECKING:
    from tasks.evaluate.navigation import Walked

TRAIN = "train"
"""Split whose targets the mean maps are learnt from."""

NAVIGATION = "navigation.parquet"
"""One row an agent and episode of the closed loop."""


@dataclass(frozen=True)
class Bench:
    """Everything that a measurement needs: the same for every model but the predictor."""

    predictor: Predictor
    reader: ViewReader
    views: Sequence[View]
    plan: EvaluationPlan


def evaluate(spec: EvaluateSpec, context: StageContext) -> StageOutcome:
    """Publishes `metrics.json`, `views.parquet`, `report.html` and pictures; what an answer costs becomes a ref.

    Raises `UsageError` for a dataset that was not found good, a split that it does not have, the sealed split without
    the gate's permit, a checkpoint that takes other keyframes than the plan asks for, walks where habitat-lab is
    missing; `DataError` for a model that predicts no numbers.
    """
    if spec.plan.split == SPLIT:
        require_permit(context.store, spec.permit, spec.dataset, spec.checkpoint)
    bench = set_up(spec, context)
    started = time.monotonic()
    book = measure(bench, context.progress, ScoreShelf(context.store, spec))
    seconds = time.monotonic() - started
    if lost := book.systems[MODEL].broken(book.plan):
        raise DataError(
            f"{spec.checkpoint} predicts no number (NaN) in {lost} of {len(bench.views)} views: look at the curves of "
            "its training run, and train it again with a lower learning rate."
        )
    chance = identity_chance(book.plan.valid, book.plan.visible)
    walked = closed_loop(bench, spec, context)
    evaluation = record(book, spec, bench.predictor.config.grid, LABEL_VERSION, chance)
    if walked:
        evaluation = evaluation.model_copy(update={"navigation": walked.figures(spec.plan)})
        walked.write(context.scratch / NAVIGATION)
    write_scores(book, context.scratch / "views.parquet")
    (context.scratch / "metrics.json").write_text(evaluation.model_dump_json(indent=1))
    with context.progress.track("draw pictures", 4, "pictures") as track:
        pictures = draw_pictures(bench.predictor, bench.reader, bench.views, book, context.scratch / "pictures")
        track.advance(len(pictures))
    (context.scratch / "report.html").write_text(evaluation_page(evaluation, book, pictures))
    (context.scratch / "model_card.md").write_text(model_card(evaluation))
    id = publish(spec, context, evaluation, pictures)
    cost = measure_cost(bench.predictor, bench.reader, bench.views)
    context.store.set_ref(COST, id.partition("/")[2], encoded(cost))
    (context.scratch / "report.html").write_text(evaluation_page(evaluation, book, pictures, cost))
    for name in ("metrics.json", "report.html"):
        context.run.file(context.scratch / name)
    told = {**figures(evaluation), **cost, "measuring_seconds": seconds}
    return StageOutcome({"evaluation": id}, told, tuple(pictures))


def closed_loop(bench: Bench, spec: EvaluateSpec, context: StageContext) -> Walked | None:
    """The walks of all agents, where the plan asks for them."""
    if not spec.plan.navigation.episodes:
        return None
    from tasks.evaluate.navigation import walk

    collected = context.store.manifest(spec.dataset).meta.get("plan") or {}
    episodes = bench.reader.dataset.files.episodes
    return walk(bench.predictor, episodes, collected, spec.plan, context.scratch, context.progress)


def set_up(spec: EvaluateSpec, context: StageContext) -> Bench:
    """The predictor, the dataset and the plan of views."""
    plan = spec.plan
    if plan.navigation.episodes:
        lab.prepare()
    files = open_files(context.store, spec.dataset)
    predictor = load_predictor(context.store, spec.checkpoint)
    slots = predictor.config.keyframes
    if plan.keyframes > slots:
        raise UsageError(
            f"The plan asks for {plan.keyframes} keyframes, but {spec.checkpoint} takes {slots}: it comes from another "
            f"preset; use that one, or set evaluate.keyframes to {slots} at most."
        )
    dataset = open_dataset(files)
    fetch_split(dataset, plan.split, context.progress)
    views = evaluation_views(dataset, plan.split, plan.views, plan.keyframes, plan.seed)
    return Bench(predictor, ViewReader(dataset, predictor.config, predictor.tokenizer), views, plan)


def load_predictor(store: ArtefactStore, id: ManifestId) -> Predictor:
    """The checkpoint's network."""
    return Predictor.load(fetch_checkpoint(store, id))


def measure(bench: Bench, progress: Progress, shelf: ScoreShelf) -> ScoreBook:
    """Scores of all systems on all planned views, shard by shard; those on the shelf are not measured again."""
    shards = list(shards_of(len(bench.views), bench.plan.batch, bench.plan.shard_views))
    books = {shard: book for shard in shards if (book := shelf.take(shard)) is not None}
    if len(books) == len(shards):
        return together([books[shard] for shard in shards])
    learnt = learn(bench, progress)
    with progress.track("evaluate", len(bench.views), "views") as track:
        for shard in shards:
            if shard in books:
                track.advance(shard.stop - shard.start, kept="yes")
            else:
                books[shard] = shelf.keep(shard, measure_shard(bench, shard, learnt, track))
    return together([books[shard] for shard in shards])


def measure_shard(bench: Bench, shard: Shard, learnt: Learnt, track: Track) -> ScoreBook:
    """Scores of all systems on the views of one shard."""
    views = bench.views[shard.start : shard.stop]
    truths: list[Targets] = []

    def parts() -> Iterator[Mapping[str, Scores]]:
        for batch in view_batches(bench.reader, views, bench.plan.batch):
            truths.append(batch.targets)
            yield scored(bench, batch, learnt, generator_at(bench.plan.seed, int(batch.row[0])))
            track.advance(len(batch.row))

    pieces = list(parts())
    return collect(pieces, plan_rows(bench.reader.dataset, views, bench.predictor.config.keyframes, truths))


def generator_at(seed: int, start: int) -> torch.Generator:
    """The randomness of the batch that begins at a view: the same however the plan is cut into shards."""
    digest = hashlib.sha256(f"{seed}/{start}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))


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
    said = answers(batch, prediction, before, learnt, bench.predictor.network, draw)
    return {name: score(answer, batch, learnt.places) for name, answer in said.items()}


def figures(evaluation: Evaluation) -> dict[str, float]:
    """What MLflow plots: the model's figures, the baseline's, and the paired difference in KLD and AP none."""
    told = {name: estimate.value for name, estimate in evaluation.model.items()}
    told |= {f"{BASELINE}.{name}": e.value for name, e in evaluation.systems[BASELINE].items()}
    for name in ("kld", "ap_none"):
        estimate = evaluation.differences[BASELINE][name]
        told |= {f"difference.{name}.{end}": getattr(estimate, end) for end in ("value", "low", "high")}
    told |= {f"navigation.{name}": e.value for name, e in evaluation.navigation.get(MODEL, {}).items()}
    return {name: value for name, value in told.items() if value is not None}


def publish(spec: EvaluateSpec, context: StageContext, evaluation: Evaluation, pictures: Sequence[Path]) -> ManifestId:
    """The evaluation as an artefact."""
    store, scratch = context.store, context.scratch
    files = ["views.parquet", "metrics.json", "report.html", "model_card.md"]
    files += [NAVIGATION] if evaluation.navigation else []
    names = [*files, *(f"pictures/{path.name}" for path in pictures)]
    paths = [*(scratch / name for name in files), *pictures]
    meta = {"split": evaluation.split, "plan": evaluation.plan, "views": evaluation.views, "scenes": evaluation.scenes}
    return store.publish(
        Manifest(
            kind="evaluation",
            blobs={name: store.put_blob(path) for name, path in zip(names, paths, strict=True)},
            inputs={"dataset": spec.dataset, "checkpoint": spec.checkpoint},
            meta=meta,
        )
    )
