"""A recorded episode as footage, with the geometry that its sensors measured and the truth of its maps."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from model.baselines import target_maps
from model.estimate import Surroundings, pictures
from model.framing import Framing
from model.labels import build_targets
from model.recall import Recall, Stopwatch, Wish, recall
from model.video import Footage, Moment
from tasks.errors import UsageError
from tasks.predict.settings import PredictSettings

if TYPE_CHECKING:
    from model.predict import Predictor
    from tasks.view.episode import Recorded

RATE = 1.0
"""Seconds that a step counts as: recordings have no clock."""


def recall_episode(predictor: Predictor, recorded: Recorded, settings: PredictSettings) -> Recall:
    """What the network says of a recorded view, with its sensors, beside the truth.

    Raises `UsageError` for a current view that the episode does not have.
    """
    clock = Stopwatch()
    with clock("decode"):
        footage, measured = film(recorded, predictor.config.image_size, settings.frame, settings.candidates)
    wish = Wish(settings.instruction or recorded.instruction, settings.algorithm, settings.keyframes)
    answer = recall(predictor, footage, wish, clock, measured)
    rows = [footage.past.index(moment) for moment in answer.keyframes]
    views = pictures(np.stack([m.seen for m in (*answer.keyframes, footage.current)]), measured.at([*rows, -1]))
    targets = build_targets(views, predictor.config.grid, predictor.config.patches)
    return replace(answer, truth=target_maps(targets)[0])


def film(recorded: Recorded, size: int, frame: int | None, limit: int) -> tuple[Footage, Surroundings]:
    """The frames before the current view (at most `limit`, evenly spread) and that view, at the network's size."""
    count = len(recorded.actions)
    current = count - 1 if frame is None else frame
    if not 1 <= current < count:
        raise UsageError(
            f"The episode {recorded.id} has {count} frames: the current view is one of 1 to {count - 1}, not {current}."
        )
    past = np.unique(np.round(np.linspace(0, current - 1, min(limit, current))).astype(int)).tolist()
    rows = [*past, current]
    seen = [square(recorded.rgb[row], size, cv2.INTER_AREA) for row in rows]
    moments = [
        Moment(row, row * RATE, picture, recorded.encoded["rgb"][row]) for row, picture in zip(rows, seen, strict=True)
    ]
    # A mean of two surfaces' depths lies on neither.
    depth = np.stack([square(recorded.depth[row], size, cv2.INTER_NEAREST_EXACT) for row in rows])
    height, width = recorded.depth.shape[1:]
    lens = recorded.intrinsics[rows] * np.array([size / width, size / height, 1.0])[:, None]
    framing = Framing.of(width, height, "crop")
    footage = Footage(tuple(moments[:-1]), moments[-1], recorded.rgb[current], framing, 1 / RATE)
    return footage, Surroundings(recorded.poses[rows], depth, lens)


def square(image: NDArray, size: int, interpolation: int) -> NDArray:
    """An image at the network's size."""
    if image.shape[:2] == (size, size):
        return np.ascontiguousarray(image)
    return np.asarray(cv2.resize(image, (size, size), interpolation=interpolation))
