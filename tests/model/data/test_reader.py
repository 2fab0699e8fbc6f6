"""From bytes in shards to batches: what is decoded, padded, asked and computed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from model.batch import NO_TURN, Batch, TensorRecord
from model.config import NetworkConfig
from model.data.frames import FrameReader
from model.data.loader import training_batches, view_batches
from model.data.questions import ABSENT_SHARE, TEMPLATE, all_questions, ask
from model.data.reader import ViewReader
from model.data.views import View, evaluation_views
from model.data.walks import DatasetFiles, WalkDataset, open_dataset
from model.errors import DataError
from model.labels import build_targets
from model.tokenizer import Tokenizer
from tests.box_world import build_scene, render
from tests.published import NETWORK
from tests.walks import box_walks

SIDE = 32
REPOSITORY = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> WalkDataset:
    return box_walks(tmp_path_factory.mktemp("boxes"), {"train": 2}, frames=8, side=SIDE)


@pytest.fixture
def reader(dataset: WalkDataset) -> Callable[..., ViewReader]:
    tokenizer = Tokenizer.train(["walk past the sofa", *all_questions(dataset.categories.values())], 300)
    return lambda **how: ViewReader(dataset, NETWORK, tokenizer, **how)


def test_a_frame_is_what_was_rendered(dataset: WalkDataset) -> None:
    row = 11
    rgb, depth, ids = render(build_scene(0, "train"), dataset.pose[row], dataset.intrinsics[row], SIDE)
    frame = FrameReader(dataset, SIDE).read(row)
    assert np.array_equal(frame.rgb, rgb) and np.array_equal(frame.semantic, ids)
    assert np.abs(frame.depth - depth).max() <= 0.0005 + 1e-6


def test_a_frame_of_another_size_keeps_its_rays(dataset: WalkDataset) -> None:
    small = FrameReader(dataset, SIDE // 2).read(3)
    assert small.rgb.shape == (SIDE // 2, SIDE // 2, 3) and small.depth.shape == (SIDE // 2, SIDE // 2)
    assert np.allclose(small.intrinsics[:2], dataset.intrinsics[3][:2] / 2)
    large = FrameReader(dataset, SIDE).read(3)
    assert set(np.unique(small.depth)) <= set(np.unique(large.depth))


def test_kept_frames_stay_within_their_memory(dataset: WalkDataset) -> None:
    reader = FrameReader(dataset, SIDE, memory=3 * SIDE * SIDE * 9)
    for row in (0, 1, 2, 3, 0):
        reader.read(row)
    assert list(reader._latest) == [2, 3, 0]


def test_a_batch_says_what_the_walk_holds(dataset: WalkDataset, reader: Callable[..., ViewReader]) -> None:
    views = [View(5, (0, 2, 4), 10), View(6, (0, 2, 4), 11), View(9, (8,), 12)]
    batch = reader().batch(views)
    assert batch.views.rgb.shape == (3, 4, 3, SIDE, SIDE) and batch.views.rgb.max() <= 1
    assert batch.views.valid.tolist() == [[True] * 4, [True] * 4, [True, False, False, True]]
    assert batch.successor.tolist() == [1, -1, -1] and batch.row.tolist() == [10, 11, 12]
    assert torch.allclose(batch.views.pose[1, -1].double(), torch.tensor(dataset.pose[6]), atol=1e-6)
    assert (batch.views.rgb[2, 1:3] == 0).all() and (batch.views.depth[2, 1:3] == 0).all()
    assert (batch.views.intrinsics[..., 0, 0] > 0).all()
    bare = build_targets(batch.views, NETWORK.grid, NETWORK.patches)
    assert torch.equal(batch.targets.heatmap, bare.heatmap) and torch.equal(batch.targets.match, bare.match)


def test_the_last_frame_of_a_walk_has_nowhere_to_go(reader: Callable[..., ViewReader]) -> None:
    batch = reader().batch([View(7, (0, 1, 2), 0)])
    assert not batch.targets.goal_valid.any() and batch.targets.turn.tolist() == [NO_TURN]


def test_a_foreign_instruction_leaves_the_maps_and_takes_the_way(
    dataset: WalkDataset, reader: Callable[..., ViewReader]
) -> None:
    rows = [row for row in range(1, 32) if reader().batch([View(row, (row - 1,), 0)]).targets.goal_valid.all()]
    views = [View(row, (row - 1,), number) for number, row in enumerate(rows * (120 // len(rows)))]
    own, mixed = reader().batch(views), reader(foreign=0.5).batch(views)
    foreign = ~mixed.targets.goal_valid
    assert 0.35 < foreign.float().mean() < 0.65
    assert torch.equal(mixed.targets.heatmap, own.targets.heatmap)
    assert torch.equal(mixed.text.ids[~foreign], own.text.ids[~foreign])
    scenes = np.array([dataset.walks[dataset.walk[view.current]].scene for view in views])
    for scene in np.unique(scenes):
        said = own.text.ids[torch.from_numpy(scenes != scene)].tolist()
        told = mixed.text.ids[torch.from_numpy(scenes == scene) & foreign].tolist()
        assert told and all(one in said for one in told)
    assert torch.equal(reader(foreign=0.5).batch(views).text.ids, mixed.text.ids)


def test_a_question_is_answered_by_the_semantic_image(dataset: WalkDataset, reader: Callable[..., ViewReader]) -> None:
    asking = reader(goal="thing", seed=5)
    views = [View(row, (row - 1,), row) for row in range(1, 8)]
    batch = asking.batch(views)
    assert batch.targets.goal_valid.all() and (batch.targets.turn == NO_TURN).all()
    for number, view in enumerate(views):
        question = asking._ask(view, asking.frames.read(view.current))
        assert question is not None
        seen = question.mask.mean() >= 0.002
        assert batch.targets.goal[number, -1] == (0 if seen else 1)
    again = reader(goal="thing", seed=5).batch(views)
    assert torch.equal(again.targets.goal, batch.targets.goal) and torch.equal(again.text.ids, batch.text.ids)


@given(
    arrays(np.uint16, (8, 8), elements=st.integers(0, 6)),
    st.dictionaries(st.integers(1, 6), st.sampled_from("abc")),
    st.integers(0, 99),
)
def test_a_question_names_its_mask(semantic: np.ndarray, categories: dict[int, str], seed: int) -> None:
    question = ask(semantic, categories, np.random.default_rng(seed))
    shown = {categories[i] for i in np.unique(semantic).tolist() if i in categories}
    if question is None:
        assert not shown
        return
    name = next(n for n in categories.values() if TEMPLATE.format(n) == question.text)
    expected = np.isin(semantic, [i for i, category in categories.items() if category == name])
    assert np.array_equal(question.mask, expected)
    assert question.mask.any() == (name in shown)


def test_some_questions_name_what_is_not_in_view() -> None:
    semantic = np.ones((4, 4), np.uint16)
    asked = [ask(semantic, {1: "wall", 2: "sofa"}, np.random.default_rng(seed)) for seed in range(400)]
    absent = sum(q is not None and not q.mask.any() for q in asked) / 400
    assert absent == pytest.approx(ABSENT_SHARE, abs=0.06)


def assert_equal(one: TensorRecord, two: TensorRecord) -> None:
    for field in fields(one):
        a, b = getattr(one, field.name), getattr(two, field.name)
        assert_equal(a, b) if isinstance(a, TensorRecord) else torch.testing.assert_close(a, b, rtol=0, atol=0)


def test_loader_processes_give_the_same_batches_in_the_same_order(
    dataset: WalkDataset, reader: Callable[..., ViewReader]
) -> None:
    views = evaluation_views(dataset, "train", 10, 3, seed=0)
    alone: list[Batch] = list(view_batches(reader(), views, 4))
    helped = list(view_batches(reader(), views, 4, workers=2))
    assert [len(batch.row) for batch in alone] == [4, 4, 2] == [len(batch.row) for batch in helped]
    for one, two in zip(alone, helped, strict=True):
        assert_equal(one, two)


def test_a_process_with_batches_still_to_come_ends_at_once(tmp_path: Path) -> None:
    script = tmp_path / "leave.py"
    script.write_text(
        "import sys\n"
        "from model.data.loader import training_batches\n"
        "class Reader:\n"
        "    def batch(self, views): return views\n"
        "sys.unfinished = training_batches(Reader(), lambda index: [index], 0, 1000, workers=2)\n"
        "print(next(sys.unfinished))\n"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=120, cwd=REPOSITORY)
    assert done.stdout == "[0]\n" and done.returncode == 0, done.stderr


def test_a_damaged_image_is_named_even_from_a_loader_process(dataset: WalkDataset, tmp_path: Path) -> None:
    files = DatasetFiles.inside(dataset.files.index.parent)
    shard = tmp_path / "damaged.tar"
    content = bytearray(files.shards["shards/000.tar"].read_bytes())
    start, size = dataset.span["rgb"][2].tolist()
    content[start : start + size] = bytes(size)
    shard.write_bytes(content)
    hurt = open_dataset(replace(files, shards={**files.shards, "shards/000.tar": shard}))
    reader = ViewReader(hurt, NETWORK, Tokenizer.train(["a"], 300))
    batches = training_batches(reader, lambda _: [View(3, (2,), 0)], 0, 1, workers=1)
    with pytest.raises(
        DataError, match=r"rgb image of frame 2 of episode box-000-00 in shards/000.tar cannot be decoded"
    ):
        next(batches)


def test_an_index_that_lacks_columns_or_is_torn_is_refused(dataset: WalkDataset, tmp_path: Path) -> None:
    files = DatasetFiles.inside(dataset.files.index.parent)
    lacking, torn = tmp_path / "lacking.parquet", tmp_path / "torn.parquet"
    pq.write_table(pq.read_table(files.index).drop(["pose"]), lacking)
    torn.write_bytes(files.index.read_bytes()[:-50])
    with pytest.raises(DataError, match="lacks the columns pose"):
        open_dataset(replace(files, index=lacking))
    with pytest.raises(DataError, match="is no whole Parquet file"):
        open_dataset(replace(files, index=torn))
    with pytest.raises(DataError, match=r"names the shard shards/000.tar, which the dataset does not hold"):
        open_dataset(replace(files, sizes={}))


TEXTS = ["go to the sofa", "walk past the table and stop", "turn left at the door"]


@given(st.text(max_size=60))
def test_every_text_can_be_said(text: str) -> None:
    encoded = TOKENIZER.encode([text, "go"], 400)
    assert encoded.ids.shape == encoded.mask.shape and encoded.mask.any(dim=1).all()
    assert (encoded.ids[~encoded.mask] == 0).all() and int(encoded.ids.max()) < len(TOKENIZER)


TOKENIZER = Tokenizer.train(TEXTS, 300)


def test_a_tokenizer_follows_from_the_set_of_texts_and_survives_the_disk(tmp_path: Path) -> None:
    other = Tokenizer.train([*TEXTS[::-1], *TEXTS], 300)
    for name, tokenizer in {"one": TOKENIZER, "two": other}.items():
        tokenizer.write(tmp_path / name)
    assert (tmp_path / "one").read_text() == (tmp_path / "two").read_text()
    back = Tokenizer.read(tmp_path / "one")
    assert torch.equal(back.encode(TEXTS, 9).ids, TOKENIZER.encode(TEXTS, 9).ids)
    assert back.encode(TEXTS, 2).ids.shape == (3, 2)
    with pytest.raises(DataError, match="is no tokenizer"):
        Tokenizer.read(tmp_path / "none")


def test_the_reader_takes_the_networks_sizes(dataset: WalkDataset) -> None:
    config = NetworkConfig(keyframes=2, grid=16, patches=8, image_size=64)
    batch = ViewReader(dataset, config, TOKENIZER).batch([View(5, (0, 3), 0)])
    assert batch.views.depth.shape == (1, 3, 64, 64)
    assert batch.targets.heatmap.shape == (1, 2, 16 * 16 + 1) and batch.targets.match.shape == (1, 2, 64)
