"""What the goal's query is told of the way so far: the poses of the keyframes, as a set, and nothing of padding."""

from __future__ import annotations

import torch

from model.batch import Views
from model.encoders.sensors import SensorsEncoder
from model.spatial_mllm import SpatialMLLM
from model.trail import Trail
from tests.model.random_views import random_text, random_views
from tests.model.test_spatial_mllm import KEYFRAMES, build, maps, reorder


def told(network: SpatialMLLM, views: Views) -> torch.Tensor:
    """What the network's trail says."""
    assert isinstance(network.trail, Trail) and isinstance(network.encoders["sensors"], SensorsEncoder)
    with torch.no_grad():
        found = network.trail(network.encoders["sensors"](views), views.valid[:, :-1])
        return torch.cat([found.query, found.logits], dim=-1)


def moved(views: Views) -> Views:
    """The same pictures, with the first keyframe taken a metre farther away."""
    pose = views.pose.clone()
    pose[:, 0, 0, 3] += 1.0
    return Views(views.rgb, views.depth, pose, views.intrinsics, views.valid)


def test_it_is_the_set_of_the_keyframes_poses() -> None:
    network, views = build(), random_views(2, KEYFRAMES)
    torch.testing.assert_close(told(network, views), told(network, reorder(views, [2, 0, 1, KEYFRAMES])))
    assert (told(network, views) - told(network, moved(views))).abs().amax(dim=-1).min() > 1e-3


def test_it_knows_nothing_of_padding() -> None:
    network, views = build(), random_views(2, KEYFRAMES)
    views.valid[:, 0] = False
    torch.testing.assert_close(told(network, views), told(network, moved(views)))
    views.valid[:, :-1] = False
    assert torch.isfinite(told(network, views)).all()


def test_no_memory_map_reads_it_but_the_next_waypoints_does() -> None:
    network, views, text = build(), random_views(2, KEYFRAMES), random_text(2, 5)
    with torch.no_grad():
        before = maps(network(views, text))
        assert network.trail is not None
        network.trail.query.bias += 1.0
        after = maps(network(views, text))
    assert torch.equal(before[:, :-1], after[:, :-1]) and (before[:, -1] - after[:, -1]).abs().max() > 1e-5


def test_without_geometry_or_by_choice_there_is_none() -> None:
    blind = {"encoders": ("vggt",), "point_bands": 0, "head": {"near": False, "landing": False}}
    assert build(**blind).trail is None and build(trail=False).trail is None
