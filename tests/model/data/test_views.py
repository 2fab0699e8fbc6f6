"""Which frames form an item: the plan of an evaluation and the endless stream of training."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.data.stream import TrainingStream
from model.data.views import View, at_random, evaluation_views, evenly
from model.data.walks import WalkDataset
from model.errors import UsageError
from model.training.config import KeyframeMix, PhaseConfig
from tests.walks import box_walks


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> WalkDataset:
    return box_walks(tmp_path_factory.mktemp("boxes"), {"train": 4, "val_unseen": 2}, frames=9, side=16)


def phase(**changes: object) -> PhaseConfig:
    return PhaseConfig(**{"steps": 1, "batch": 4, "losses": {"heatmap": 1.0}, **changes})


@given(st.integers(1, 200), st.integers(1, 12))
def test_evenly_spread_numbers_are_distinct_sorted_and_reach_both_ends(past: int, count: int) -> None:
    chosen = evenly(past, count)
    assert len(chosen) == min(past, count) and list(chosen) == sorted(set(chosen.tolist()))
    assert chosen[0] == 0 and (count == 1 or chosen[-1] == past - 1)


@given(st.integers(1, 50), st.integers(1, 12), st.integers(0, 1000))
def test_random_numbers_are_distinct_sorted_and_in_the_past(past: int, count: int, seed: int) -> None:
    chosen = at_random(past, count, np.random.default_rng(seed))
    assert len(chosen) == min(past, count) and list(chosen) == sorted(set(chosen.tolist()))
    assert chosen.min() >= 0 and chosen.max() < past


def valid(dataset: WalkDataset, view: View) -> bool:
    walk = dataset.walks[dataset.walk[view.current]]
    return all(walk.start <= key < view.current < walk.stop for key in view.keyframes)


def test_an_evaluation_covers_scenes_and_walks_evenly_and_is_fixed_by_its_seed(dataset: WalkDataset) -> None:
    views = evaluation_views(dataset, "val_unseen", 8, 3, seed=0)
    assert len(views) == 8 and [view.row for view in views] == list(range(8))
    assert all(valid(dataset, view) and len(view.keyframes) == 3 for view in views)
    assert set(Counter(int(dataset.walk[view.current]) for view in views).values()) == {2}
    assert views == evaluation_views(dataset, "val_unseen", 8, 3, seed=0)
    assert views != evaluation_views(dataset, "val_unseen", 8, 3, seed=1)
    assert len({v.current for v in evaluation_views(dataset, "val_unseen", 10**6, 3, seed=0)}) == 4 * (9 - 3)


def test_an_evaluation_of_few_views_takes_a_walk_of_every_scene_first(dataset: WalkDataset) -> None:
    views = evaluation_views(dataset, "train", 4, 2, seed=0)
    assert len({dataset.walks[dataset.walk[v.current]].scene for v in views}) == 4


def test_a_split_without_walks_or_with_short_ones_is_refused(dataset: WalkDataset) -> None:
    with pytest.raises(UsageError, match=r"no walks in the split 'sealed' .it has train, val_unseen."):
        evaluation_views(dataset, "sealed", 4, 2, seed=0)
    with pytest.raises(UsageError, match="No walk of the split 'train' is longer than 9 frames"):
        evaluation_views(dataset, "train", 4, 9, seed=0)
    with pytest.raises(UsageError, match="has no frame to train on"):
        TrainingStream(dataset, phase(history=40), 2, seed=0)
    with pytest.raises(UsageError, match="has no frame to train on"):
        TrainingStream(dataset, phase(strata={"forward": 0.0, "loop": 0.0}), 2, seed=0)


def test_an_epoch_holds_every_anchor_once(dataset: WalkDataset) -> None:
    stream = TrainingStream(dataset, phase(), 3, seed=0)
    assert stream.epoch_length == 8 * 7
    for epoch in range(3):
        groups = [stream.group(epoch * stream.epoch_length + i) for i in range(stream.epoch_length)]
        assert sorted(group[0].current for group in groups) == stream.anchors.tolist()
    first, second = ([stream.group(e * 56 + i)[0].current for i in range(56)] for e in (0, 1))
    assert first != second


def test_pairs_are_consecutive_frames_with_the_same_keyframes(dataset: WalkDataset) -> None:
    stream = TrainingStream(dataset, phase(keyframes=KeyframeMix(uniform=0, random=1)), 3, seed=3)
    for number in range(80):
        one, two = stream.group(number)
        assert two.current == one.current + 1 and two.keyframes == one.keyframes
        assert valid(dataset, one) and valid(dataset, two)
        assert (one.row, two.row) == (2 * number, 2 * number + 1)


@settings(max_examples=25)
@given(st.sampled_from([1, 2, 4]), st.integers(0, 60), st.booleans())
def test_the_ranks_share_out_one_stream(ranks: int, index: int, pairs: bool) -> None:
    stream = TrainingStream(SHARED, phase(batch=4, pairs=pairs), 3, seed=1)
    whole = TrainingStream(SHARED, phase(batch=4 * ranks, pairs=pairs), 3, seed=1)
    together = [view for rank in range(ranks) for view in stream.batch(index, rank, ranks)]
    assert together == whole.batch(index, 0, 1)


def test_strata_are_drawn_as_often_as_they_weigh(dataset: WalkDataset) -> None:
    stream = TrainingStream(dataset, phase(strata={"loop": 3.0}), 3, seed=0)
    drawn = Counter(dataset.walks[dataset.walk[stream.group(i)[0].current]].stratum for i in range(stream.epoch_length))
    assert stream.epoch_length == 4 * 7 * (1 + 3)
    assert drawn["loop"] == 3 * drawn["forward"] == 84


@pytest.mark.parametrize("window", [1, 2])
def test_no_more_shards_are_mixed_than_asked(dataset: WalkDataset, window: int) -> None:
    stream = TrainingStream(dataset, phase(shuffle_shards=window), 3, seed=0)
    shards = [dataset.shard[stream.group(i)[0].current] for i in range(stream.epoch_length)]
    size = len(shards) * window // 4
    blocks = [set(shards[start : start + size]) for start in range(0, len(shards), size)]
    assert all(len(block) == window for block in blocks)
    assert set().union(*blocks) == set(shards)


@pytest.mark.parametrize("first", [0, 5, 30])
def test_shards_are_named_in_the_order_in_which_they_are_read(dataset: WalkDataset, first: int) -> None:
    stream = TrainingStream(dataset, phase(shuffle_shards=1), 3, seed=0)
    named = stream.shards_from(first)
    left = [dataset.shard[stream.group(i)[0].current] for i in range(first, stream.epoch_length)]
    met = list(dict.fromkeys(left))
    assert named[: len(met)] == met
    assert sorted(named) == sorted({walk.shard for walk in dataset.walks if walk.split == "train"})


SHARED: WalkDataset


@pytest.fixture(autouse=True, scope="module")
def share(dataset: WalkDataset) -> None:
    """Hypothesis calls a test many times, which fixtures of a test do not survive."""
    global SHARED
    SHARED = dataset


def test_walks_are_cut_at_episode_borders(dataset: WalkDataset, tmp_path: Path) -> None:
    assert [walk.stop - walk.start for walk in dataset.walks] == [9] * 12
    assert [w.episode for w in dataset.walks] == sorted(w.episode for w in dataset.walks)
    assert np.allclose(dataset.camera_height, 1.4)
