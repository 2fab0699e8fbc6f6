"""What a model must beat: maps [V, K, C] made without a network, each a proper distribution over G * G + 1 cells.

The means are learnt from the train split's targets. The last three look at the truth: they say what knowing it, or
nearly knowing it, would be worth.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.batch import Targets, Views
from model.geometry import quaternion_to_matrix, rigid
from model.labels import build_targets

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

DOUBT = 0.01
"""Share of uniform mass in baselines that would otherwise be certain, so that one mistake does not cost infinity."""

CENTRE_SPREAD = 0.25
"""Standard deviation of the centre prior, in widths of the image."""


def uniform(views: int, keyframes: int, cells: int) -> Floats:
    """Every cell, none among them, is as likely; `cells` = G * G + 1."""
    return np.full((views, keyframes, cells), 1 / cells)


def always_none(views: int, keyframes: int, cells: int) -> Floats:
    """Nothing seen before is ever in view."""
    maps = np.zeros((views, keyframes, cells))
    maps[..., -1] = 1
    return soften(maps)


def centre_prior(views: int, keyframes: int, grid: int, none_rate: float) -> Floats:
    """A Gaussian in the middle of the view, with the train split's rate of invisible pairs on none."""
    centres = (np.arange(grid) + 0.5) / grid - 0.5
    axis = np.exp(-(centres**2) / (2 * CENTRE_SPREAD**2))
    spot = np.outer(axis, axis).ravel()
    one = np.append((1 - none_rate) * spot / spot.sum(), none_rate)
    return np.broadcast_to(one, (views, keyframes, len(one))).copy()


def train_mean(train: Floats, valid: Bools, views: int) -> Floats:
    """The mean target of all valid pairs of the train split; `train` [U, K, C], `valid` [U, K]."""
    mean = soften(train[valid].mean(axis=0))
    return np.broadcast_to(mean, (views, train.shape[1], len(mean))).copy()


def slot_mean(train: Floats, valid: Bools, views: int) -> Floats:
    """The mean target of each keyframe slot: all that the keyframe's index alone can tell. The baseline that counts.

    A slot without any valid pair in the train split gets the mean of all.
    """
    overall = train[valid].mean(axis=0)
    slots = [train[valid[:, k], k].mean(axis=0) if valid[:, k].any() else overall for k in range(train.shape[1])]
    return np.broadcast_to(soften(np.stack(slots)), (views, *train.shape[1:])).copy()


def copy_previous(previous: Floats) -> Floats:
    """The truth of the frame before, with the same keyframes: `previous` [V, K, C] are its targets."""
    return soften(previous)


def oracle(truth: Floats) -> Floats:
    """The truth itself: the ceiling of every score."""
    return np.array(truth, dtype=np.float64)


def noisy_oracle(
    views: Views, grid: int, patches: int, metres: float, degrees: float, generator: torch.Generator
) -> Floats:
    """The targets computed from true depth and wrong poses: how good a map *measured* localisation of this error gives.

    Every keyframe's pose is off by `metres` in a random direction and turned by `degrees` about a random axis
    through its camera, each independently of the others. The tolerance of the occlusion test stays as it is (the
    *naive* oracle): one that widened it by the noise would do better.
    """
    pose = perturb(views.pose, metres, degrees, generator)
    pose[:, -1] = views.pose[:, -1]
    return soften(target_maps(build_targets(replace(views, pose=pose), grid, patches)))


def perturb(pose: Tensor, metres: float, degrees: float, generator: torch.Generator) -> Tensor:
    """[..., 4, 4] poses moved by exactly `metres` and turned by exactly `degrees`, directions and axes at random."""
    direction, axis = torch.nn.functional.normalize(
        torch.randn(2, *pose.shape[:-2], 3, generator=generator, dtype=pose.dtype), dim=-1
    ).to(pose.device)
    half = math.radians(degrees) / 2
    quaternion = torch.cat([axis * math.sin(half), torch.full_like(axis[..., :1], math.cos(half))], dim=-1)
    turned = pose[..., :3, :3] @ quaternion_to_matrix(quaternion)
    return rigid(turned, pose[..., :3, 3] + metres * direction)


def target_maps(targets: Targets) -> Floats:
    """[V, K, C] float64 of a batch's targets."""
    return targets.heatmap.double().cpu().numpy()


def soften(maps: Floats, doubt: float = DOUBT) -> Floats:
    """Mixes [..., C] distributions with the uniform one."""
    return (1 - doubt) * np.asarray(maps, np.float64) + doubt / maps.shape[-1]
