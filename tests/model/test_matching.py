"""Patches find their look-alikes: against sums written out, and where a picture is shifted by a patch."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from model.matching import TEMPERATURE, match_patches

SIDE = 4


def features(seed: int, *shape: int) -> torch.Tensor:
    drawn = torch.randn(*shape, SIDE * SIDE, 16, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.normalize(drawn, dim=-1)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_equals_sums_written_out(seed: int) -> None:
    current, keyframes = features(seed, 1), features(seed + 1, 1, 2)
    told = match_patches(current, keyframes)
    assert told.shape == (1, 2, SIDE * SIDE, 6)
    places = [((2 * (v % SIDE) + 1) / SIDE - 1, (2 * (v // SIDE) + 1) / SIDE - 1) for v in range(SIDE * SIDE)]
    k, u = seed % 2, seed % (SIDE * SIDE)
    cosines = current[0] @ keyframes[0, k].T
    forth, back = (cosines / TEMPERATURE).softmax(1)[u], (cosines / TEMPERATURE).softmax(0)[u]
    x = sum(float(share) * place[0] for share, place in zip(forth, places, strict=True))
    y = sum(float(share) * place[1] for share, place in zip(forth, places, strict=True))
    squares = sum(float(s) * (p[0] ** 2 + p[1] ** 2) for s, p in zip(forth, places, strict=True))
    mutual = float((forth * back).sum())
    written = torch.tensor([x, y, squares, squares - x * x - y * y, float(cosines[u].max()), mutual])
    torch.testing.assert_close(told[0, k, u], written, atol=1e-4, rtol=1e-4)


def test_a_picture_shifted_by_a_patch_lands_a_patch_away() -> None:
    current = features(7, 1)
    shifted = current.unflatten(1, (SIDE, SIDE)).roll(1, dims=2).flatten(1, 2)
    told = match_patches(current, shifted[:, None])[0, 0].unflatten(0, (SIDE, SIDE))
    centres = (2 * torch.arange(SIDE) + 1) / SIDE - 1
    torch.testing.assert_close(told[:, :-1, 0], centres[1:].expand(SIDE, -1), atol=0.05, rtol=0)
    torch.testing.assert_close(told[..., 1], centres[:, None].expand(-1, SIDE), atol=0.05, rtol=0)
    assert (told[..., 4] > 0.999).all() and (told[..., 5] > 0.8).all()
