"""Where maps point: answers known by hand, and what holds for every map."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from model.baselines import target_maps
from model.batch import Targets, Views
from tasks.evaluate.pointing import cell_points, pointing, shuffled_auc, usual_places
from tests.model.predictions import make_batch

EVEN = np.full(4, 0.25)


def corner() -> tuple[Targets, Views]:
    """One view of 4 x 4 pixels in 2 x 2 cells, hfov 90: depths 2, 4, none and 1 m; the keyframe's place is cell 0.

    Of that keyframe the upper two cells show something.
    """
    batch = make_batch(1, 1)
    targets, views = batch.targets, batch.views
    named = vars(targets) | {
        "heatmap": torch.tensor([[[0.6, 0.3, 0.1, 0.0, 0.0]]]),
        "visible": torch.ones(1, 1, dtype=torch.bool),
        "covisible": torch.tensor([[[[1.0, 0.2], [0.0, 0.0]]]]),
        "cell_depth": torch.tensor([[[2.0, 4.0], [0.0, 1.0]]]),
    }
    intrinsics = torch.tensor([[2.0, 0, 2], [0, 2, 2], [0, 0, 1]]).expand(1, 2, 3, 3)
    return Targets(**named), Views(
        views.rgb[..., :4, :4], views.depth[..., :4, :4], views.pose, intrinsics, views.valid
    )


def told(map_: list[float], counted: bool = True) -> dict[str, float]:
    truth, views = corner()
    found = pointing(np.array([[map_]]), truth, views, np.array([[counted]]), EVEN)
    return {name: float(values[0, 0]) for name, values in found.items()}


def test_cells_lie_where_their_centres_point() -> None:
    points = cell_points(*corner())[0]
    np.testing.assert_allclose(points, [[-1, -1, 2], [2, -2, 4], [-2, 2, 4], [0.5, 0.5, 1]], atol=1e-6)


def test_a_map_is_measured_by_what_its_mode_shows() -> None:
    right = told([0.4, 0.2, 0.2, 0.1, 0.1])
    assert right == {"inside": 1.0, "metres": 0.0, "auc": pytest.approx(0.75 + 0.125)}
    beside = told([0.1, 0.4, 0.1, 0.1, 0.3])
    assert beside == {"inside": 1.0, "metres": pytest.approx(14**0.5), "auc": pytest.approx(3 * 0.125)}
    hole = told([0.2, 0.1, 0.4, 0.2, 0.1])
    assert hole["inside"] == 0.0 and hole["metres"] == pytest.approx(14**0.5), "no depth counts as the farthest"
    # One cell gets less, two as much, one more.
    assert hole["auc"] == pytest.approx(0.25 + 2 * 0.125)
    assert told([0.0, 0.0, 0.0, 0.2, 0.8])["metres"] == pytest.approx((1.5**2 + 1.5**2 + 1) ** 0.5)


def test_places_out_of_view_are_not_measured() -> None:
    assert all(np.isnan(value) for value in told([0.4, 0.2, 0.2, 0.1, 0.1], counted=False).values())


def test_usual_places_are_the_modes_of_what_is_counted() -> None:
    maps = np.array([[[0.4, 0.1, 0.1, 0.1, 0.3], [0.1, 0.4, 0.1, 0.1, 0.3], [0.0, 0.0, 0.0, 0.0, 1.0]]])
    assert usual_places(maps, np.array([[True, True, False]])).tolist() == [0.5, 0.5, 0.0, 0.0]
    assert usual_places(maps, np.zeros((1, 3), bool)).tolist() == EVEN.tolist()


shares = arrays(float, 9, elements=st.floats(0.0, 1.0)).filter(lambda a: a.sum() > 0.1).map(lambda a: a / a.sum())


@given(st.lists(st.integers(0, 5), min_size=9, max_size=9), shares)
def test_one_map_for_all_pairs_has_half_on_average(grid: list, usual: np.ndarray) -> None:
    maps = np.tile(np.array(grid, float), (9, 1, 1))
    each = shuffled_auc(maps, np.arange(9)[:, None], usual)[:, 0]
    assert usual @ each == pytest.approx(0.5)


@given(st.lists(st.integers(-5, 5), min_size=9, max_size=9), st.integers(0, 8), shares)
def test_only_the_order_counts_and_a_reversed_map_has_the_rest(grid: list, place: int, usual: np.ndarray) -> None:
    map_, at = np.array([[grid]], float), np.array([[place]])
    found = shuffled_auc(map_, at, usual)
    assert 0 <= found <= 1 + 1e-12
    np.testing.assert_allclose(shuffled_auc(np.exp(map_), at, usual), found)
    np.testing.assert_allclose(shuffled_auc(-map_, at, usual) + found, 1)


def test_the_truth_points_into_its_own_mask_at_its_own_place() -> None:
    batch = make_batch(12, 4)
    maps = target_maps(batch.targets)
    seen = (batch.views.valid[:, :-1] & batch.targets.visible).numpy()
    assert seen.sum() > 10
    found = pointing(maps, batch.targets, batch.views, seen, usual_places(maps, seen))
    assert (found["inside"][seen] == 1).all() and (found["metres"][seen] == 0).all()
    assert (found["auc"][seen] > 0.5).all()
