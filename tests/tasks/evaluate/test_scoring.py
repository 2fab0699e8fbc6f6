"""Systems whose scores are known without computing them, on rendered rooms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from model.baselines import DOUBT
from model.batch import Batch, Prediction
from model.config import NetworkConfig, VGGTConfig
from model.data.loader import view_batches
from model.data.reader import ViewReader
from model.data.views import View, evaluation_views
from model.data.walks import DatasetFiles, WalkDataset, open_dataset
from model.spatial_mllm import SpatialMLLM
from model.tokenizer import Tokenizer
from tasks.evaluate.scoring import collect, plan_rows, score
from tasks.evaluate.systems import Learnt, answers
from tasks.scores import ScoreBook
from tasks.summary import over_scenes, summarise
from tests.box_world import write_dataset

CONFIG = NetworkConfig(image_size=32, patches=4, grid=8, keyframes=3, vggt=VGGTConfig(image_size=32))
CELLS = 8 * 8 + 1
NETWORK = SpatialMLLM(CONFIG, 300).eval()


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> WalkDataset:
    root = write_dataset(tmp_path_factory.mktemp("boxes"), {"train": 3, "val_unseen": 4}, frames=24)
    return open_dataset(DatasetFiles.inside(root))


@pytest.fixture(scope="module")
def reader(dataset: WalkDataset) -> ViewReader:
    return ViewReader(dataset, CONFIG, Tokenizer.train([walk.instruction for walk in dataset.walks], 300))


@pytest.fixture(scope="module")
def views(dataset: WalkDataset) -> list[View]:
    return evaluation_views(dataset, "val_unseen", 24, 3, 0)


def says_the_truth(batch: Batch) -> Prediction:
    """A prediction that equals the targets."""
    goal = batch.targets.goal[:, None]
    maps = torch.cat([batch.targets.heatmap, goal], dim=1)
    classes = torch.nn.functional.one_hot(batch.targets.classes.clamp_min(0), 3).movedim(-1, 2)
    empty = torch.zeros(len(goal), 1, 1)
    return Prediction(maps.double().log(), classes.float(), torch.zeros(len(goal), 3), empty, empty[:, None], ())


@pytest.fixture(scope="module")
def book(dataset: WalkDataset, reader: ViewReader, views: list[View]) -> ScoreBook:
    return measure(dataset, reader, views, says_the_truth, batch=5)


def measure(
    dataset: WalkDataset, reader: ViewReader, views: list[View], model: Callable[[Batch], Prediction], batch: int
) -> ScoreBook:
    learnt = Learnt.of(view_batches(reader, evaluation_views(dataset, "train", 24, 3, 0), 8))
    draw, truths, parts = torch.Generator().manual_seed(0), [], []
    for one in view_batches(reader, views, batch):
        before = [replace(views[row], current=views[row].current - 1) for row in one.row.tolist()]
        said = answers(one, model(one), reader.batch(before).targets, learnt, NETWORK, draw)
        truths.append(one.targets)
        parts.append({name: score(answer, one, learnt.places) for name, answer in said.items()})
    return collect(parts, plan_rows(dataset, views, 3, truths))


def test_every_answer_is_a_distribution_over_the_cells_and_none(dataset: WalkDataset, reader: ViewReader) -> None:
    batch = reader.batch(evaluation_views(dataset, "val_unseen", 5, 3, 0))
    learnt = Learnt.of([reader.batch(evaluation_views(dataset, "train", 9, 3, 0))])
    said = answers(batch, says_the_truth(batch), batch.targets, learnt, NETWORK, torch.Generator().manual_seed(0))
    assert len(said) == 13
    for name, answer in said.items():
        assert answer.maps.shape == (5, 3, CELLS), name
        np.testing.assert_allclose(answer.maps.sum(-1), 1, atol=1e-6, err_msg=name)
        assert answer.classes is None or (answer.classes.shape == (5, 3, 8, 8) and answer.classes.max() <= 2), name


@pytest.mark.parametrize("system", ["model", "oracle"])
def test_the_truth_has_the_best_score_in_everything(book: ScoreBook, system: str) -> None:
    figures = summarise(book.plan, book.systems[system], over_scenes(book.plan, 100, 0.95, 0))
    found = {name: estimate.value for name, estimate in figures.items()}
    assert found["kld"] == pytest.approx(0, abs=1e-6)
    assert found["brier"] == pytest.approx(0, abs=1e-12)
    for name in ("cc", "pck05", "pck10", "pck20", "inside", "acc05", "acc10", "ap_none", "ap_visible", "miou"):
        assert found[name] == pytest.approx(1), name
    assert found["metres"] == pytest.approx(0)
    assert found["sauc"] > 0.6


def test_uniform_costs_the_entropy_that_is_missing(book: ScoreBook, reader: ViewReader, views: list[View]) -> None:
    truth = reader.batch(views).targets.heatmap.double().numpy()
    entropy = -np.where(truth > 0, truth * np.log(np.maximum(truth, 1e-300)), 0).sum(-1)
    figures = summarise(book.plan, book.systems["uniform"], over_scenes(book.plan, 100, 0.95, 0))
    assert figures["kld"].value == pytest.approx(np.log(CELLS) - entropy.mean(), abs=1e-6)
    assert figures["cc"].value == figures["nss"].value == 0
    assert figures["sauc"].value == pytest.approx(0.5)
    assert figures["ap_none"].value == pytest.approx(1 - (figures["base_rate"].value or 0))
    assert figures["miou"].value is None


def test_always_none_has_the_brier_score_of_the_base_rate(book: ScoreBook) -> None:
    figures = summarise(book.plan, book.systems["always_none"], over_scenes(book.plan, 100, 0.95, 0))
    rate, seen = figures["base_rate"].value or 0, DOUBT * (1 - 1 / CELLS)
    assert figures["brier"].value == pytest.approx(rate * (1 - seen) ** 2 + (1 - rate) * seen**2)


def test_noise_orders_the_oracles_and_the_mean_knows_more_than_nothing(book: ScoreBook) -> None:
    draws = over_scenes(book.plan, 100, 0.95, 0)
    kld = {name: summarise(book.plan, scores, draws)["kld"].value or 0 for name, scores in book.systems.items()}
    assert abs(kld["oracle"]) < 1e-9 < kld["oracle_05cm"] < kld["oracle_10cm"] < kld["oracle_25cm"] < kld["always_none"]
    assert kld["train_mean"] < kld["uniform"] < kld["always_none"]


def test_the_plan_names_the_frames_that_were_asked_about(book: ScoreBook, dataset: WalkDataset) -> None:
    plan = book.plan
    assert set(plan.scene) == {"box-003", "box-004", "box-005", "box-006"}
    assert (plan.keyframes[:, -1] < plan.frame).all() and plan.valid.all()
    assert {walk.episode for walk in dataset.walks if walk.split == "val_unseen"} == set(plan.episode)


def test_batch_size_changes_no_score_but_the_noise(
    book: ScoreBook, dataset: WalkDataset, reader: ViewReader, views: list[View]
) -> None:
    other = measure(dataset, reader, views, says_the_truth, batch=24)
    assert other.plan.same_as(book.plan)
    for name in ("model", "slot_mean", "copy_previous"):
        np.testing.assert_allclose(other.systems[name].kld, book.systems[name].kld, atol=1e-9)


def test_missing_keyframes_are_padding_that_counts_nowhere(dataset: WalkDataset, reader: ViewReader) -> None:
    short = [replace(view, keyframes=view.keyframes[:2]) for view in evaluation_views(dataset, "val_unseen", 6, 3, 0)]
    book = measure(dataset, reader, short, says_the_truth, batch=6)
    assert (book.plan.keyframes[:, 2] == -1).all() and not book.plan.valid[:, 2].any()
    assert np.isnan(book.systems["uniform"].kld[:, 2]).all()
    assert book.systems["model"].broken(book.plan) == 0
