"""The whole network: views and an instruction in, a heatmap for every keyframe out (docs/network.md)."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Self, cast

import torch
from torch import Tensor, nn

from model.batch import Geometry, Prediction, Text, Views
from model.cells import locate_cells
from model.config import NetworkConfig
from model.encoders import ENCODERS
from model.encoders.base import GeometryEncoder
from model.encoders.dinov3 import DINOv3
from model.fusion import Fusion
from model.heads import AlignmentHead, HeatmapHead, Patches
from model.language import Hidden, LanguageModel
from model.matching import match_patches
from model.merging import PatchMerger
from model.placement import device_of, place
from model.trail import Trail
from model.trainable import frozen_modules, select_trainable

PADDED_LOGIT = -30.0
"""Logit of a padded keyframe's cells, whose map is thereby all none."""


class SpatialMLLM(nn.Module):
    """Geometry encoders and DINOv3, fused patch by patch, read by Qwen2.5-VL, turned into heatmaps.

    Parts, by the names that `set_trainable` and checkpoints know: `encoders.<name>`, `dinov3`, `fusion`, `merger`,
    `trail`, `language`, `head`, `alignment`.

    Args:
        config: the sizes.
        tokenizer_size: tokens of the tokenizer that makes `Text`.
    """

    def __init__(self, config: NetworkConfig, tokenizer_size: int) -> None:
        super().__init__()
        self.config = config
        encoders: dict[str, GeometryEncoder] = {name: ENCODERS[name](config) for name in config.encoders}
        self.encoders = nn.ModuleDict(encoders)
        self.dinov3 = DINOv3(config.dinov3) if config.dinov3 is not None else None
        self.language = LanguageModel(config.language, tokenizer_size, config.head.alignment_layer)
        widths = [encoder.token_width for encoder in encoders.values()]
        appearance = [self.dinov3.token_width] if self.dinov3 is not None else []
        self.fusion = Fusion(config, widths + appearance, self.language.width)
        self.trail = Trail(self.language.width, config.grid**2 + 1) if config.tells_trail else None
        self.merger = PatchMerger(config.patches, config.language.merge, self.language.width)
        self.head = HeatmapHead(config, self.language.width)
        self.alignment = AlignmentHead(self.language.width, config.head.alignment_width)
        self.set_trainable(())

    def forward(self, views: Views, text: Text) -> Prediction:
        """K keyframes and the current view, and what is to be done -> maps; see `Prediction`.

        The outputs lie on the device of `head`, the geometry on that of its encoder.
        """
        valid = views.valid[:, :-1]
        with self.arithmetic(views.rgb.device):
            geometry, tokens = self._encode(views)
            device = device_of(self.fusion)
            points, known = self._points(geometry, views, device)
            fused = self.fusion([part.to(device) for part in tokens], points, known)
            trail = self.trail(geometry[0], valid.to(device)) if self.trail is not None else None
            hidden = self._reason(self.merger.down(fused), text, valid, trail.query if trail else None)
            current = self.merger.up(hidden.current, fused[:, -1])
            keyframes = self.merger.up(hidden.keyframes, fused[:, :-1])
            early_current = self.alignment(self.merger.up(hidden.early_current, fused[:, -1]))
            early_keyframes = self.alignment(self.merger.up(hidden.early_keyframes, fused[:, :-1]))
            matched = match_patches(early_current, early_keyframes)
            patches = Patches(current, keyframes, points[:, :-1], known[:, :-1], matched)
            cells = locate_cells(geometry[0], self.config.grid, device) if self.config.uses_points else None
            output = self.head(patches, cells, hidden.queries, trail.logits if trail else None)
        return Prediction(
            logits=blank_padding(output.logits, valid.to(output.logits.device)),
            classes=output.classes.float(),
            turn=output.turn.float(),
            current_tokens=early_current,
            keyframe_tokens=early_keyframes,
            geometry=geometry,
        )

    def set_trainable(self, names: Collection[str]) -> None:
        """Train the named parts alone (none named = all that the config lets be trained); see `trainable`."""
        select_trainable(self, self.config, names)
        self.train(self.training)

    def train(self, mode: bool = True) -> Self:
        """As in torch, but what is not trained stays in eval(): DINOv3 is random in train()."""
        super().train(mode)
        for module in frozen_modules(self):
            module.eval()
        return self

    def place(self) -> Self:
        """Put each part on the device that the config names for it; what has none stays where it is."""
        place(self, self.config.devices)
        return self

    def _encode(self, views: Views) -> tuple[tuple[Geometry, ...], list[Tensor]]:
        """Geometry of the first encoder, where it is used, and of those that learn it; tokens of all and of DINOv3."""
        geometry: list[Geometry] = []
        tokens: list[Tensor] = []
        for encoder in cast(Iterable[GeometryEncoder], self.encoders.values()):
            with _gradients(encoder):
                seen = views.to(device_of(encoder))
                used = self.config.uses_points and not geometry
                if not used and not encoder.learns_geometry():
                    tokens.append(encoder.tokens(seen))
                else:
                    geometry.append(encoder(seen))
                    tokens.append(geometry[-1].tokens)
        if self.dinov3 is not None:
            with _gradients(self.dinov3):
                tokens.append(self.dinov3(views.rgb.to(device_of(self.dinov3))))
        return tuple(geometry), tokens

    def _points(self, geometry: tuple[Geometry, ...], views: Views, device: torch.device) -> tuple[Tensor, Tensor]:
        """Centres of the patches [B, S, N, 3] and whether they are known [B, S, N]; nowhere where none is used."""
        if self.config.uses_points:
            return geometry[0].points.to(device), geometry[0].points_valid.to(device)
        shape = (*views.valid.shape, self.config.patches**2)
        return torch.zeros(*shape, 3, device=device), torch.zeros(shape, dtype=torch.bool, device=device)

    def _reason(self, tokens: Tensor, text: Text, valid: Tensor, trail: Tensor | None) -> Hidden:
        """The language model on its own device; its hidden states come back to the tokens'."""
        with self.language.awake() as device:
            told = None if trail is None else trail.to(device)
            return self.language(text.to(device), tokens.to(device), valid.to(device), told).to(tokens.device)

    def arithmetic(self, device: torch.device) -> AbstractContextManager[None]:
        """Autocast where the config asks for short floats and the caller has not chosen already."""
        wanted = self.config.dtype != "float32" and not torch.is_autocast_enabled(device.type)
        return torch.autocast(device.type, getattr(torch, self.config.dtype)) if wanted else nullcontext()


def blank_padding(logits: Tensor, valid: Tensor) -> Tensor:
    """[B, K + 1, C] logits with the rows of padded keyframes (`valid` [B, K] False) made all none."""
    none = torch.full_like(logits[:, :-1], PADDED_LOGIT)
    none[..., -1] = 0
    keyframes = torch.where(valid[..., None], logits[:, :-1], none)
    return torch.cat([keyframes, logits[:, -1:]], dim=1)


def _gradients(part: nn.Module) -> AbstractContextManager[None]:
    """No graph is kept of a part in which nothing is trained."""
    trained = any(parameter.requires_grad for parameter in part.parameters())
    return torch.set_grad_enabled(trained and torch.is_grad_enabled())
