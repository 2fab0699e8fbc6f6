"""Baselines made of a network's own encoders without what it was taught to do with them: appearance, and geometry."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from model.baselines import soften, target_maps
from model.batch import Views
from model.estimate import estimator
from model.geometry import decode_poses
from model.labels import build_targets
from model.placement import device_of
from model.spatial_mllm import SpatialMLLM
from tasks.scores import Floats

TEMPERATURE = 0.07
"""Of the cosine similarities; CLIP's and DINO's usual value."""


def appearance(network: SpatialMLLM, views: Views, none_rate: float) -> Floats | None:
    """[V, K, C] where the current view looks like the keyframe: each cell's best cosine over the keyframe's patches.

    A softmax of the cosines of the network's DINOv3 tokens; `none_rate` goes to the none bin. None without DINOv3.
    """
    if network.dinov3 is None:
        return None
    device = device_of(network.dinov3)
    with torch.inference_mode(), network.arithmetic(device):
        tokens = network.dinov3(views.rgb.to(device)).to("cpu").float()
    unit = torch.nn.functional.normalize(tokens, dim=-1)
    best = torch.einsum("vnd,vkmd->vknm", unit[:, -1], unit[:, :-1]).amax(dim=-1)
    grid = cells((best / TEMPERATURE).softmax(dim=-1), network.config.grid).double().numpy()
    return soften(np.concatenate([grid * (1 - none_rate), np.full((*grid.shape[:2], 1), none_rate)], axis=-1))


def cells(patches: Tensor, grid: int) -> Tensor:
    """[V, K, N] shares of N square patches -> [V, K, grid * grid] of the cells of the same picture."""
    side = math.isqrt(patches.shape[-1])
    square = patches.unflatten(-1, (side, side)).flatten(0, 1)[:, None]
    spread = torch.nn.functional.interpolate(square, size=(grid, grid), mode="bilinear", align_corners=False)
    flat = spread.flatten(1).unflatten(0, patches.shape[:2])
    return flat / flat.sum(dim=-1, keepdim=True)


def reprojection(network: SpatialMLLM, views: Views) -> Floats | None:
    """[V, K, C] the targets' own rule on the depth and poses that the network's geometry encoder sees in the pictures.

    None where no encoder of the network does without sensors.
    """
    encoder = estimator(network)
    if encoder is None:
        return None
    device = device_of(encoder)
    with torch.inference_mode(), network.arithmetic(device):
        seen = encoder(views.to(device)).to("cpu")
    height, width = views.rgb.shape[-2:]
    pose, intrinsics = decode_poses(seen.pose_enc.double(), height, width)
    guessed = Views(views.rgb, seen.depth.float(), pose.float(), intrinsics.float(), views.valid)
    return soften(target_maps(build_targets(guessed, network.config.grid, network.config.patches)))
