"""One ablation: a network trained from scratch by the engine on one rank, and its scores on held-out views."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray

from model.baselines import slot_mean, target_maps
from model.batch import Batch
from model.data.loader import view_batches
from model.data.questions import all_questions
from model.data.reader import ViewReader
from model.data.stream import TrainingStream
from model.data.views import View, evaluation_views
from model.data.walks import WalkDataset
from model.metrics import divergence, view_scores
from model.spatial_mllm import SpatialMLLM
from model.tokenizer import Tokenizer
from model.training.adaptive import Quality, adapt
from model.training.config import PhaseConfig
from model.training.engine import Engine, Step
from model.training.history import History, summarise
from model.training.objective import Objective
from model.training.stopping import Stopper
from tests.ablations.bypass import Bypass
from tests.ablations.keyframes import resampled
from tests.ablations.variants import Variant, config_of, phase_of

SPLIT, BATCH = "val_unseen", 20
Values = NDArray[np.float64]


@dataclass(frozen=True)
class Outcome:
    """What a variant's network does on V views of K keyframes, and what it cost."""

    seconds: float
    """Processor time of the training loop, loading included."""
    kld: Values
    """[V, K]; NaN where there is no keyframe."""
    distance: Values
    """[V, K] mode to mode, share of the diagonal; NaN where the place is not in view."""
    identity: Values
    """[V, K] likewise."""
    none: Values
    """[V, K] probability that the place is not in view."""
    visible: NDArray[np.bool_]
    """[V, K]"""
    certain: NDArray[np.bool_]
    """[V, K]"""
    goal: Values
    """[V] KLD of the next waypoint's map; NaN where the walk says nothing of it."""
    scene: NDArray[np.str_]
    """[V]"""


@dataclass(frozen=True)
class Trained:
    """A variant's network, and what it needs to answer."""

    network: SpatialMLLM
    reader: ViewReader
    seconds: float


def trained(variant: Variant, dataset: WalkDataset, steps: int, batch: int) -> Trained:
    """Train the variant for `steps` updates of `batch` items. One thread, no other rank."""
    config, known = config_of(variant), trained_on(dataset, variant.buildings)
    spoken = [known.walks[index].instruction for index in known.split("train")]
    tokenizer = Tokenizer.train([*spoken, *all_questions(known.categories.values())], config.language.vocabulary)
    torch.manual_seed(variant.seed)
    network = SpatialMLLM(config, len(tokenizer))
    if not variant.language:
        network.language = Bypass(network.language)  # type: ignore[assignment]
    reader = ViewReader(known, config, tokenizer)
    began = time.process_time()
    train(variant, network, reader, phase_of(variant, steps, batch))
    return Trained(network.eval(), reader, time.process_time() - began)


def asked(variant: Variant, reader: ViewReader, views: int) -> list[View]:
    """The held-out views, with the keyframes of the variant's sampler."""
    count = reader.network.keyframes
    plain = evaluation_views(reader.dataset, SPLIT, views, count, seed=0)
    return resampled(reader.dataset, reader.frames, plain, count, variant.sampler) if variant.sampler else plain


def train(variant: Variant, network: SpatialMLLM, reader: ViewReader, phase: PhaseConfig) -> None:
    """One phase, or two halves of it."""
    if not variant.halves:
        run(network, reader, phase, variant.seed, 0)
        return
    half = phase.model_copy(update={"steps": phase.steps // 2})
    history = run(network, reader, half, variant.seed, 0)
    after, _ = adapt(half.adaptive, half, history, Quality())
    run(network, reader, after, variant.seed, half.steps)


def run(network: SpatialMLLM, reader: ViewReader, phase: PhaseConfig, seed: int, first: int) -> History:
    """A phase on items from number `first` of the stream on."""
    network.set_trainable(phase.trainable)
    engine = Engine(Objective(network.train(), phase.losses), phase, torch.device("cpu"), Stopper())
    stream = TrainingStream(reader.dataset, phase, reader.network.keyframes, seed)
    batches: Iterator[Batch] = (reader.batch(stream.batch(first + i, 0, 1)) for i in range(phase.steps))
    history = History()
    done: Iterator[Step] = (engine.step(batches) for _ in range(phase.steps))
    while recent := list(islice(done, phase.log_every)):
        history.add(summarise(recent))
    engine.sharded.close()
    return history


@torch.inference_mode()
def scored(learnt: Trained, views: list[View]) -> Outcome:
    """Scores on the views."""
    reader = learnt.reader
    parts: dict[str, list[NDArray]] = {}
    for batch in view_batches(reader, views, BATCH):
        logits = learnt.network(batch.views, batch.text).logits.double()
        valid, visible = batch.views.valid[:, :-1].numpy(), batch.targets.visible.numpy()
        maps = logits.softmax(-1).numpy()
        pairs = view_scores(maps[:, :-1], batch.targets.heatmap.double().numpy(), valid, visible)
        goal = divergence(batch.targets.goal.double().numpy(), maps[:, -1])
        found = {
            **{name: getattr(pairs, name) for name in ("kld", "distance", "identity", "none")},
            "visible": visible & valid,
            "certain": batch.targets.certain.numpy() & valid,
            "goal": np.where(batch.targets.goal_valid.numpy(), goal, np.nan),
        }
        for name, values in found.items():
            parts.setdefault(name, []).append(values)
    walks = [reader.dataset.walks[reader.dataset.walk[view.current]] for view in views]
    joined = {name: np.concatenate(values) for name, values in parts.items()}
    return Outcome(seconds=learnt.seconds, scene=np.array([walk.scene for walk in walks]), **joined)


def by_slot(dataset: WalkDataset, parent: str, views: int) -> float:
    """Mean KLD of the mean map by keyframe slot on the same views: what no network is needed for."""
    config = config_of(Variant(parent, "", ""))
    reader = ViewReader(dataset, config, Tokenizer.train(["go"], config.language.vocabulary))

    def maps(split: str, count: int) -> tuple[Values, NDArray[np.bool_]]:
        chosen = evaluation_views(dataset, split, count, config.keyframes, seed=0)
        batches = list(view_batches(reader, chosen, BATCH))
        valid = np.concatenate([batch.views.valid[:, :-1].numpy() for batch in batches])
        return np.concatenate([target_maps(batch.targets) for batch in batches]), valid

    truth, valid = maps(SPLIT, views)
    answer = slot_mean(*maps("train", 4 * views), len(truth))
    return float(divergence(truth, answer)[valid].mean())


def trained_on(dataset: WalkDataset, buildings: int) -> WalkDataset:
    """The dataset with the first buildings of its training split alone; 0 = all."""
    if not buildings:
        return dataset
    there = sorted({dataset.walks[index].scene for index in dataset.split("train")})[:buildings]
    kept = [
        walk if walk.split != "train" or walk.scene in there else replace(walk, split="left out")
        for walk in dataset.walks
    ]
    return replace(dataset, walks=tuple(kept))
