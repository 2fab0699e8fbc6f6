"""The whole network at tiny size: what its maps may depend on, and what reaches its parts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from model.batch import Prediction, Text, Views
from model.config import DINOv3Config, LanguageConfig, LoraConfig, NetworkConfig, Placement
from model.errors import UsageError
from model.spatial_mllm import SpatialMLLM
from tests.model.random_views import random_text, random_views

KEYFRAMES = 3


def build(**changes: object) -> SpatialMLLM:
    torch.manual_seed(0)
    language = changes.pop("language", LanguageConfig(depth=2, width=64, mlp_width=64, vocabulary=300))
    config = NetworkConfig.model_validate({"encoders": ("sensors",), "language": language, **changes})
    return SpatialMLLM(config, tokenizer_size=64).eval()


@pytest.fixture(scope="module")
def network() -> SpatialMLLM:
    return build()


@pytest.fixture(scope="module")
def views() -> Views:
    return random_views(2, KEYFRAMES)


@pytest.fixture(scope="module")
def text() -> Text:
    return random_text(2, 5)


def maps(prediction: Prediction) -> torch.Tensor:
    return prediction.logits.softmax(dim=-1)


def reorder(views: Views, order: list[int]) -> Views:
    return Views(*(getattr(views, name)[:, order] for name in ("rgb", "depth", "pose", "intrinsics", "valid")))


@torch.no_grad()
def test_shapes_and_ranges(network: SpatialMLLM, views: Views, text: Text) -> None:
    prediction = network(views, text)
    assert prediction.logits.shape == (2, KEYFRAMES + 1, 257) and prediction.logits.dtype == torch.float32
    assert prediction.classes.shape == (2, KEYFRAMES, 3, 16, 16)
    assert prediction.turn.shape == (2, 3)
    assert prediction.current_tokens.shape == (2, 64, 64)
    assert prediction.keyframe_tokens.shape == (2, KEYFRAMES, 64, 64)
    torch.testing.assert_close(prediction.keyframe_tokens.norm(dim=-1), torch.ones(2, KEYFRAMES, 64))


@torch.no_grad()
def test_instruction_changes_the_maps(network: SpatialMLLM, views: Views, text: Text) -> None:
    one, other = network(views, text), network(views, random_text(2, 5, seed=1))
    change = (maps(one) - maps(other)).abs().amax(dim=-1)
    assert (change > 1e-5).all()


@torch.no_grad()
@pytest.mark.parametrize("encoders", [("sensors",), ("sensors", "vggt"), ("vggt",)])
def test_swapped_keyframes_swap_their_maps(encoders: tuple[str, ...], views: Views, text: Text) -> None:
    network, order = build(encoders=encoders), [2, 0, 1]
    one, other = network(views, text), network(reorder(views, [*order, KEYFRAMES]), text)
    torch.testing.assert_close(one.logits[:, [*order, KEYFRAMES]], other.logits, atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(one.classes[:, order], other.classes, atol=1e-3, rtol=1e-3)
    assert (one.logits[:, 0] - one.logits[:, 1]).abs().max() > 1e-2


@torch.no_grad()
def test_a_keyframes_map_depends_on_no_other_keyframe(network: SpatialMLLM, views: Views, text: Text) -> None:
    foreign = random_views(2, KEYFRAMES, seed=1)
    mixed = Views(
        *(
            torch.cat([getattr(views, name)[:, :1], getattr(foreign, name)[:, 1:-1], getattr(views, name)[:, -1:]], 1)
            for name in ("rgb", "depth", "pose", "intrinsics", "valid")
        )
    )
    one, other = network(views, text), network(mixed, text)
    torch.testing.assert_close(one.logits[:, 0], other.logits[:, 0], atol=1e-4, rtol=1e-4)
    assert (one.logits[:, -1] - other.logits[:, -1]).abs().max() > 1e-4


@torch.no_grad()
@pytest.mark.parametrize("encoders", [("sensors",), ("vggt",)])
def test_padding_changes_nothing_else(encoders: tuple[str, ...], views: Views, text: Text) -> None:
    network = build(encoders=encoders)
    short = network(reorder(views, [0, 1, 3]), text)
    valid = torch.tensor([[True, True, False, True]] * 2)
    padded_text = Text(
        torch.cat([text.ids, torch.zeros(2, 4, dtype=torch.int64)], dim=1),
        torch.cat([text.mask, torch.zeros(2, 4, dtype=torch.bool)], dim=1),
    )
    long = network(replace(views, valid=valid), padded_text)
    torch.testing.assert_close(long.logits[:, [0, 1, 3]], short.logits, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(long.turn, short.turn, atol=1e-4, rtol=1e-4)
    assert (maps(long)[:, 2, -1] > 0.999).all()


@torch.no_grad()
def test_no_keyframe_at_all(network: SpatialMLLM, views: Views, text: Text) -> None:
    prediction = network(reorder(views, [KEYFRAMES]), text)
    assert prediction.logits.shape == (2, 1, 257) and prediction.logits.isfinite().all()


@torch.no_grad()
@pytest.mark.parametrize("attention", ["full", "causal"])
def test_other_attentions_see_what_they_should(attention: str, views: Views, text: Text) -> None:
    network = build(language=LanguageConfig(depth=2, width=64, mlp_width=64, attention=attention))
    one, other = network(views, text), network(views, random_text(2, 5, seed=1))
    assert ((maps(one) - maps(other)).abs().amax(dim=-1) > 1e-5).all()
    changed = replace(views, rgb=torch.cat([1 - views.rgb[:, :1], views.rgb[:, 1:]], dim=1))
    last_keyframe = (network(changed, text).logits[:, 1] - one.logits[:, 1]).abs().max()
    assert last_keyframe > 1e-4


def test_gradients_reach_every_trained_parameter(views: Views, text: Text) -> None:
    network = build(encoders=("sensors", "vggt")).train()
    prediction = network(views, text)
    outputs = [prediction.logits, prediction.classes, prediction.turn, prediction.current_tokens]
    outputs += [prediction.keyframe_tokens]
    outputs += [value for part in prediction.geometry for value in part.__dict__.values() if value.requires_grad]
    torch.manual_seed(0)
    sum((value * torch.randn_like(value)).sum() for value in outputs).backward()
    without = [name for name, value in network.named_parameters() if value.requires_grad and value.grad is None]
    assert without == []
    assert network.encoders["vggt"].vggt.aggregator.patch_embed.proj.weight.grad.abs().max() > 0
    assert network.dinov3.backbone.embeddings.patch_embeddings.weight.grad.abs().max() > 0


def test_only_the_named_parts_are_trained(network: SpatialMLLM, views: Views, text: Text) -> None:
    network = build(encoders=("sensors", "vggt"))
    network.set_trainable(("fusion", "encoders.vggt.vggt.camera_head"))
    trained = {name for name, value in network.named_parameters() if value.requires_grad}
    assert trained and all(name.startswith(("fusion.", "encoders.vggt.vggt.camera_head.")) for name in trained)
    network.train()
    assert network.fusion.training and not network.dinov3.training and not network.head.training
    assert not network.encoders["vggt"].vggt.aggregator.training
    network.set_trainable(())
    assert network.dinov3.training
    assert not network.language.backbone.model.visual.training
    with pytest.raises(UsageError, match="did you mean 'fusion'"):
        network.set_trainable(("fusoin",))


def test_config_keeps_parts_frozen() -> None:
    network = build(dinov3=DINOv3Config(trainable=False))
    assert not any(value.requires_grad for value in network.dinov3.parameters())
    assert not network.train().dinov3.training
    with pytest.raises(UsageError, match="freezes"):
        network.set_trainable(("dinov3",))


def test_lora_trains_adapters_alone(views: Views, text: Text) -> None:
    network = build(language=LanguageConfig(depth=2, width=64, mlp_width=64, lora=LoraConfig(rank=2)))
    trained = [name for name, value in network.language.backbone.named_parameters() if value.requires_grad]
    assert trained and all(".lora_" in name and ".language_model." in name for name in trained)
    network(views, text).logits.logsumexp(-1).sum().backward()
    assert all(network.get_parameter(f"language.backbone.{name}").grad is not None for name in trained)


IMAGES_ALONE = {"encoders": ("vggt",), "point_bands": 0, "head": {"near": False, "landing": False}}


def test_images_alone_read_no_depth_and_train_all_that_they_use(views: Views, text: Text) -> None:
    network = build(**IMAGES_ALONE).train()
    heads = ("vggt.camera_head", "vggt.depth_head", "vggt.point_head")
    network.set_trainable(
        ("encoders.vggt.vggt.aggregator", "dinov3", "fusion", "merger", "language", "head", "alignment")
    )
    prediction = network(views, text)
    assert prediction.geometry == (), "nothing reads the dense heads, so they are not run"
    elsewhere = replace(views, depth=views.depth + 1, pose=views.pose.roll(1, dims=1))
    torch.testing.assert_close(network(elsewhere, text).logits, prediction.logits)
    torch.manual_seed(0)
    outputs = (prediction.logits, prediction.classes, prediction.turn)
    sum((value * torch.randn_like(value)).sum() for value in outputs).backward()
    named = [(name, value) for name, value in network.named_parameters() if value.requires_grad]
    assert not [name for name, _ in named if any(head in name for head in heads)]
    assert [name for name, value in named if value.grad is None] == []


@torch.no_grad()
@pytest.mark.parametrize("attention", ["blocks", "causal"])
def test_qwen3_reasons_by_the_same_seam(attention: str, views: Views, text: Text, tmp_path: Path) -> None:
    language = LanguageConfig(architecture="qwen3_vl", depth=2, width=64, mlp_width=64, attention=attention)
    network = build(language=language)
    before = network(views, text)
    assert ((maps(before) - maps(network(views, random_text(2, 5, seed=1)))).abs().amax(dim=-1) > 1e-5).all()
    swapped = network(reorder(views, [1, 0, 2, 3]), text)
    if attention == "blocks":
        torch.testing.assert_close(swapped.logits[:, [1, 0, 2, 3]], before.logits, atol=1e-4, rtol=1e-4)
    network.language.backbone.save_pretrained(tmp_path)
    kept = build(language=language.model_copy(update={"source": str(tmp_path)}))
    state = network.language.backbone.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in kept.language.backbone.state_dict().items())
    with pytest.raises(UsageError, match=r"of the kind qwen3_vl, not qwen2_5_vl: set network\.language\.architecture"):
        build(language=LanguageConfig(source=str(tmp_path)))


def test_weights_survive_saving(network: SpatialMLLM, views: Views, text: Text, tmp_path: object) -> None:
    from safetensors.torch import load_model, save_model

    other = build()
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.zero_()
    save_model(network, f"{tmp_path}/weights.safetensors")
    load_model(other, f"{tmp_path}/weights.safetensors")
    with torch.no_grad():
        torch.testing.assert_close(network(views, text).logits, other(views, text).logits)


def test_checkpointed_activations_give_the_same_gradients(views: Views, text: Text) -> None:
    gradients = []
    for checkpointing in (False, True):
        language = LanguageConfig(depth=2, width=64, mlp_width=64, checkpointing=checkpointing)
        network = build(language=language).train()
        network(views, text).logits.log_softmax(-1)[..., 0].sum().backward()
        gradients.append(network.fusion.role.grad)
    torch.testing.assert_close(*gradients)


@torch.no_grad()
def test_short_floats_give_nearly_the_same_maps(network: SpatialMLLM, views: Views, text: Text) -> None:
    short = build(dtype="bfloat16")
    difference = (maps(network(views, text)) - maps(short(views, text))).abs().sum(dim=-1)
    assert difference.max() < 0.2
    assert short(views, text).geometry[0].points.dtype == torch.float32


@torch.no_grad()
def test_parts_can_be_placed_and_the_language_model_unloaded(views: Views, text: Text) -> None:
    network = build(devices=Placement(geometry="cpu", language="cpu")).place()
    before = network(views, text).logits
    network.language.unload()
    network.language.load("cpu")
    torch.testing.assert_close(network(views, text).logits, before)
    with pytest.raises(UsageError, match=r"network\.devices\.language is 'cuda:63'"):
        build(devices=Placement(language="cuda:63")).place()


def test_full_size_has_the_published_counts() -> None:
    config = NetworkConfig.published()
    with torch.device("meta"):
        network = SpatialMLLM(
            config.model_copy(update={"language": config.language.model_copy(update={"lora": None})}), 151_665
        )

    def count(module: torch.nn.Module) -> float:
        return sum(value.numel() for value in module.parameters()) / 1e9

    assert count(network.encoders["vggt"]) == pytest.approx(1.19, rel=0.02)
    assert count(network.dinov3) == pytest.approx(0.3, rel=0.02)
    assert count(network.language.backbone) == pytest.approx(8.29, rel=0.02)
    assert count(network.fusion) + count(network.head) < 0.1
