"""A predictor takes fewer keyframes than its network has slots, and refuses shapes that it cannot take."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from model.errors import UsageError
from model.predict import Predictor
from model.spatial_mllm import SpatialMLLM
from model.tokenizer import Tokenizer
from tests.published import INSTRUCTIONS, NETWORK


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    torch.manual_seed(0)
    tokenizer = Tokenizer.train(INSTRUCTIONS, 300)
    return Predictor(SpatialMLLM(NETWORK, len(tokenizer)), tokenizer)


def frames(views: int, side: int = 32) -> dict:
    draw = np.random.default_rng(views)
    return {
        "rgb": draw.integers(0, 256, (1, views, side, side, 3), dtype=np.uint8),
        "depth": draw.uniform(1, 4, (1, views, side, side)),
        "pose": np.tile(np.eye(4), (1, views, 1, 1)),
        "intrinsics": np.tile([[16.0, 0, 16], [0, 16, 16], [0, 0, 1]], (1, views, 1, 1)),
        "instruction": [INSTRUCTIONS[0]],
    }


@pytest.mark.parametrize("views", [2, 3, 4])
def test_every_shown_keyframe_gets_a_distribution(predictor: Predictor, views: int) -> None:
    answer = predictor.answer(**frames(views))
    assert answer["heatmap"].shape == (1, views - 1, 8, 8)
    np.testing.assert_allclose(answer["heatmap"].sum((-1, -2)) + answer["none"], 1, atol=1e-5)
    np.testing.assert_allclose(answer["goal"].sum((-1, -2)) + answer["goal_none"], 1, atol=1e-5)
    np.testing.assert_allclose(answer["turn"].sum(-1), 1, atol=1e-5)


def test_an_empty_slot_changes_no_answer_about_the_others(predictor: Predictor) -> None:
    three = frames(4)
    two = {name: part if name == "instruction" else np.delete(part, 2, axis=1) for name, part in three.items()}
    np.testing.assert_allclose(
        predictor.answer(**two)["heatmap"], predictor.answer(**three)["heatmap"][:, :2], atol=1e-5
    )


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (frames(2, side=16), r"rgb has the shape \(1, 2, 16, 16, 3\), but this network takes \[B, S, 32, 32, 3\]"),
        (frames(5), "5 views were given, but this network takes 1 to 3 keyframes and a view"),
        (frames(1), "1 views were given"),
    ],
)
def test_foreign_shapes_are_told(predictor: Predictor, given: dict, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        predictor.answer(**given)
