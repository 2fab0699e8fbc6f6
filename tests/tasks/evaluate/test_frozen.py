"""The baselines of a network's own encoders, with encoders whose answer is known."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from model.baselines import DOUBT, soften, target_maps
from model.batch import Geometry, Views
from model.config import NetworkConfig, VGGTConfig
from model.spatial_mllm import SpatialMLLM
from tasks.evaluate.frozen import appearance, cells, reprojection
from tests.model.predictions import GRID, PATCHES, WIDTH, make_batch, truthful
from tests.published import NETWORK


class Knows(nn.Module):
    """An encoder that sees the true geometry in the pictures."""

    reads_sensors = False

    def __init__(self, geometry: Geometry) -> None:
        super().__init__()
        self.anchor = nn.Parameter(torch.zeros(1))
        self.geometry = geometry

    def forward(self, views: Views) -> Geometry:
        return self.geometry


class Colours(nn.Module):
    """Tokens that are given."""

    def __init__(self, tokens: Tensor) -> None:
        super().__init__()
        self.anchor = nn.Parameter(torch.zeros(1))
        self.tokens = tokens

    def forward(self, rgb: Tensor) -> Tensor:
        return self.tokens


def network(encoder: nn.Module | None = None, dinov3: nn.Module | None = None) -> SpatialMLLM:
    sizes = SimpleNamespace(grid=GRID, patches=PATCHES)
    encoders = {} if encoder is None else {"knows": encoder}
    return SimpleNamespace(config=sizes, encoders=encoders, dinov3=dinov3, arithmetic=lambda device: nullcontext())  # type: ignore[return-value]


def test_an_encoder_that_sees_the_truth_reprojects_to_the_truth() -> None:
    batch = make_batch()
    maps = reprojection(network(Knows(truthful(batch).geometry[0])), batch.views)
    assert maps is not None
    padded = ~batch.views.valid[:, :-1].numpy()
    np.testing.assert_allclose(maps[padded][:, -1], soften(np.eye(GRID**2 + 1)[-1:])[0, -1])
    np.testing.assert_allclose(maps, soften(target_maps(batch.targets)), atol=2e-3)


def test_wrong_depth_reprojects_to_something_else() -> None:
    batch = make_batch()
    geometry = truthful(batch).geometry[0]
    wrong = reprojection(network(Knows(replace(geometry, depth=1.5 * geometry.depth))), batch.views)
    assert wrong is not None and np.abs(wrong - soften(target_maps(batch.targets))).max() > 0.05


def test_the_cell_that_looks_like_a_patch_of_the_keyframe_gets_most() -> None:
    views = make_batch(1, 2).views
    tokens = torch.zeros(1, 3, PATCHES**2, WIDTH)
    tokens[..., 0] = 1.0
    # Patch 6 of the view now has a colour that is patch 11's in the first keyframe, brighter, and none's in the other.
    tokens[0, 2, 6] = torch.eye(WIDTH)[3]
    tokens[0, 0, 11] = 7 * torch.eye(WIDTH)[3]
    tokens[0, 0, [i for i in range(PATCHES**2) if i != 11]] = torch.eye(WIDTH)[5]
    maps = appearance(network(dinov3=Colours(tokens)), views, none_rate=0.3)
    assert maps is not None
    np.testing.assert_allclose(maps.sum(-1), 1)
    np.testing.assert_allclose(maps[..., -1], 0.3 * (1 - DOUBT) + DOUBT / (GRID**2 + 1))
    first, other = maps[0, :, :-1].reshape(2, GRID, GRID)
    row, column = divmod(int(first.argmax()), GRID)
    assert (row // 2, column // 2) == divmod(6, PATCHES)
    assert (other.argmin() // GRID // 2, other.argmin() % GRID // 2) == divmod(6, PATCHES)


@pytest.mark.parametrize("grid", [2, 4, 8, 6])
def test_patches_keep_their_places_and_their_sum_in_any_grid(grid: int) -> None:
    patches = torch.zeros(1, 1, 16)
    patches[0, 0, 5] = 1.0
    spread = cells(patches, grid)[0, 0].numpy().reshape(grid, grid)
    assert spread.sum() == pytest.approx(1)
    centre = (np.arange(grid) + 0.5) / grid
    middle = (spread.sum(0) @ centre, spread.sum(1) @ centre)
    assert middle == pytest.approx((0.375, 0.375), abs=0.5 / grid)


def test_a_network_without_such_encoders_has_no_such_baselines() -> None:
    own = SpatialMLLM(NETWORK, 300)
    assert appearance(own, make_batch().views, 0.3) is None and reprojection(own, make_batch().views) is None


def test_an_untaught_network_gives_distributions() -> None:
    config = NetworkConfig(image_size=32, patches=4, grid=8, keyframes=3, vggt=VGGTConfig(image_size=32))
    views = make_batch(2, 3).views
    views = replace(
        views,
        rgb=torch.nn.functional.interpolate(views.rgb.flatten(0, 1), (32, 32)).unflatten(0, (2, 4)),
        depth=torch.nn.functional.interpolate(views.depth, (32, 32)),
    )
    own = SpatialMLLM(config, 300).eval()
    for maps in (appearance(own, views, 0.3), reprojection(own, views)):
        assert maps is not None and maps.shape == (2, 3, 65)
        np.testing.assert_allclose(maps.sum(-1), 1, atol=1e-6)
