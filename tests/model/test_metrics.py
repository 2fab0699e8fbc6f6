"""Scores and baselines on maps whose scores are known, and properties that hold for any maps."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import entropy, pearsonr

from model import baselines
from model.geometry import relative_pose
from model.labels import build_targets
from model.metrics import FLOOR, class_confusion, identity_chance, view_scores
from tests.model.predictions import CELLS, GRID, PATCHES, make_batch

ALL = np.ones((1, 2), dtype=bool)


def spot(row: int, column: int, none: float = 0.0) -> np.ndarray:
    """[C] most mass on one cell of the grid, a little on the others, `none` on none."""
    grid = np.full((GRID, GRID), 1e-4)
    grid[row, column] = 1
    return np.append((1 - none) * grid.ravel() / grid.sum(), none)


def views_of(*rows: np.ndarray) -> np.ndarray:
    return np.stack(rows)[None]


def random_maps(seed: int, views: int = 3, keyframes: int = 4) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Truth [V, K, C] with some pairs invisible, and valid, visible [V, K]."""
    draw = np.random.default_rng(seed)
    truth = draw.dirichlet(np.full(CELLS, 0.2), (views, keyframes))
    visible = draw.random((views, keyframes)) < 0.7
    valid = draw.random((views, keyframes)) < 0.9
    truth[..., -1] = 0
    truth /= truth.sum(-1, keepdims=True)
    truth[~visible] = np.eye(CELLS)[-1]
    return truth, valid, visible & valid


def test_scores_of_a_map_that_is_off_by_three_and_four_cells() -> None:
    truth, predicted = views_of(spot(1, 1), spot(6, 6)), views_of(spot(4, 5, none=0.25), spot(6, 6))
    scores = view_scores(predicted, truth, ALL, ALL)
    assert scores.distance[0] == pytest.approx([5 / (GRID * math.sqrt(2)), 0])
    assert scores.none[0] == pytest.approx([0.25, 0])
    assert scores.kld[0, 1] == pytest.approx(0, abs=1e-9) and scores.cc[0, 1] == pytest.approx(1)
    assert scores.kld[0, 0] == pytest.approx(entropy(truth[0, 0], predicted[0, 0]))
    grids = [maps[0, 0, :-1] / maps[0, 0, :-1].sum() for maps in (predicted, truth)]
    assert scores.cc[0, 0] == pytest.approx(pearsonr(*grids).statistic)
    z = (grids[0] - grids[0].mean()) / grids[0].std()
    assert scores.nss[0, 0] == pytest.approx(z[1 * GRID + 1]) and scores.nss[0, 1] > 5


def test_identity_is_lost_when_two_keyframes_are_swapped() -> None:
    truth = views_of(spot(1, 1), spot(6, 6))
    assert view_scores(truth, truth, ALL, ALL).identity.tolist() == [[1, 1]]
    assert view_scores(truth[:, ::-1], truth, ALL, ALL).identity.tolist() == [[0, 0]]


def test_identity_chance_counts_the_valid_keyframes() -> None:
    valid = np.array([[True, True, True, True], [True, True, False, False]])
    visible = np.array([[True, False, False, False], [True, True, False, False]])
    assert identity_chance(valid, visible) == pytest.approx((1 / 4 + 1 / 2 + 1 / 2) / 3)
    assert math.isnan(identity_chance(valid, np.zeros_like(valid)))


def test_an_impossible_truth_costs_the_floor_not_infinity() -> None:
    truth, never = np.eye(CELLS)[[[-1, 0]]], np.eye(CELLS)[[[0, 0]]]
    kld = view_scores(never, truth, ALL, np.array([[False, True]])).kld
    assert kld[0] == pytest.approx([-math.log(FLOOR), 0])


def test_a_prediction_that_is_not_a_number_stays_one() -> None:
    truth = views_of(spot(1, 1), spot(6, 6))
    broken = truth.copy()
    broken[0, 0, 3] = np.nan
    kld = view_scores(broken, truth, ALL, ALL).kld
    assert np.isnan(kld[0, 0]) and np.isfinite(kld[0, 1])


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6))
def test_scores_are_defined_where_they_apply_and_best_at_the_truth(seed: int) -> None:
    truth, valid, visible = random_maps(seed)
    guess = np.random.default_rng(seed + 1).dirichlet(np.ones(CELLS), truth.shape[:2])
    scores, best = (view_scores(maps, truth, valid, visible) for maps in (guess, baselines.oracle(truth)))
    for values in (scores, best):
        for name, counted in [("kld", valid), ("none", valid)]:
            assert (np.isfinite(getattr(values, name)) == counted).all()
        for name in ("cc", "nss", "distance", "identity"):
            assert (np.isfinite(getattr(values, name)) == visible).all()
    assert np.nanmin(scores.kld) >= 0 and np.nanmax(best.kld) == pytest.approx(0, abs=1e-9)
    assert (best.distance[visible] == 0).all() and (best.identity[visible] == 1).all()
    assert (best.nss[visible] > 0).all() and best.cc[visible] == pytest.approx(1)
    assert (np.abs(scores.cc[visible]) <= 1).all() and (scores.distance[visible] < 1).all()


def test_confusion_counts_each_cell_under_its_own_view() -> None:
    truth = np.full((2, 1, 2, 2), -100)
    truth[0, 0] = [[0, 1], [2, 2]]
    truth[1, 0, 0, 0] = 1
    predicted = np.zeros_like(truth)
    predicted[0, 0] = [[0, 1], [2, 1]]
    confusion = class_confusion(predicted, truth)
    assert confusion[0].tolist() == [[1, 0, 0], [0, 1, 0], [0, 1, 1]]
    assert confusion[1].tolist() == [[0, 0, 0], [1, 0, 0], [0, 0, 0]]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6))
def test_every_baseline_is_a_proper_distribution(seed: int) -> None:
    train, valid, _ = random_maps(seed, views=5)
    keyframes = train.shape[1]
    maps = {
        "uniform": baselines.uniform(3, keyframes, CELLS),
        "none": baselines.always_none(3, keyframes, CELLS),
        "centre": baselines.centre_prior(3, keyframes, GRID, none_rate=0.2),
        "copy": baselines.copy_previous(train[:3]),
        "oracle": baselines.oracle(train[:3]),
    }
    if valid.any():
        maps |= {"train": baselines.train_mean(train, valid, 3), "slot": baselines.slot_mean(train, valid, 3)}
    for name, values in maps.items():
        assert values.shape == (3, keyframes, CELLS), name
        assert (values >= 0).all() and np.allclose(values.sum(-1), 1), name


def test_means_leave_out_padding_and_keep_slots_apart() -> None:
    train = np.stack([views_of(spot(1, 1), spot(6, 6))[0], views_of(spot(1, 1), spot(0, 7))[0]])
    valid = np.array([[True, True], [True, False]])
    slot = baselines.slot_mean(train, valid, views=1)[0]
    assert slot == pytest.approx(baselines.soften(views_of(spot(1, 1), spot(6, 6))[0]))
    mean = baselines.train_mean(train, valid, views=1)[0]
    assert mean[0] == pytest.approx(baselines.soften((2 * spot(1, 1) + spot(6, 6)) / 3)) and (mean[0] == mean[1]).all()
    unseen = baselines.slot_mean(train, valid & [True, False], views=1)[0]
    assert unseen[1] == pytest.approx(unseen[0]), "a slot never filled in training knows the mean of all"


def test_the_centre_prior_is_highest_in_the_middle_and_holds_the_none_rate() -> None:
    one = baselines.centre_prior(1, 1, GRID, none_rate=0.3)[0, 0]
    grid = one[:-1].reshape(GRID, GRID)
    assert one[-1] == pytest.approx(0.3) and np.allclose(grid, grid[::-1, ::-1])
    assert grid[3, 3] == grid.max() and grid[0, 0] == grid.min()


def test_noise_of_the_oracle_is_as_large_as_it_says() -> None:
    pose = make_batch().views.pose.double()
    moved = baselines.perturb(pose, 0.25, 5.0, torch.Generator().manual_seed(0))
    difference = relative_pose(pose, moved)
    assert torch.allclose(difference[..., :3, 3].norm(dim=-1), torch.tensor(0.25, dtype=torch.float64))
    angle = torch.acos((difference[..., :3, :3].diagonal(dim1=-2, dim2=-1).sum(-1) - 1) / 2)
    assert torch.allclose(torch.rad2deg(angle), torch.tensor(5.0, dtype=torch.float64), atol=1e-3)


def test_more_noise_makes_the_oracle_worse() -> None:
    batch = make_batch(items=8)
    truth = baselines.target_maps(build_targets(batch.views, GRID, PATCHES))
    valid, visible = batch.views.valid[:, :-1].numpy(), batch.targets.visible.numpy()
    assert np.array_equal(truth, baselines.target_maps(batch.targets))
    divergences = []
    for metres, degrees in [(0.0, 0.0), (0.05, 1.0), (0.25, 5.0), (1.0, 30.0)]:
        generator = torch.Generator().manual_seed(3)
        maps = baselines.noisy_oracle(batch.views, GRID, PATCHES, metres, degrees, generator)
        divergences.append(float(np.nanmean(view_scores(maps, truth, valid, visible).kld)))
    assert divergences == sorted(divergences) and divergences[0] < 0.05 and divergences[-1] > 0.5
