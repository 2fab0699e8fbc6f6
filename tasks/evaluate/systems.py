"""Every system's maps on one batch: the checkpoint's, and those of the baselines that it has to beat."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from model import baselines
from model.baselines import target_maps
from model.batch import Batch, Prediction, Targets, Views
from tasks.evaluate import frozen
from tasks.evaluate.pointing import usual_places
from tasks.evaluation import MODEL

if TYPE_CHECKING:
    from model.config import NetworkConfig
    from model.spatial_mllm import SpatialMLLM

Maps = NDArray[np.float64]
Classes = NDArray[np.int64]

NOISE = {"oracle_05cm": (0.05, 1.0), "oracle_10cm": (0.10, 2.0), "oracle_25cm": (0.25, 5.0)}
"""Metres and degrees of pose error of the noisy oracles: the yardstick of "as good as localisation within x cm"."""


@dataclass(frozen=True)
class Answer:
    """What one system says of V views."""

    maps: Maps
    """[V, K, C] distributions over the cells and the none bin."""
    classes: Classes | None = None
    """[V, K, G, G]; None for systems that know no classes."""


@dataclass(frozen=True)
class Learnt:
    """What the baselines know of the train split."""

    maps: Maps
    """[U, K, C] targets."""
    valid: NDArray[np.bool_]
    """[U, K]"""
    none_rate: float
    """Share of valid pairs that are out of view."""
    commonest: Classes
    """[K, G, G] commonest class of each cell by keyframe slot."""
    places: Maps
    """[G * G] how often a keyframe's place lies in each cell of a view; sum 1."""

    @classmethod
    def of(cls, batches: Iterable[Batch]) -> Learnt:
        """From batches of the train split."""
        maps, valid, visible, votes = [], [], [], []
        for batch in batches:
            maps.append(target_maps(batch.targets))
            valid.append(batch.views.valid[:, :-1].numpy())
            visible.append(batch.targets.visible.numpy())
            votes.append(np.stack([(batch.targets.classes == c).sum(0).numpy() for c in range(3)]))
        targets, known, seen = (np.concatenate(parts) for parts in (maps, valid, visible))
        none_rate = 1 - float(seen[known].mean())
        commonest = np.sum(votes, axis=0).argmax(axis=0)
        return cls(targets, known, none_rate, commonest, usual_places(targets, known & seen))


def answers(
    batch: Batch, prediction: Prediction, before: Targets, learnt: Learnt, network: SpatialMLLM, draw: torch.Generator
) -> dict[str, Answer]:
    """System -> its answer to a batch; `before` are the targets of the frames before, for the same keyframes."""
    views, keyframes = batch.targets.visible.shape
    truth, config = target_maps(batch.targets), network.config
    grid = config.grid
    cells = grid * grid + 1
    shape = (views, *learnt.commonest.shape)
    return {
        MODEL: Answer(model_maps(prediction), prediction.classes.argmax(dim=2).numpy()),
        "uniform": Answer(baselines.uniform(views, keyframes, cells)),
        "always_none": Answer(baselines.always_none(views, keyframes, cells), np.zeros(shape, np.int64)),
        "centre": Answer(baselines.centre_prior(views, keyframes, grid, learnt.none_rate)),
        "train_mean": Answer(baselines.train_mean(learnt.maps, learnt.valid, views)),
        "slot_mean": Answer(
            baselines.slot_mean(learnt.maps, learnt.valid, views), np.broadcast_to(learnt.commonest, shape)
        ),
        "copy_previous": Answer(baselines.copy_previous(target_maps(before)), before.classes.numpy()),
        **untaught(network, batch.views, learnt),
        **{name: Answer(noisy(batch.views, config, *error, draw)) for name, error in NOISE.items()},
        "oracle": Answer(baselines.oracle(truth), batch.targets.classes.numpy()),
    }


def untaught(network: SpatialMLLM, views: Views, learnt: Learnt) -> dict[str, Answer]:
    """The baselines that the network's own encoders make, as far as it has such encoders."""
    made = {
        "appearance": frozen.appearance(network, views, learnt.none_rate),
        "reprojection": frozen.reprojection(network, views),
    }
    return {name: Answer(maps) for name, maps in made.items() if maps is not None}


def model_maps(prediction: Prediction) -> Maps:
    """[V, K, C] the keyframes' distributions, without the goal query's."""
    return prediction.logits[:, :-1].double().softmax(dim=-1).numpy()


def noisy(views: Views, config: NetworkConfig, metres: float, degrees: float, draw: torch.Generator) -> Maps:
    """The noisy oracle at the network's sizes."""
    return baselines.noisy_oracle(views, config.grid, config.patches, metres, degrees, draw)
