"""From answers batch by batch to one score book over the whole plan."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields

import numpy as np

from model.batch import Batch, Targets
from model.data.views import View
from model.data.walks import WalkDataset
from model.metrics import class_confusion, view_scores
from tasks.evaluate.pointing import pointing
from tasks.evaluate.systems import Answer
from tasks.scores import Floats, PlanRows, ScoreBook, Scores


def score(answer: Answer, batch: Batch, usual: Floats) -> Scores:
    """One system's scores on a batch; `usual` [G * G] = where places lie in any view."""
    truth, valid = batch.targets, batch.views.valid[:, :-1].numpy()
    visible = truth.visible.numpy()
    scores = view_scores(answer.maps, truth.heatmap.double().numpy(), valid, visible)
    points = pointing(answer.maps, truth, batch.views, valid & visible, usual)
    return Scores(**vars(scores), **points, confusion=confusion(answer, truth))


def confusion(answer: Answer, truth: Targets) -> np.ndarray:
    """[V, 3, 3] cells by true and predicted class; zero where the system names none."""
    if answer.classes is None:
        return np.zeros((len(truth.classes), 3, 3))
    # A baseline that copies labels may have none for a cell; out of view is what it then says.
    return class_confusion(np.maximum(answer.classes, 0), truth.classes.numpy())


def collect(parts: Iterable[Mapping[str, Scores]], plan: PlanRows) -> ScoreBook:
    """Join the scores of consecutive batches."""
    pieces: dict[str, list[Scores]] = defaultdict(list)
    for part in parts:
        for name, scores in part.items():
            pieces[name].append(scores)
    return ScoreBook(plan, {name: joined(systems) for name, systems in pieces.items()})


def joined(parts: Sequence[Scores]) -> Scores:
    """Scores of consecutive batches as one."""
    return Scores(**{f.name: np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(Scores)})


def plan_rows(dataset: WalkDataset, views: Sequence[View], slots: int, truths: Sequence[Targets]) -> PlanRows:
    """Who the planned views are, and what is true of their keyframes. `slots` = K of the network."""
    walks = [dataset.walks[dataset.walk[view.current]] for view in views]
    rows = np.array([[*view.keyframes, *[-1] * (slots - len(view.keyframes))] for view in views])
    return PlanRows(
        scene=np.array([walk.scene for walk in walks]),
        episode=np.array([walk.episode for walk in walks]),
        stratum=np.array([walk.stratum for walk in walks]),
        frame=dataset.frame[[view.current for view in views]].astype(np.int64),
        keyframes=np.where(rows >= 0, dataset.frame[rows], -1).astype(np.int64),
        visible=np.concatenate([truth.visible.numpy() for truth in truths]),
        certain=np.concatenate([truth.certain.numpy() for truth in truths]),
    )
