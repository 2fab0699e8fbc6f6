"""Between patches and the language model's tokens: m x m patches are one token, as in Qwen's own vision."""

from __future__ import annotations

from torch import Tensor, nn


class PatchMerger(nn.Module):
    """Joins neighbouring patches into tokens, and hands the tokens' hidden states back to the patches.

    Attention grows with the square of the tokens; what needs the finest grid, telling where a cell lies in a keyframe,
    is the head's work on patches.
    """

    def __init__(self, patches: int, merge: int, width: int) -> None:
        super().__init__()
        self.side, self.merge = patches // merge, merge
        joined = merge * merge * width
        self.join = nn.Sequential(nn.LayerNorm(joined), nn.Linear(joined, width))
        self.part = nn.Linear(width, joined)
        self.norm = nn.LayerNorm(width)

    def down(self, patches: Tensor) -> Tensor:
        """[..., P * P, width] row by row -> [..., (P / m)^2, width] row by row."""
        grid = patches.unflatten(-2, (self.side, self.merge, self.side, self.merge))
        return self.join(grid.transpose(-4, -3).flatten(-3).flatten(-3, -2))

    def up(self, tokens: Tensor, patches: Tensor) -> Tensor:
        """Hidden states [..., (P / m)^2, width] and the patches that went in -> patches [..., P * P, width]."""
        grid = self.part(tokens).unflatten(-2, (self.side, self.side)).unflatten(-1, (self.merge, self.merge, -1))
        return self.norm(patches + grid.transpose(-4, -3).flatten(-5, -2))
