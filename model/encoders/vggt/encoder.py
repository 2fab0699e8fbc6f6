"""VGGT as a geometry encoder: sizes, order of views, units and weights."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from model.batch import Geometry, Views
from model.config import NetworkConfig
from model.encoders.base import GeometryEncoder, patch_centres
from model.encoders.vggt.network import VGGT
from model.errors import DataError
from model.geometry import decode_poses
from model.placement import plain_arithmetic


class VGGTEncoder(GeometryEncoder):
    """Feeds VGGT with the current view first, so that its frame of reference is the current camera."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.size, self.patches = config.vggt.image_size, config.patches
        self.token_width = 2 * config.vggt.width
        self.vggt = VGGT(config.vggt)
        if config.vggt.weights is not None:
            load_public_weights(self.vggt, config.vggt.weights)

    def forward(self, views: Views) -> Geometry:
        """See `GeometryEncoder`; only `rgb` and `valid` are read."""
        height, width = views.rgb.shape[-2:]
        output = self.vggt(*self._inputs(views))
        steps = torch.stack(output.pose_steps, dim=2).roll(-1, dims=1).float()
        poses = steps[:, :, -1]
        depth = resize(output.depth.roll(-1, dims=1).float(), height, width)
        with plain_arithmetic(depth.device):
            to_current, intrinsics = decode_poses(poses, height, width)
            points, _ = patch_centres(depth, intrinsics, to_current, self.patches)
        world = output.points.roll(-1, dims=1).float().movedim(-1, 2)
        return Geometry(
            tokens=output.tokens.roll(-1, dims=1),
            points=points,
            points_valid=views.valid[..., None].expand(points.shape[:-1]),
            depth=depth,
            depth_conf=resize(output.depth_conf.roll(-1, dims=1).float(), height, width),
            pose_enc=poses,
            pose_drafts=steps[:, :, :-1],
            world_points=resize(world, height, width).movedim(2, -1),
            world_points_conf=resize(output.points_conf.roll(-1, dims=1).float(), height, width),
        )

    def tokens(self, views: Views) -> Tensor:
        """See `GeometryEncoder`: the trunk without the heads."""
        levels = self.vggt.aggregator(*self._inputs(views))
        return levels[-1][:, :, self.vggt.aggregator.placeless :].roll(-1, dims=1)

    def learns_geometry(self) -> bool:
        """See `GeometryEncoder`: whether one of the heads is trained."""
        trained = (name for name, value in self.vggt.named_parameters() if value.requires_grad)
        return any(not name.startswith("aggregator.") for name in trained)

    def _inputs(self, views: Views) -> tuple[Tensor, Tensor | None]:
        """Images of VGGT's size, the current view first, and which views are valid (None = all)."""
        images = resize(views.rgb, self.size, self.size).roll(1, dims=1)
        return images, None if bool(views.valid.all()) else views.valid.roll(1, dims=1)


def resize(maps: Tensor, height: int, width: int) -> Tensor:
    """[B, S, (C,) h, w] -> [B, S, (C,) height, width], bilinear; the same tensor where the size is right."""
    if maps.shape[-2:] == (height, width):
        return maps
    flat = maps.flatten(0, 1) if maps.ndim == 5 else maps
    flat = functional.interpolate(flat, size=(height, width), mode="bilinear", antialias=True)
    return flat.unflatten(0, maps.shape[:2]) if maps.ndim == 5 else flat


def load_public_weights(vggt: VGGT, source: str) -> None:
    """Fill VGGT from a checkpoint: a .safetensors or .pt file, a folder that holds one, or a hub id.

    The track head's tensors are passed over.

    Raises:
        DataError: no checkpoint is there, or its tensors are those of another architecture.
    """
    state = {name: value for name, value in _read_tensors(source).items() if not name.startswith("track_head.")}
    wanted = vggt.state_dict()
    strange = sorted(set(wanted) ^ set(state)) or sorted(n for n in wanted if wanted[n].shape != state[n].shape)
    if strange:
        raise DataError(
            f"{source} holds another architecture than the config's VGGT: see {strange[0]}. Check its sizes."
        )
    vggt.load_state_dict(state)


def _read_tensors(source: str) -> dict[str, Tensor]:
    path = Path(source)
    if not path.exists():
        from huggingface_hub import snapshot_download

        path = Path(snapshot_download(source, allow_patterns=["*.safetensors"]))
    files = [path] if path.is_file() else sorted([*path.glob("*.safetensors"), *path.glob("*.pt")])
    if not files:
        raise DataError(f"{source} holds no .safetensors or .pt file with VGGT's weights. Give the checkpoint's path.")
    if files[0].suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(files[0])
    return torch.load(files[0], map_location="cpu", weights_only=True)
