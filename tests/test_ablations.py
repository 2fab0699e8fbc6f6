"""How `backsight bench ablations` sets up and compares its trainings; the trainings themselves are the benchmark."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from model.batch import Text
from model.config import LanguageConfig
from model.data.frames import FrameReader
from model.data.views import evaluation_views
from model.language import LanguageModel
from model.sampling import SAMPLERS
from tasks.errors import UsageError
from tests.ablations.bypass import Bypass
from tests.ablations.keyframes import resampled
from tests.ablations.trial import Outcome, trained_on
from tests.ablations.variants import PARENTS, Variant, config_of, data_sizes, phase_of, variants
from tests.benchmarks.ablations import change, chosen, figures
from tests.walks import box_walks

ALL = [one for parent in PARENTS for one in (*variants(parent), *data_sizes(parent))]


@pytest.mark.parametrize("variant", ALL, ids=lambda one: one.title)
def test_each_variant_differs_from_its_parent_in_what_it_names(variant: Variant) -> None:
    parent = Variant(variant.parent, "seed", "seed 0")
    same_network = config_of(variant) == config_of(parent)
    assert same_network == (not variant.network)
    losses, own = phase_of(variant, 10, 4).losses, phase_of(parent, 10, 4).losses
    assert {name for name in losses | own if losses.get(name) != own.get(name)} == set(variant.losses)


def test_a_name_that_there_is_not_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(UsageError, match="no group 'weather': take some of data, geometry, loss"):
        chosen(["sensors"], ["weather"])
    with pytest.raises(UsageError, match="no parent 'radar': take some of sensors, images"):
        chosen(["radar"], [])
    assert {one.group for one in chosen(["images"], ["mask"])} == {"mask", "seed"}


def outcome(kld: np.ndarray) -> Outcome:
    """An outcome of 6 views in 3 buildings, with two keyframes in view and one out of it."""
    visible = np.broadcast_to([True, True, False], kld.shape)
    where = np.where(visible, 0.05, np.nan)
    known, scenes = np.ones(kld.shape, bool), np.repeat(["a", "b", "c"], 2)
    return Outcome(1.0, kld, where, np.where(visible, 1.0, np.nan), 1.0 - visible, visible, known, kld[:, 0], scenes)


def test_the_change_is_paired_by_view() -> None:
    parent = outcome(np.random.default_rng(0).random((6, 3)))
    worse = replace(parent, kld=parent.kld + 0.25)
    found = change(worse, parent)
    # What differs from view to view is in both, so it leaves no doubt about a constant change.
    assert found == pytest.approx({"change": 0.25, "from": 0.25, "to": 0.25})
    assert figures(worse)["kld"] == pytest.approx(figures(parent)["kld"] + 0.25)
    assert figures(parent)["ap_none"] == 1.0 and figures(parent)["pck10"] == 1.0


def test_fewer_buildings_take_nothing_from_the_other_splits(tmp_path: Path) -> None:
    dataset = box_walks(tmp_path, {"train": 3, "val_unseen": 1}, frames=4, side=32)
    few = trained_on(dataset, 2)
    assert len({few.walks[index].scene for index in few.split("train")}) == 2
    assert few.split("val_unseen") == dataset.split("val_unseen")
    assert trained_on(dataset, 0) is dataset


@pytest.mark.parametrize("algorithm", SAMPLERS)
def test_a_sampler_picks_of_the_views_own_past(algorithm: str, tmp_path: Path) -> None:
    dataset = box_walks(tmp_path, {"train": 1, "val_unseen": 2}, frames=9, side=32)
    views = evaluation_views(dataset, "val_unseen", 6, 3, seed=0)
    picked = resampled(dataset, FrameReader(dataset, 32), views, 3, algorithm)
    assert [(one.current, one.row) for one in picked] == [(one.current, one.row) for one in views]
    for view in picked:
        assert list(view.keyframes) == sorted(set(view.keyframes)) and len(view.keyframes) == 3
        assert dataset.walks[dataset.walk[view.current]].start <= view.keyframes[0]
        assert view.keyframes[-1] < view.current


def test_without_the_language_model_no_word_reaches_the_head() -> None:
    bypass = Bypass(LanguageModel(LanguageConfig(), 300, 1))
    views, valid = torch.randn(2, 4, 9, bypass.width), torch.ones(2, 3, dtype=torch.bool)
    said = [bypass(Text(torch.full((2, 5), word), torch.ones(2, 5, dtype=torch.bool)), views, valid) for word in (1, 2)]
    assert torch.equal(said[0].queries, said[1].queries) and torch.equal(said[0].current, views[:, -1])
    assert said[0].queries.shape == (2, 4, bypass.width)
