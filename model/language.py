"""Qwen2.5-VL or Qwen3-VL as the reasoner: instruction, views and queries in, hidden states out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from model.batch import TensorRecord, Text
from model.config import LanguageConfig
from model.placement import device_of
from model.qwen import build_language, ready_mask, visual_output
from model.sequence import Sequence, Vocabulary, lay_out


@dataclass(frozen=True)
class Hidden(TensorRecord):
    """Hidden states of the last layer, and of the layer whose features are aligned across frames."""

    current: Tensor
    """[B, N, width] at the current view's patches."""
    keyframes: Tensor
    """[B, K, N, width] at the keyframes' patches."""
    queries: Tensor
    """[B, K + 1, width]: a query a keyframe, then the goal query."""
    early_current: Tensor
    """[B, N, width]."""
    early_keyframes: Tensor
    """[B, K, N, width]."""


class LanguageModel(nn.Module):
    """Splices visual tokens and learned queries into the backbone and reads their hidden states.

    Args:
        config: sizes, source and attention.
        tokenizer_size: tokens of the tokenizer; read only where the model is made from scratch.
        alignment_layer: layer after which the early states are taken; 0 = the embeddings.
    """

    on_demand: torch.device | None = None
    """Where the weights are brought for each call, to rest in the host's memory between two; None = they stay."""

    def __init__(self, config: LanguageConfig, tokenizer_size: int, alignment_layer: int) -> None:
        super().__init__()
        self.attention, self.alignment_layer = config.attention, alignment_layer
        self.architecture = config.architecture
        self.backbone = build_language(config, tokenizer_size)
        inner: Any = self.backbone.config
        self.vocabulary = Vocabulary(inner.image_token_id, inner.vision_start_token_id, inner.vision_end_token_id)
        self.merge = inner.vision_config.spatial_merge_size
        self.width = inner.text_config.hidden_size
        # One vector for all keyframes: which of them a query asks for follows from what it sees.
        self.queries = nn.Parameter(torch.empty(2, self.width).normal_(std=inner.text_config.initializer_range))

    def forward(self, text: Text, views: Tensor, valid: Tensor, trail: Tensor | None = None) -> Hidden:
        """Instructions, visual tokens [B, S, N, width] (current view last), valid keyframes [B, K] -> hidden states.

        `trail` [B, width] is added to the goal's query.
        """
        patches = round(views.shape[2] ** 0.5)
        sequence = lay_out(text, valid, patches, self.vocabulary, causal=self.attention == "causal")
        grid = torch.tensor([[1, patches * self.merge, patches * self.merge]], device=views.device)
        visual = visual_output(self.architecture, self._inserted(views, sequence, trail))
        states = self.backbone.model(
            input_ids=sequence.ids,
            position_ids=sequence.positions,
            mm_token_type_ids=sequence.types,
            image_grid_thw=grid.expand(views.shape[0] * views.shape[1], -1),
            mm_encoder_outputs={"image": visual},
            output_hidden_states=True,
            use_cache=False,
            **self._visibility(sequence),
        )
        last, early = states.last_hidden_state, states.hidden_states[self.alignment_layer]
        return Hidden(
            current=last[:, sequence.current],
            keyframes=last[:, sequence.keyframes],
            queries=last[:, sequence.queries],
            early_current=early[:, sequence.current],
            early_keyframes=early[:, sequence.keyframes],
        )

    @contextmanager
    def awake(self) -> Iterator[torch.device]:
        """The device to work on; with `on_demand` set, the weights are there for as long as this lasts."""
        if self.on_demand is None:
            yield device_of(self)
            return
        self.load(self.on_demand)
        try:
            yield self.on_demand
        finally:
            self.unload()

    def load(self, device: torch.device | str) -> None:
        """Bring the weights onto a device; with `unload` this lets other parts have its memory between two calls."""
        self.to(device)

    def unload(self) -> None:
        """Move the weights to the host's memory and give the device's back."""
        self.to("cpu")
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _inserted(self, views: Tensor, sequence: Sequence, trail: Tensor | None) -> Tensor:
        """[B * V, width]: what takes the placeholders' places, in the order of the sequence."""
        items, keyframes = views.shape[0], views.shape[1] - 1
        goal = self.queries[1:].expand(items, 1, -1)
        if trail is not None:
            goal = goal + trail[:, None]
        queries = torch.cat([self.queries[:1].expand(items, keyframes, -1), goal], dim=1).to(views.dtype)
        whole = views.new_zeros(items, sequence.ids.shape[1], self.width)
        places = torch.cat([sequence.keyframes.flatten(), sequence.current, sequence.queries])
        vectors = torch.cat([views.flatten(1, 2), queries], dim=1)
        return whole.index_copy(1, places, vectors)[:, sequence.slots].flatten(0, 1)

    def _visibility(self, sequence: Sequence) -> dict[str, Any]:
        """The arguments that tell the layers who sees whom."""
        if self.attention == "blocks":
            layout = {"prefix": sequence.prefix, "block": sequence.block, "seen": sequence.seen}
            return {"attention_mask": ready_mask(self.architecture, None), **layout}
        mask = sequence.seen[:, None, None]
        if self.attention == "causal":
            length = sequence.ids.shape[1]
            mask = mask & torch.ones(length, length, dtype=torch.bool, device=mask.device).tril()
        return {"attention_mask": ready_mask(self.architecture, mask)}
