"""The network without its language model: what is left when nobody reads the instruction or reasons over frames."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from model.batch import Text
from model.language import Hidden, LanguageModel


class Bypass(nn.Module):
    """Stands in for `LanguageModel`: tokens pass as they are, queries are what was learned and see nothing."""

    def __init__(self, language: LanguageModel) -> None:
        super().__init__()
        self.width = language.width
        self.queries = nn.Parameter(language.queries.detach().clone())

    def forward(self, text: Text, views: Tensor, valid: Tensor, trail: Tensor | None = None) -> Hidden:
        """As `LanguageModel.forward`."""
        count = valid.shape[1]
        queries = torch.cat([self.queries[:1].expand(count, -1), self.queries[1:]]).repeat(len(views), 1, 1)
        if trail is not None:
            queries[:, -1] += trail
        current, keyframes = views[:, -1], views[:, :-1]
        return Hidden(current, keyframes, queries, current, keyframes)

    @contextmanager
    def awake(self) -> Iterator[torch.device]:
        """It needs no waking."""
        yield self.queries.device
