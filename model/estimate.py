"""Depth and cameras of a film, as the network's own geometry encoder sees them: what a video does not tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray

from model.batch import Views
from model.encoders.base import GeometryEncoder
from model.errors import UsageError
from model.geometry import decode_poses
from model.placement import device_of
from model.spatial_mllm import SpatialMLLM

Floats = NDArray[np.float64]

NO_SENSORS = (
    "This model reads measured depth and camera poses, and a video has none: give a recorded episode with --episode, "
    "or a model with the encoder vggt (network.encoders in its preset)."
)


@dataclass(frozen=True)
class Surroundings:
    """Geometry of n views."""

    pose: Floats
    """[n, 4, 4] camera-to-world, OpenCV; estimated: the world is the last view's camera."""
    depth: NDArray[np.float32]
    """[n, H, W] z-depth in the poses' unit."""
    intrinsics: Floats
    """[n, 3, 3] pixels."""
    confidence: NDArray[np.float32] | None = None
    """[n, H, W] of the depth."""

    def at(self, rows: list[int]) -> Surroundings:
        """The same of some of the views."""
        sure = None if self.confidence is None else self.confidence[rows]
        return Surroundings(self.pose[rows], self.depth[rows], self.intrinsics[rows], sure)


def needs_sensors(network: SpatialMLLM) -> bool:
    """Whether the encoder that places things in space reads measured depth and poses."""
    return bool(network.encoders[network.config.encoders[0]].reads_sensors)


def estimator(network: SpatialMLLM) -> GeometryEncoder | None:
    """The first of the network's encoders that sees depth and cameras in pictures alone."""
    seeing = (encoder for encoder in network.encoders.values() if not encoder.reads_sensors)
    return cast(GeometryEncoder | None, next(seeing, None))


def estimate(network: SpatialMLLM, rgb: NDArray[np.uint8]) -> Surroundings:
    """Geometry of views [n, H, W, 3] of one scene, the current one last.

    Raises `UsageError` where no encoder of the network can tell it.
    """
    encoder = estimator(network)
    if encoder is None:
        raise UsageError(NO_SENSORS)
    with torch.inference_mode(), network.arithmetic(device_of(encoder)):
        seen = encoder(pictures(rgb).to(device_of(encoder))).to("cpu")
    poses, intrinsics = decode_poses(seen.pose_enc[0].double(), *rgb.shape[1:3])
    return Surroundings(
        pose=poses.numpy(),
        depth=seen.depth[0].float().numpy(),
        intrinsics=intrinsics.numpy(),
        confidence=seen.depth_conf[0].float().numpy(),
    )


def pictures(rgb: NDArray[np.uint8], known: Surroundings | None = None) -> Views:
    """Views [1, n] of pictures [n, H, W, 3], with their geometry where it is known; else depth is 0 = unknown."""
    count, height, width = rgb.shape[:3]
    if known is None:
        blank = np.zeros((count, height, width), np.float32)
        lens = np.array([[width, 0, width / 2], [0, width, height / 2], [0, 0, 1]])
        known = Surroundings(np.tile(np.eye(4), (count, 1, 1)), blank, np.tile(lens, (count, 1, 1)))
    return Views(
        rgb=torch.from_numpy(rgb.astype(np.float32) / 255).permute(0, 3, 1, 2)[None],
        depth=torch.from_numpy(known.depth.astype(np.float32))[None],
        pose=torch.from_numpy(known.pose.astype(np.float32))[None],
        intrinsics=torch.from_numpy(known.intrinsics.astype(np.float32))[None],
        valid=torch.ones(1, count, dtype=torch.bool),
    )
