"""The simulator's own depth and pose as a geometry encoder: what a perfect encoder would say."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.batch import Geometry, Views
from model.config import NetworkConfig
from model.encoders.base import GeometryEncoder, centre_indices, patch_centres
from model.geometry import encode_poses, relative_pose, transform, unproject
from model.placement import plain_arithmetic

SAMPLES = 4
"""Points that describe a patch's surface, a side."""


class SensorsEncoder(GeometryEncoder):
    """Tokens that hold a patch's surface around its centre, and where its camera stands and looks."""

    reads_sensors = True

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.patches = config.patches
        self.token_width = config.sensors.width
        self.samples = min(SAMPLES, config.image_size // config.patches)
        self.surface = nn.Sequential(
            nn.Linear(4 * self.samples**2, self.token_width), nn.GELU(), nn.Linear(self.token_width, self.token_width)
        )
        self.camera = nn.Linear(12, self.token_width)

    def forward(self, views: Views) -> Geometry:
        """See `GeometryEncoder`; the colours are not read."""
        height, width = views.depth.shape[-2:]
        with plain_arithmetic(views.depth.device):
            to_current = relative_pose(views.pose[:, -1:], views.pose)
            centres, centres_valid = patch_centres(views.depth, views.intrinsics, to_current, self.patches)
            points = transform(to_current, unproject(views.depth, views.intrinsics).flatten(2, 3))
            points = points.unflatten(2, (height, width))
            pose_enc = encode_poses(views.pose, views.intrinsics, height, width)
        certain = torch.ones_like(views.depth)
        return Geometry(
            tokens=self._tokens(points, views.depth > 0, centres, to_current),
            points=centres,
            points_valid=centres_valid & views.valid[..., None],
            depth=views.depth,
            depth_conf=certain,
            pose_enc=pose_enc,
            pose_drafts=pose_enc[:, :, None][:, :, :0],
            world_points=points,
            world_points_conf=certain,
        )

    def tokens(self, views: Views) -> Tensor:
        """See `GeometryEncoder`."""
        return self.forward(views).tokens

    def learns_geometry(self) -> bool:
        """See `GeometryEncoder`: the geometry is measured, not learnt."""
        return False

    def _tokens(self, points: Tensor, valid: Tensor, centres: Tensor, to_current: Tensor) -> Tensor:
        """[B, S, N, D] from points [B, S, H, W, 3], their validity, the patches' centres and the cameras' motions."""
        rows = centre_indices(points.shape[-3], self.patches * self.samples, points.device)
        columns = centre_indices(points.shape[-2], self.patches * self.samples, points.device)
        known = valid[:, :, rows[:, None], columns].to(points.dtype)
        samples = torch.cat([points[:, :, rows[:, None], columns], known[..., None]], dim=-1)
        grouped = samples.unflatten(3, (self.patches, self.samples)).unflatten(2, (self.patches, self.samples))
        grouped = grouped.transpose(3, 4).flatten(4, 5).flatten(2, 3)
        offsets = (grouped[..., :3] - centres[..., None, :]) * grouped[..., 3:]
        surface = torch.cat([functional.softsign(offsets), grouped[..., 3:]], dim=-1).flatten(3)
        camera = torch.cat([to_current[..., :3, :3].flatten(-2), to_current[..., :3, 3]], dim=-1)
        return self.surface(surface) + self.camera(camera)[:, :, None]
