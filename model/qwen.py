"""The language model's backbone: Qwen2.5-VL or Qwen3-VL (transformers), from a folder, from the hub, or from sizes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor
from transformers import (
    AutoConfig,
    PreTrainedModel,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
)
from transformers.modeling_outputs import BaseModelOutputWithPooling
from transformers.models.qwen3_vl.modeling_qwen3_vl import BaseModelOutputWithDeepstackFeatures

from model.attention import BLOCKS, register_block_attention
from model.config import LanguageConfig, LoraConfig
from model.errors import UsageError

EXTRA_TOKENS = 3
"""Placeholder, start and end of a view: they follow the text tokens of a tokenizer that was trained on the data."""

ROTARY_BASE = {"qwen2_5_vl": 1e6, "qwen3_vl": 5e6}
VISION_HEAD_WIDTH = 80


@dataclass(frozen=True)
class Architecture:
    """What differs between the two."""

    model: type[Any]
    config: type[Any]
    rotary_place: tuple[int, int]
    """Share of the rotary pairs that say a row, and likewise a column; the rest say the time."""
    mask_by_kind: bool
    """Whether a ready mask is handed over in a dict by the layers' kind, or as it is."""


ARCHITECTURES = {
    "qwen2_5_vl": Architecture(Qwen2_5_VLForConditionalGeneration, Qwen2_5_VLConfig, (3, 8), True),
    "qwen3_vl": Architecture(Qwen3VLForConditionalGeneration, Qwen3VLConfig, (5, 16), False),
}
"""By the library's `model_type`, which is also `language.architecture`."""


def build_language(config: LanguageConfig, tokenizer_size: int) -> Any:
    """The backbone, with the attention, adapters and recomputation that the config asks for.

    Raises:
        UsageError: the source is neither a folder nor a hub id that can be read, or is of another architecture.
    """
    if config.source is None:
        backbone = ARCHITECTURES[config.architecture].model(language_config(config, tokenizer_size))
    else:
        backbone = _read_backbone(config.source, config.architecture)
    if config.attention == "blocks":
        register_block_attention()
        backbone.set_attn_implementation({"text_config": BLOCKS, "vision_config": "sdpa"})
    if config.checkpointing:
        backbone.activation_checkpointing_enable({"use_reentrant": False})
    if config.lora is not None:
        add_lora(backbone, config.lora)
    return backbone


def visual_output(architecture: str, tokens: Tensor) -> BaseModelOutputWithPooling:
    """Visual tokens [n, width] as the output of the library's own vision tower.

    The library joins a list of images' tokens; one tensor with those of all images is a list of one. Qwen3-VL would add
    features of inner layers of its tower (deepstack) to the first layers' states: our encoders have none.
    """
    listed: Any = [tokens]
    if architecture == "qwen3_vl":
        return BaseModelOutputWithDeepstackFeatures(pooler_output=listed, deepstack_features=[])
    return BaseModelOutputWithPooling(pooler_output=listed)


def ready_mask(architecture: str, mask: Tensor | None) -> Any:
    """A mask that the library takes as it is: [B, 1, 1 or T, T], False where a key must not be seen; None = all."""
    return {"full_attention": mask} if ARCHITECTURES[architecture].mask_by_kind else mask


def language_config(config: LanguageConfig, tokenizer_size: int) -> Any:
    """The library's config for the sizes of ours."""
    architecture = ARCHITECTURES[config.architecture]
    head = config.width // config.heads
    text: dict[str, Any] = {
        "vocab_size": tokenizer_size + EXTRA_TOKENS,
        "hidden_size": config.width,
        "intermediate_size": config.mlp_width,
        "num_hidden_layers": config.depth,
        "num_attention_heads": config.heads,
        "num_key_value_heads": config.kv_heads,
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": ROTARY_BASE[config.architecture],
            "mrope_section": rotary_sections(head, architecture.rotary_place),
        },
        "initializer_range": config.width**-0.5,
        "bos_token_id": None,
        "eos_token_id": None,
    }
    vision: dict[str, Any] = {
        "depth": config.vision_depth,
        "hidden_size": config.vision_width,
        "intermediate_size": config.vision_mlp_width,
        "num_heads": max(config.vision_width // VISION_HEAD_WIDTH, 1),
        "out_hidden_size": config.width,
    }
    if config.architecture == "qwen3_vl":
        text["head_dim"] = head
        text["rope_parameters"] |= {"mrope_interleaved": True}
        vision["deepstack_visual_indexes"] = []
    else:
        vision["fullatt_block_indexes"] = [config.vision_depth - 1]
    return architecture.config(
        text_config=text,
        vision_config=vision,
        image_token_id=tokenizer_size,
        vision_start_token_id=tokenizer_size + 1,
        vision_end_token_id=tokenizer_size + 2,
        tie_word_embeddings=config.tied,
    )


def rotary_sections(head_width: int, place_share: tuple[int, int]) -> list[int]:
    """Rotary pairs for time, row and column: of 64 pairs 16, 24, 24 in Qwen2.5-VL and 24, 20, 20 in Qwen3-VL."""
    pairs = head_width // 2
    place = place_share[0] * pairs // place_share[1]
    return [pairs - 2 * place, place, place]


def add_lora(backbone: PreTrainedModel, config: LoraConfig) -> None:
    """Put low-rank adapters beside the language layers' projections (not the vision tower's)."""
    from peft import LoraConfig as PeftConfig
    from peft import inject_adapter_in_model

    names = "|".join(config.targets)
    adapters = PeftConfig(
        r=config.rank,
        lora_alpha=config.alpha,
        lora_dropout=config.dropout,
        target_modules=rf".*language_model\.layers\..*\.({names})",
    )
    inject_adapter_in_model(adapters, backbone)


def _read_backbone(source: str, architecture: str) -> PreTrainedModel:
    try:
        there = AutoConfig.from_pretrained(source).model_type
        if there == architecture:
            return ARCHITECTURES[architecture].model.from_pretrained(source)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"The language model cannot be read from {source} ({str(error).splitlines()[0]}): "
            f"give a folder with config.json and weights, or a hub id that this machine can reach."
        ) from error
    known = there if there in ARCHITECTURES else f"one of {', '.join(ARCHITECTURES)}, with weights of that kind"
    raise UsageError(
        f"The language model in {source} is of the kind {there}, not {architecture}: set "
        f"network.language.architecture to {known}."
    )
