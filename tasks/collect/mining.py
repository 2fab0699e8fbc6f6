"""Failure mining: where the champion fails, as views that hard walks of the next collection lead to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tasks.collect.spec import CollectPlan, HardView, Split
from tasks.datasets import open_files
from tasks.errors import DataError, UsageError
from tasks.evaluation import MODEL, read_book, read_evaluation

if TYPE_CHECKING:
    from model.data.walks import WalkDataset
    from tasks.scores import ScoreBook
    from tasks.spec import ManifestId
    from tasks.store import ArtefactStore

MINED = (Split.VAL_SEEN, Split.TRAIN)
"""Splits whose scenes may be trained on. Held-out scenes are not mined, however the champion fails there."""

WEIGHTS = (0.25, 4.0)
"""Least and most that a view's error, compared with the median's, makes it more frequent."""


def with_hard_views(plan: CollectPlan, store: ArtefactStore) -> CollectPlan:
    """The plan with the views that its evaluation was worst at; the plan as it is where it names no evaluation."""
    if plan.mined_from is None:
        return plan
    views = hard_views(store, plan.mined_from, plan.mined_scenes, plan.mined_views)
    return plan.model_copy(update={"hard": (*plan.hard, *views)})


def hard_views(store: ArtefactStore, evaluation: ManifestId, scenes: int, views: int) -> tuple[HardView, ...]:
    """The worst views of the worst scenes of an evaluation.

    `UsageError` for an evaluation on held-out scenes, `DataError` for one whose views its dataset does not have.
    """
    from model.data.walks import open_dataset

    record = read_evaluation(store, evaluation)
    if record.split not in {split.value for split in MINED}:
        raise UsageError(
            f"{evaluation} measures the split {record.split}, whose scenes are held out and must not be trained on: "
            f"evaluate on {MINED[0].value} to mine failures."
        )
    dataset = open_dataset(open_files(store, record.dataset))
    return placed(read_book(store, evaluation), dataset, scenes, views)


def placed(book: ScoreBook, dataset: WalkDataset, scenes: int, views: int) -> tuple[HardView, ...]:
    """The chosen views with the places where their cameras' feet stood."""
    errors = view_errors(book)
    walks = {walk.episode: number for number, walk in enumerate(dataset.walks)}
    found = []
    for row in worst(book.plan.scene, errors, scenes, views):
        number = walks.get(str(book.plan.episode[row]))
        if number is None:
            raise DataError(
                f"The dataset has no episode {book.plan.episode[row]}, which was evaluated: evaluate again."
            )
        walk = dataset.walks[number]
        place = dataset.pose[walk.start + int(book.plan.frame[row]), :3, 3].copy()
        place[1] -= dataset.camera_height[number]
        x, y, z = (round(float(value), 3) for value in place)
        found.append(HardView(scene=walk.scene, position=(x, y, z), weight=weight(errors, row)))
    return tuple(found)


def view_errors(book: ScoreBook) -> NDArray[np.float64]:
    """[V] mean KLD of the model over each view's keyframes."""
    valid = book.plan.valid
    errors = np.where(valid, book.systems[MODEL].kld, 0.0).sum(axis=1) / np.maximum(valid.sum(axis=1), 1)
    return np.asarray(errors)


def worst(scene: NDArray[np.str_], errors: NDArray[np.float64], scenes: int, views: int) -> list[int]:
    """Rows of the `views` worst views in each of the `scenes` worst scenes, worst first."""
    names = sorted(set(scene.tolist()))
    means = {name: float(errors[scene == name].mean()) for name in names}
    chosen = sorted(names, key=lambda name: (-means[name], name))[:scenes]
    return [
        int(row)
        for name in chosen
        for row in sorted(np.flatnonzero(scene == name).tolist(), key=lambda row: (-errors[row], row))[:views]
    ]


def weight(errors: NDArray[np.float64], row: int) -> float:
    """How much more often than the median view a view is to be walked to, within bounds."""
    usual = float(np.median(errors))
    share = float(errors[row]) / usual if usual > 0 else 1.0
    return round(min(max(share, WEIGHTS[0]), WEIGHTS[1]), 3)
