"""The losses' promises: zero at the truth, finite at the corners, blind to padding, lower as the prediction betters."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from model.batch import Batch, Prediction
from model.losses import LOSSES, STRATA
from model.losses.heatmaps import divergence
from tests.model.predictions import CELLS, GRID, leaves, make_batch, noisy, truthful

BATCH = make_batch()

AT_THE_TRUTH = ["heatmap", "map_energy", "distinctness", "temporal_consistency", "spatial_reasoning", "goal"]
AT_THE_TRUTH += ["spatial_consistency", "turn", "camera", "depth", "points"]


def test_the_batch_asks_every_term_something() -> None:
    targets = BATCH.targets
    assert targets.visible.any() and not targets.visible.all()
    assert (targets.visible & targets.certain).sum(1).max() >= 2, "distinctness needs a pair"
    assert targets.goal_valid.any() and (targets.turn >= 0).any() and (targets.match >= 0).any()
    said = noisy(BATCH)
    assert all(term.compute(said, BATCH) > 0 for term in LOSSES.values())


def test_the_registry_is_coherent() -> None:
    for name, term in LOSSES.items():
        assert term.name == name and set(term.strata) <= set(STRATA) and term.strata
        for path in term.needs:
            value = BATCH
            for part in path.split("."):
                value = getattr(value, part)
            assert isinstance(value, torch.Tensor)


@pytest.mark.parametrize("name", AT_THE_TRUTH)
def test_nothing_pulls_away_from_the_truth(name: str) -> None:
    said = truthful(BATCH)
    inputs = leaves(said)
    loss = LOSSES[name].compute(said, BATCH)
    assert loss.item() == pytest.approx(0, abs=1e-6)
    loss.backward()
    # VGGT's form rewards confidence without end where the error is zero: the one exception.
    pulled = {n: t.grad.abs().max().item() for n, t in inputs.items() if t.grad is not None and "conf" not in n}
    assert pulled and max(pulled.values()) < 1e-6


def test_classes_are_free_where_the_majority_is_whole() -> None:
    said = truthful(BATCH)
    true = BATCH.targets.classes
    certain = torch.nn.functional.one_hot(true.clamp_min(0), 3).movedim(-1, 2) * 60.0
    logits = certain.requires_grad_()
    loss = LOSSES["visibility_classes"].compute(replace(said, classes=logits), BATCH)
    assert loss.item() == pytest.approx(0, abs=1e-6)
    loss.backward()
    assert logits.grad is not None and logits.grad.abs().max() < 1e-6


def test_alignment_wants_matched_patches_alike_and_others_apart() -> None:
    match = BATCH.targets.match
    keyframes = torch.eye(16).expand(*match.shape[:2], 16, 16).contiguous()
    # Every patch of the current view takes the feature of the patch that it is matched with in keyframe 0.
    current = torch.eye(16)[match[:, 0].clamp_min(0)]
    only_first = torch.where(torch.arange(4)[:, None] == 0, match, -1)
    batch = replace(BATCH, targets=replace(BATCH.targets, match=only_first))
    term = LOSSES["cross_frame_alignment"]
    aligned = replace(noisy(BATCH), current_tokens=current, keyframe_tokens=keyframes)
    assert term.compute(aligned, batch).item() == pytest.approx(0, abs=1e-4)
    blind = replace(aligned, keyframe_tokens=torch.ones_like(keyframes) / 4)
    assert term.compute(blind, batch).item() == pytest.approx(torch.log(torch.tensor(16.0)).item(), abs=1e-4)


@pytest.mark.parametrize("name", LOSSES)
def test_each_term_goes_down_when_trained_alone(name: str) -> None:
    said = noisy(BATCH, seed=1)
    inputs = leaves(said)
    term = LOSSES[name]
    term.compute(said, BATCH).backward()
    optimiser = torch.optim.Adam([t for t in inputs.values() if t.grad is not None], lr=0.05)
    before = term.compute(said, BATCH).item()
    for _ in range(20):
        optimiser.zero_grad()
        loss = term.compute(said, BATCH)
        loss.backward()
        optimiser.step()
    assert term.compute(said, BATCH).item() < 0.9 * before


def corners(batch: Batch, dtype: torch.dtype) -> dict[str, Prediction]:
    """Predictions at the corners of what a network can say, in a low precision."""
    said = noisy(batch)
    none, one, far = (torch.zeros_like(said.logits) for _ in range(3))
    none[..., -1], one[..., 7], far[..., 3] = 100.0, 100.0, 3e4
    maps = {"all none": none, "one cell": one, "uniform": torch.zeros_like(none), "overconfident": far}
    flat = replace(said.geometry[0], depth=0 * said.geometry[0].depth)
    shaped = {name: replace(said, logits=logits, classes=0 * said.classes) for name, logits in maps.items()}
    shaped["flat depth"] = replace(said, geometry=(flat,))
    return {name: cast(prediction, dtype) for name, prediction in shaped.items()}


def cast(prediction: Prediction, dtype: torch.dtype) -> Prediction:
    floats = {n: t.to(dtype) for n, t in vars(prediction).items() if n != "geometry"}
    geometry = prediction.geometry[0]
    kept = {n: t.to(dtype) if t.is_floating_point() else t for n, t in vars(geometry).items()}
    return Prediction(**floats, geometry=(replace(geometry, **kept),))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
@pytest.mark.parametrize("name", LOSSES)
def test_no_term_or_gradient_is_lost_at_the_corners(name: str, dtype: torch.dtype) -> None:
    for corner, said in corners(BATCH, dtype).items():
        inputs = leaves(said)
        loss = LOSSES[name].compute(said, BATCH)
        assert loss.dtype == torch.float32 and loss.shape == () and loss.isfinite(), corner
        loss.backward()
        assert all(t.grad.isfinite().all() for t in inputs.values() if t.grad is not None), corner


def empty(batch: Batch) -> Batch:
    """The same batch with nothing true in it."""
    views = replace(batch.views, valid=torch.zeros_like(batch.views.valid))
    targets = replace(
        batch.targets,
        heatmap=torch.nn.functional.one_hot(torch.full(batch.targets.visible.shape, CELLS - 1), CELLS).float(),
        visible=torch.zeros_like(batch.targets.visible),
        certain=torch.zeros_like(batch.targets.certain),
        classes=torch.full_like(batch.targets.classes, -100),
        match=torch.full_like(batch.targets.match, -1),
        goal_valid=torch.zeros_like(batch.targets.goal_valid),
        turn=torch.full_like(batch.targets.turn, -100),
    )
    return replace(batch, views=views, targets=targets, successor=torch.full_like(batch.successor, -1))


@pytest.mark.parametrize("name", LOSSES)
def test_a_batch_without_labels_is_a_zero_of_the_graph(name: str) -> None:
    said = noisy(BATCH)
    inputs = leaves(said)
    loss = LOSSES[name].compute(said, empty(BATCH))
    assert loss.item() == 0 and loss.requires_grad
    loss.backward()
    assert all(not t.grad.any() for t in inputs.values() if t.grad is not None)


@pytest.mark.parametrize("name", LOSSES)
def test_padding_says_nothing(name: str) -> None:
    # The last keyframe of the last item is padding: whatever is predicted for it must not matter.
    said, other = noisy(BATCH), noisy(BATCH)
    row, slot = len(BATCH.row) - 1, BATCH.targets.visible.shape[1] - 1
    for tensors in (vars(other), vars(other.geometry[0])):
        for field, values in tensors.items():
            if field not in ("turn", "current_tokens", "geometry") and values.is_floating_point():
                values[row, slot] = values[row, slot] * 3 + 1
    term = LOSSES[name]
    assert term.compute(said, BATCH).item() == term.compute(other, BATCH).item()


def test_uncertain_pairs_say_where_but_not_whether() -> None:
    targets = BATCH.targets
    pair = (targets.visible & targets.certain).nonzero()[0]
    row, slot = pair.tolist()
    certain = torch.zeros_like(targets.certain)
    batch = replace(BATCH, targets=replace(targets, certain=certain, visible=certain.clone()))
    batch.targets.visible[row, slot] = True
    said = truthful(BATCH)
    doubting = said.logits.clone()
    doubting[row, slot, -1] = 10.0
    assert LOSSES["heatmap"].compute(replace(said, logits=doubting), batch).item() == pytest.approx(0, abs=1e-5)
    moved = said.logits.clone()
    moved[row, slot, :-1] = moved[row, slot, :-1].roll(GRID * 3)
    assert LOSSES["heatmap"].compute(replace(said, logits=moved), batch) > 0.1


def test_temporal_consistency_sees_only_successors() -> None:
    said = noisy(BATCH)
    alone = replace(BATCH, successor=torch.full_like(BATCH.successor, -1))
    term = LOSSES["temporal_consistency"]
    assert term.compute(said, BATCH) > 0 and term.compute(said, alone) == 0
    frozen = replace(said, logits=said.logits[torch.arange(6) // 2 * 2])
    unmoved = replace(BATCH.targets, heatmap=BATCH.targets.heatmap[torch.arange(6) // 2 * 2])
    assert term.compute(frozen, replace(BATCH, targets=unmoved)).item() == pytest.approx(0, abs=1e-9)


def test_the_sensors_own_geometry_adds_nothing() -> None:
    both = replace(noisy(BATCH), geometry=(*truthful(BATCH).geometry, *noisy(BATCH).geometry))
    for name in ("camera", "depth", "points"):
        term = LOSSES[name]
        assert term.compute(both, BATCH).item() == pytest.approx(term.compute(noisy(BATCH), BATCH).item(), rel=1e-5)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.01, 5))
def test_divergence_is_never_negative(seed: int, scale: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    truth, log_p = (torch.randn(2, 5, CELLS, generator=generator, dtype=torch.float64) * scale).log_softmax(-1)
    assert (divergence(truth.exp(), log_p) >= 0).all()
    assert divergence(truth.exp(), truth).abs().max() < 1e-9
