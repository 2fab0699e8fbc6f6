"""VGGT: the published names and shapes, its symmetries, and its use as a geometry encoder."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from model.config import NetworkConfig, VGGTConfig
from model.encoders.vggt.encoder import VGGTEncoder, load_public_weights
from model.encoders.vggt.network import VGGT
from model.errors import DataError
from tests.model.random_views import random_views

INVENTORY = Path(__file__).with_name("vggt_1b_inventory.json")
PARAMETERS = 1_190_596_120


def published_inventory() -> dict[str, list[int]]:
    """Name -> shape of the public checkpoint's tensors; `{a..b}` in the file stands for the numbers a to b."""
    inventory = {}
    for pattern, shape in json.loads(INVENTORY.read_text()).items():
        span = re.search(r"\{(\d+)\.\.(\d+)\}", pattern)
        numbers = range(int(span[1]), int(span[2]) + 1) if span else [None]
        for number in numbers:
            inventory[pattern.replace(span[0], str(number)) if span else pattern] = shape
    return inventory


def test_published_size_has_the_public_checkpoints_tensors() -> None:
    with torch.device("meta"):
        network = VGGT(VGGTConfig.published())
    inventory = published_inventory()
    assert len(inventory) == 1403
    assert {name: list(value.shape) for name, value in network.state_dict().items()} == inventory
    assert sum(parameter.numel() for parameter in network.parameters()) == PARAMETERS


@pytest.fixture(scope="module")
def small() -> VGGTConfig:
    return VGGTConfig(width=32, depth=2, heads=2, patch_embed="dinov2", patch_size=8, image_size=32, dpt_width=8)


def noisy(network: torch.nn.Module) -> torch.nn.Module:
    """Move all weights from their start, where many branches are nearly zero."""
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    return network.eval()


def test_outputs_have_their_shapes_and_ranges(small: VGGTConfig) -> None:
    torch.manual_seed(0)
    output = VGGT(small)(torch.rand(2, 3, 3, 32, 48))
    assert output.tokens.shape == (2, 3, 24, 64)
    assert [step.shape for step in output.pose_steps] == [(2, 3, 9)] * small.camera_iterations
    assert output.points.shape == (2, 3, 32, 48, 3)
    assert (output.depth > 0).all() and (output.depth_conf >= 1).all() and (output.points_conf >= 1).all()
    assert (output.pose_steps[-1][..., 7:] >= 0).all()


def test_views_after_the_first_can_be_swapped(small: VGGTConfig) -> None:
    network, images = noisy(VGGT(small)), torch.rand(1, 3, 3, 32, 32)
    order = [0, 2, 1]
    one, other = network(images), network(images[:, order])
    torch.testing.assert_close(one.depth[:, order], other.depth, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(one.pose_steps[-1][:, order], other.pose_steps[-1], atol=1e-4, rtol=1e-4)
    first = network(images[:, [1, 0, 2]])
    assert (one.pose_steps[-1][:, [1, 0, 2]] - first.pose_steps[-1]).abs().max() > 1e-3


def test_dense_heads_do_not_depend_on_the_chunk_of_views(small: VGGTConfig) -> None:
    network, images = noisy(VGGT(small)), torch.rand(1, 3, 3, 32, 32)
    whole = network(images)
    network.depth_head.chunk = network.point_head.chunk = 2
    torch.testing.assert_close(network(images).points, whole.points)


def test_padded_views_are_not_seen(small: VGGTConfig) -> None:
    config = NetworkConfig(image_size=32, patches=4, grid=8, encoders=("vggt",), vggt=small)
    encoder, views = noisy(VGGTEncoder(config)), random_views(2, 2, size=32)
    padded = replace(views, valid=torch.tensor([[False, True, True]] * 2))
    other = replace(padded, rgb=torch.cat([torch.rand_like(views.rgb[:, :1]), views.rgb[:, 1:]], dim=1))
    for one, same in zip(encoder(padded).to("cpu").__dict__.values(), encoder(other).__dict__.values(), strict=True):
        torch.testing.assert_close(one[:, 1:], same[:, 1:])


def test_encoder_tells_points_in_the_current_cameras_frame() -> None:
    encoder, views = VGGTEncoder(NetworkConfig(encoders=("vggt",))), random_views(2, 2)
    geometry = encoder(views)
    assert geometry.tokens.shape == (2, 3, 16, 128) and geometry.points.shape == (2, 3, 64, 3)
    # The points of the current view lie at its own depths: their z is the depth of the patch's middle pixel,
    # whatever pose the network gives to that view, once that pose is taken back out.
    from model.geometry import decode_poses, invert, transform

    to_current, _ = decode_poses(geometry.pose_enc, 64, 64)
    local = transform(invert(to_current), geometry.points)
    torch.testing.assert_close(local[..., 2].unflatten(2, (8, 8)), geometry.depth[..., 4::8, 4::8])


def test_public_weights_load_and_foreign_ones_do_not(small: VGGTConfig, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    source, target = noisy(VGGT(small)), VGGT(small)
    state = source.state_dict() | {"track_head.weight": torch.zeros(1)}
    save_file(state, tmp_path / "model.safetensors")
    load_public_weights(target, str(tmp_path))
    images = torch.rand(1, 2, 3, 32, 32)
    torch.testing.assert_close(source(images).points, target.eval()(images).points)
    with pytest.raises(DataError, match="aggregator"):
        load_public_weights(VGGT(small.model_copy(update={"depth": 3})), str(tmp_path))
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds no"):
        load_public_weights(target, str(tmp_path / "empty"))
