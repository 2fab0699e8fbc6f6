"""Attention that falls with distance, against the formula written out; merged patches go back where they came from."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from model.merging import PatchMerger
from model.near_attention import NearAttention

WIDTH, SOURCE, HEADS = 8, 6, 2


def inputs(seed: int) -> tuple[torch.Tensor, ...]:
    """Two items, 5 cells, 3 keyframes of 4 patches, some places unknown."""
    random = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=random)

    known, points_known = torch.rand(2, 5, generator=random) > 0.2, torch.rand(2, 3, 4, generator=random) > 0.2
    return draw(2, 5, WIDTH), 3 * draw(2, 5, 3), known, draw(2, 3, 4, SOURCE), 3 * draw(2, 3, 4, 3), points_known


def written_out(attention: NearAttention, *arguments: torch.Tensor) -> torch.Tensor:
    """Scores and means head by head, with distances computed pair by pair."""
    cells, centres, known, patches, points, points_known = arguments
    points = torch.where(points_known[..., None], points, 100.0)
    part = WIDTH // HEADS
    ask = attention.ask(cells).unflatten(-1, (HEADS, part))
    key, value = (half.unflatten(-1, (HEADS, part)) for half in attention.offer(patches).chunk(2, dim=-1))
    offset = centres[:, None, :, None] - points[:, :, None]
    square = offset.square().sum(-1)
    parts = []
    for head in range(HEADS):
        match = torch.einsum("bud,bknd->bkun", ask[:, :, head], key[..., head, :]) / part**0.5
        fall = attention.log_sharpness[head].exp() * square * known[:, None, :, None]
        share = (match - fall).softmax(-1)
        mean_offset = torch.nn.functional.softsign(2 * (share[..., None] * offset).sum(-2))
        distance = torch.log((share * square).sum(-1, keepdim=True) + 0.01)
        place = torch.cat([mean_offset, distance], dim=-1) * known[:, None, :, None]
        parts += [share @ value[..., head, :], place]
    return attention.answer(torch.cat(parts, dim=-1))


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000))
@torch.no_grad()
def test_equals_the_formula(seed: int) -> None:
    torch.manual_seed(seed)
    attention = NearAttention(WIDTH, SOURCE, HEADS, near=True)
    arguments = inputs(seed)
    torch.testing.assert_close(attention(*arguments), written_out(attention, *arguments), atol=1e-3, rtol=1e-3)


@torch.no_grad()
def test_patches_of_unknown_place_do_not_count() -> None:
    attention = NearAttention(WIDTH, SOURCE, HEADS, near=True)
    cells, centres, _, patches, points, points_known = inputs(0)
    known = torch.ones(2, 5, dtype=torch.bool)
    points_known[..., 0], points_known[..., 1:] = False, True
    one = attention(cells, centres, known, patches, points, points_known)
    patches[:, :, 0], points[:, :, 0] = 9.0, 0.0
    torch.testing.assert_close(attention(cells, centres, known, patches, points, points_known), one)


@torch.no_grad()
def test_without_nearness_places_do_not_matter() -> None:
    attention = NearAttention(WIDTH, SOURCE, HEADS, near=False)
    cells, centres, known, patches, points, points_known = inputs(0)
    one = attention(cells, centres, known, patches, points, points_known)
    torch.testing.assert_close(attention(cells, -centres, ~known, patches, points + 1, points_known), one)


@settings(max_examples=20, deadline=None)
@given(side=st.integers(1, 3), merge=st.integers(1, 3))
def test_a_token_is_its_square_of_patches(side: int, merge: int) -> None:
    patches = side * merge
    merger = PatchMerger(patches, merge, width=4)
    values = torch.randn(1, patches**2, 4, requires_grad=True)
    tokens = merger.down(values)
    assert tokens.shape == (1, side**2, 4)
    row, column = side - 1, side // 2
    (reach,) = torch.autograd.grad((tokens[0, row * side + column] * torch.randn(4)).sum(), values)
    reached = reach[0].abs().sum(-1).unflatten(0, (patches, patches)) > 0
    expected = torch.zeros(patches, patches, dtype=torch.bool)
    expected[row * merge : (row + 1) * merge, column * merge : (column + 1) * merge] = True
    assert torch.equal(reached, expected)
    hidden = torch.randn(1, side**2, 4, requires_grad=True)
    back = merger.up(hidden, values.detach())[0].unflatten(0, (patches, patches))
    (source,) = torch.autograd.grad((back[row * merge, column * merge] * torch.randn(4)).sum(), hidden)
    assert (source[0].abs().sum(-1) > 0).nonzero()[:, 0].tolist() == [row * side + column]
