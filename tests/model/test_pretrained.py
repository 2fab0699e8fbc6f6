"""Weights from local folders: DINOv3 and Qwen2.5-VL as the library saves them, and folders that hold neither."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from model.config import DINOv3Config, LanguageConfig, NetworkConfig
from model.encoders.dinov3 import DINOv3
from model.errors import UsageError
from model.language import LanguageModel
from model.spatial_mllm import SpatialMLLM
from tests.model.random_views import random_text, random_views

SMALL = LanguageConfig(depth=1, width=32, mlp_width=32, heads=2, kv_heads=1, tied=False)


@torch.no_grad()
def test_dinov3_from_a_folder(tmp_path: Path) -> None:
    made = DINOv3(DINOv3Config()).eval()
    made.backbone.save_pretrained(tmp_path)
    read = DINOv3(DINOv3Config(source=str(tmp_path), image_size=32)).eval()
    images = torch.rand(1, 2, 3, 64, 64)
    assert made(images).shape == (1, 2, 64, 48)
    assert read(images).shape == (1, 2, 16, 48)
    for name, value in made.backbone.state_dict().items():
        torch.testing.assert_close(read.backbone.state_dict()[name], value)


def test_frozen_dinov3_is_the_same_in_training(tmp_path: Path) -> None:
    network = SpatialMLLM(NetworkConfig(encoders=("sensors",), dinov3=DINOv3Config(trainable=False)), 60)
    network.dinov3.backbone.config.pos_embed_rescale = 2.0
    images = torch.rand(1, 2, 3, 64, 64)
    network.train()
    torch.testing.assert_close(network.dinov3(images), network.dinov3(images), atol=0, rtol=0)


@torch.no_grad()
@pytest.mark.parametrize("attention", ["blocks", "causal"])
def test_language_model_from_a_folder(attention: str, tmp_path: Path) -> None:
    made = LanguageModel(SMALL, 60, 0)
    made.backbone.save_pretrained(tmp_path)
    config = LanguageConfig(source=str(tmp_path), attention=attention)
    network = SpatialMLLM(NetworkConfig(encoders=("sensors",), dinov3=None, language=config), 9999)
    assert network.language.width == 32 and network.language.vocabulary == made.vocabulary
    for name, value in made.backbone.state_dict().items():
        torch.testing.assert_close(network.language.backbone.state_dict()[name], value)
    assert network(random_views(1, 2), random_text(1, 4)).logits.isfinite().all()


@pytest.mark.parametrize("part", [{"dinov3": DINOv3Config}, {"language": LanguageConfig}])
def test_a_folder_without_weights_is_named(part: dict, tmp_path: Path) -> None:
    (name, section), *_ = part.items()
    config = NetworkConfig.model_validate({name: section(source=str(tmp_path))})
    with pytest.raises(UsageError, match=f"cannot be read from {tmp_path}"):
        SpatialMLLM(config, 60)
