"""The order of tokens: places, positions, and their agreement with the library's own."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from model.batch import Text
from model.config import LanguageConfig
from model.language import LanguageModel
from model.sequence import Vocabulary, lay_out

VOCABULARY = Vocabulary(image=100, start=101, end=102)
SIZES = {"length": st.integers(1, 6), "keyframes": st.integers(0, 4), "patches": st.integers(1, 4)}


def words(items: int, length: int, real: int) -> Text:
    mask = torch.arange(length).expand(items, -1) < real
    return Text(torch.randint(1, 50, (items, length)) * mask, mask)


@settings(max_examples=40, deadline=None)
@given(causal=st.booleans(), real=st.integers(1, 6), **SIZES)
def test_every_placeholder_has_one_place(causal: bool, real: int, length: int, keyframes: int, patches: int) -> None:
    valid = torch.ones(2, keyframes, dtype=torch.bool)
    sequence = lay_out(words(2, length, min(real, length)), valid, patches, VOCABULARY, causal)
    places = torch.cat([sequence.current, sequence.keyframes.flatten(), sequence.queries])
    assert places.sort().values.tolist() == sequence.slots.tolist() == places.unique().tolist()
    assert (sequence.ids[0] == VOCABULARY.image).nonzero()[:, 0].tolist() == sequence.slots.tolist()
    assert sequence.ids.shape == sequence.types.shape == sequence.seen.shape == sequence.positions.shape[1:]
    assert sequence.types[0].sum() == (keyframes + 1) * patches**2


@settings(max_examples=20, deadline=None)
@given(real=st.integers(1, 6), **SIZES)
def test_keyframes_stand_at_the_same_positions(real: int, length: int, keyframes: int, patches: int) -> None:
    valid = torch.ones(2, keyframes, dtype=torch.bool)
    sequence = lay_out(words(2, length, min(real, length)), valid, patches, VOCABULARY, causal=False)
    views = sequence.positions[:, :, sequence.keyframes]
    assert (views == views[:, :, :1]).all()
    queries = sequence.positions[:, :, sequence.queries[:-1]]
    assert (queries == queries[:, :, :1]).all()
    real = min(real, length)
    assert (sequence.positions[:, :, length] == real).all()


def test_causal_positions_are_the_librarys() -> None:
    language = LanguageModel(LanguageConfig(depth=1, width=32, mlp_width=32, heads=2, kv_heads=2), 60, 0)
    patches, keyframes = 3, 2
    text = words(2, 5, 5)
    sequence = lay_out(text, torch.ones(2, keyframes, dtype=torch.bool), patches, language.vocabulary, causal=True)
    grid = torch.tensor([[1, patches * language.merge, patches * language.merge]] * (2 * (keyframes + 1)))
    positions, _ = language.backbone.model.get_rope_index(
        sequence.ids, image_grid_thw=grid, mm_token_type_ids=sequence.types
    )
    assert torch.equal(sequence.positions, positions)
