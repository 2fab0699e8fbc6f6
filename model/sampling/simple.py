"""The samplers that need no scene: `uniform` in time, `quality` of the pictures, `fast` by pose and time."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from model.sampling.past import Past

Float = NDArray[np.float64]


@dataclass(frozen=True)
class UniformSampler:
    """Evenly spread over the past, the first and the last frame included. Reads nothing."""

    def sample(self, past: Past, count: int) -> list[int]:
        """Ascending frame numbers, min(count, n) of them."""
        wanted = min(count, past.count)
        return np.floor(np.linspace(0, past.count - 1, wanted) + 0.5).astype(int).tolist()


@dataclass(frozen=True)
class QualitySampler:
    """The best picture of each of `count` equal stretches of the past. Reads `rgb`, `confidence` if any."""

    sharpness: float = 0.5
    exposure: float = 0.3
    confidence: float = 0.2

    def sample(self, past: Past, count: int) -> list[int]:
        """Ascending frame numbers, min(count, n) of them."""
        wanted = min(count, past.count)
        if wanted == 0:
            return []
        score = self.scores(past)
        return [int(frames[score[frames].argmax()]) for frames in np.array_split(np.arange(past.count), wanted)]

    def scores(self, past: Past) -> Float:
        """[n] weighted sum of the ranks (0 worst, 1 best) by sharpness, exposure and mean confidence."""
        assert past.rgb is not None, "the quality sampler reads rgb"
        grey = [cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY) for image in past.rgb]
        sharp = np.array([cv2.Laplacian(image, cv2.CV_32F).var() for image in grey])
        # The share of pixels that are neither crushed nor burnt.
        exposed = np.array([((image > 15) & (image < 240)).mean() for image in grey])
        total = self.sharpness * ranks(sharp) + self.exposure * ranks(exposed)
        if past.confidence is not None:
            total += self.confidence * ranks(past.confidence.reshape(past.count, -1).mean(axis=1))
        return total


@dataclass(frozen=True)
class FastSampler:
    """Farthest points in pose and time: each pick is the frame that is least like all picks before. Reads `pose`."""

    time: float = 0.25
    """How far apart the first and the last frame count for their time alone, in units of `pose_distances`."""

    def sample(self, past: Past, count: int) -> list[int]:
        """Ascending frame numbers, min(count, n) of them."""
        assert past.pose is not None, "the fast sampler reads poses"
        if past.count == 0:
            return []
        reach = translation_unit(past.pose)
        moments = np.linspace(0, self.time, past.count)
        distance = np.full(past.count, np.inf)
        picked: list[int] = []
        while len(picked) < min(count, past.count):
            latest = int(distance.argmax())
            picked.append(latest)
            from_latest = pose_distances(past.pose, latest, reach) + np.abs(moments - moments[latest])
            distance = np.minimum(distance, from_latest)
            distance[picked] = -np.inf
        return sorted(picked)


def ranks(values: Float) -> Float:
    """[n] rank of each value between 0 (least) and 1 (most); equal values share their mean rank."""
    ordered = np.sort(values)
    middle = (np.searchsorted(ordered, values, "left") + np.searchsorted(ordered, values, "right") - 1) / 2
    return middle / max(1, len(values) - 1)


def translation_unit(pose: Float) -> float:
    """The length that counts as one unit of distance: half the diagonal of the walk's bounding box, 1 if it stands."""
    spread = np.ptp(pose[:, :3, 3], axis=0)
    return float(np.linalg.norm(spread)) / 2 or 1.0


def pose_distances(pose: Float, index: int, reach: float) -> Float:
    """[n] distance of every camera to camera `index`: translation / `reach` + (1 - cosine between the gazes) / 2."""
    moved = np.linalg.norm(pose[:, :3, 3] - pose[index, :3, 3], axis=1) / reach
    turned = (1 - pose[:, :3, 2] @ pose[index, :3, 2]) / 2
    return moved + turned
