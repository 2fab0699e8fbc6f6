"""VGGT's arithmetic against independent forms of what was published: DINOv2, rotary and sine positions, refinement."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from transformers import Dinov2WithRegistersConfig, Dinov2WithRegistersModel

from model.config import VGGTConfig
from model.encoders.vggt.blocks import rotary_table, rotate
from model.encoders.vggt.camera_head import CameraHead
from model.encoders.vggt.dense_head import DenseHead, ResidualUnit, _sine_positions
from model.encoders.vggt.network import VGGT
from model.encoders.vggt.patch_embed import DinoV2

WIDTH, DEPTH, HEADS, PATCH, REGISTERS, TABLE = 32, 2, 2, 4, 3, 6


def library_names(name: str) -> str:
    """The name of one of our DINOv2's parameters in transformers."""
    for ours, theirs in {
        "patch_embed.proj.": "embeddings.patch_embeddings.projection.",
        "cls_token": "embeddings.cls_token",
        "pos_embed": "embeddings.position_embeddings",
        "register_tokens": "embeddings.register_tokens",
        "mask_token": "embeddings.mask_token",
        "norm.": "layernorm.",
    }.items():
        if name.startswith(ours):
            return name.replace(ours, theirs, 1)
    for ours, theirs in {
        "blocks.": "encoder.layer.",
        ".attn.proj.": ".attention.o_proj.",
        ".ls1.gamma": ".layer_scale1.lambda1",
        ".ls2.gamma": ".layer_scale2.lambda1",
    }.items():
        name = name.replace(ours, theirs)
    return name


def library_state(ours: DinoV2) -> dict[str, torch.Tensor]:
    """Our weights under the library's names; queries, keys and values apart."""
    state = {}
    for name, value in ours.state_dict().items():
        if ".attn.qkv." in name:
            for part, third in zip(("q_proj", "k_proj", "v_proj"), value.chunk(3), strict=True):
                state[library_names(name).replace("attn.qkv", f"attention.{part}")] = third
        else:
            state[library_names(name)] = value
    return state


@torch.no_grad()
@pytest.mark.parametrize("size", [(24, 24), (16, 24), (32, 32)])
def test_the_patch_embedding_is_the_librarys_dinov2(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    ours = DinoV2(WIDTH, DEPTH, HEADS, PATCH, REGISTERS, TABLE).eval()
    for parameter in ours.parameters():
        parameter += 0.1 * torch.randn_like(parameter)
    config = Dinov2WithRegistersConfig(
        hidden_size=WIDTH,
        num_hidden_layers=DEPTH,
        num_attention_heads=HEADS,
        patch_size=PATCH,
        image_size=TABLE * PATCH,
        num_register_tokens=REGISTERS,
        layer_norm_eps=1e-6,
    )
    theirs = Dinov2WithRegistersModel(config).eval()
    theirs.load_state_dict(library_state(ours))
    images = torch.randn(2, 3, *size)
    expected = theirs(images).last_hidden_state[:, 1 + REGISTERS :]
    torch.testing.assert_close(ours(images), expected, atol=1e-5, rtol=1e-5)


def test_heads_turn_by_row_and_column_counted_from_one() -> None:
    rows, columns, special, width = 2, 3, 2, 8
    tokens = torch.randn(1, 1, special + rows * columns, width)
    turned = rotate(tokens, rotary_table(rows, columns, special, width, torch.device("cpu"))).numpy()[0, 0]
    for number, token in enumerate(tokens.numpy()[0, 0]):
        row, column = (
            (0, 0) if number < special else (1 + (number - special) // columns, 1 + (number - special) % columns)
        )
        for half, place in ((0, row), (1, column)):
            real, imaginary = token[4 * half : 4 * half + 2], token[4 * half + 2 : 4 * half + 4]
            spun = (real + 1j * imaginary) * np.exp(1j * place * 100.0 ** -(np.arange(2) / 2))
            found = turned[number, 4 * half : 4 * half + 2] + 1j * turned[number, 4 * half + 2 : 4 * half + 4]
            np.testing.assert_allclose(found, spun, atol=1e-5)


def test_sine_positions_span_the_plane_of_half_diagonal_one() -> None:
    code = _sine_positions(8, 3, 5, 5 / 3, torch.device("cpu")).numpy()
    diagonal = np.hypot(5, 3)
    for row in range(3):
        for column in range(5):
            # Cells' centres of a plane from -5/diagonal to 5/diagonal across, in steps of 2/diagonal.
            x, y = (2 * column - 4) / diagonal, (2 * row - 2) / diagonal
            expected = [np.sin(x), np.sin(x / 10), np.cos(x), np.cos(x / 10)]
            expected += [np.sin(y), np.sin(y / 10), np.cos(y), np.cos(y / 10)]
            np.testing.assert_allclose(code[:, row, column], expected, atol=1e-6)


def test_refinements_add_up_and_do_not_train_each_other() -> None:
    torch.manual_seed(0)
    head = CameraHead(VGGTConfig(camera_iterations=3))
    tokens = torch.randn(1, 2, 128)
    steps = head(tokens)
    leaf = head.empty_pose_tokens
    reached = [torch.autograd.grad(step.sum(), leaf, retain_graph=True, allow_unused=True)[0] for step in steps]
    assert reached[0] is not None and reached[0].any(), "the first refinement starts from the empty pose"
    assert reached[1] is None and reached[2] is None, "later ones start from a pose that they take as it is"
    with torch.no_grad():
        head.pose_branch.fc2.weight.zero_()
        head.pose_branch.fc2.bias.fill_(-0.25)
        poses = torch.stack(head(tokens))
    expected = torch.tensor([-0.25, -0.5, -0.75])[:, None, None, None]
    torch.testing.assert_close(poses[..., :7], expected.expand(3, 1, 2, 7))
    assert not poses[..., 7:].any(), "a field of view is not negative, while the refinement goes on below zero"


@torch.no_grad()
def test_the_residual_units_skip_carries_the_rectified_input() -> None:
    unit = ResidualUnit(4)
    for parameter in unit.conv2.parameters():
        parameter.zero_()
    maps = torch.randn(1, 4, 3, 3)
    torch.testing.assert_close(unit(maps), maps.clamp_min(0))


@torch.no_grad()
def test_dense_heads_read_the_named_levels_without_camera_and_registers() -> None:
    torch.manual_seed(0)
    config = VGGTConfig(depth=4, dpt_layers=(0, 1, 2, 3))
    head, levels = DenseHead(config, channels=1), list(torch.randn(5, 1, 2, 5 + 16, 128))
    values, confidence = head(levels, 5, 64, 64)
    levels[4].add_(1)
    for level in levels:
        level[:, :, :5] = 7
    same, _ = head(levels, 5, 64, 64)
    torch.testing.assert_close(values, same)
    levels[3].mul_(2).add_(torch.randn_like(levels[3]))
    assert not torch.allclose(head(levels, 5, 64, 64)[0], values)
    assert values.shape == (1, 2, 64, 64, 1) and (confidence > 1).all()


@torch.no_grad()
@pytest.mark.parametrize("patch_embed", ["conv", "dinov2"])
def test_under_autocast_the_stream_of_tokens_and_the_heads_stay_float32(patch_embed: str) -> None:
    torch.manual_seed(0)
    network, images = VGGT(VGGTConfig(patch_embed=patch_embed)).eval(), torch.rand(1, 2, 3, 64, 64)
    entering: list[torch.dtype] = []
    for block in (*network.aggregator.frame_blocks, *network.aggregator.global_blocks):
        block.register_forward_pre_hook(lambda _, inputs: entering.append(inputs[0].dtype))
    with torch.autocast("cpu", torch.bfloat16):
        levels = network.aggregator(images)
        found = network(images)
    assert set(entering) == {torch.float32}
    raw, confidence = network.depth_head(levels, 5, 64, 64)
    torch.testing.assert_close(found.depth, raw[..., 0].exp(), atol=0, rtol=0)
    torch.testing.assert_close(found.depth_conf, confidence, atol=0, rtol=0)
    points, confidence = network.point_head(levels, 5, 64, 64)
    torch.testing.assert_close(found.points, points.sign() * torch.expm1(points.abs()), atol=0, rtol=0)
    torch.testing.assert_close(found.points_conf, confidence, atol=0, rtol=0)
    torch.testing.assert_close(found.pose_steps, network.camera_head(levels[-1][:, :, 0]), atol=0, rtol=0)
