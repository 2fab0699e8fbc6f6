"""Labels of views whose answer can be worked out on paper: a wall, a plate before it, a step aside, a turn."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from model.batch import NO_TURN, Targets, Views
from model.labels import CO_VISIBLE, NO_CLASS, OCCLUDED, OUT_OF_VIEW, FuturePath, ThingMask, build_targets, correspond
from model.labels.goals import AROUND, LEFT, RIGHT
from tests.model.rooms import Array, Room, camera_pose, depth_map, square_intrinsics, views_of

SIDE, GRID, PATCHES = 64, 16, 8
INTRINSICS = square_intrinsics(SIDE)
HALL = Room(np.array([20.0, 20.0, 12.0]), np.empty((0, 2, 3)))
"""So high and wide that a camera 2 m from the far wall (z = 12) with 90 degrees sees that wall alone."""


def looking(*poses: Array, room: Room = HALL) -> Views:
    depths = np.stack([depth_map(room, pose, INTRINSICS, SIDE, SIDE) for pose in poses])
    return views_of(depths, np.stack(poses), INTRINSICS)


def at(x: float, z: float = 10.0, yaw: float = 0.0) -> Array:
    return camera_pose(np.array([x, 10.0, z]), yaw, 0.0)


def mode(heatmap: torch.Tensor) -> tuple[int, int]:
    return divmod(int(heatmap[:-1].argmax()), GRID)


def test_the_same_view_is_seen_whole_and_its_gaze_is_the_centre() -> None:
    targets = build_targets(looking(at(10), at(10)), GRID, PATCHES)
    assert targets.share.item() == pytest.approx(1)
    assert targets.visible.item() and targets.certain.item()
    assert (targets.classes == CO_VISIBLE).all() and (targets.covisible == 1).all()
    assert targets.match[0, 0].tolist() == list(range(PATCHES**2))
    assert torch.allclose(targets.cell_depth, torch.full((1, GRID, GRID), 2.0))
    heat = targets.heatmap[0, 0]
    assert heat.sum().item() == pytest.approx(1, abs=1e-6) and heat[-1] == 0
    grid = heat[:-1].view(GRID, GRID)
    assert torch.allclose(grid, grid.flip(0), atol=1e-7) and torch.allclose(grid, grid.T, atol=1e-7)
    assert mode(heat) in [(7, 7), (7, 8), (8, 7), (8, 8)]


def test_a_step_to_the_right_moves_the_memory_to_the_left() -> None:
    # The wall is 2 m away and the view 4 m wide. One metre = 16 pixels = 4 cells = 2 patches. Facing +z with y up,
    # the camera's right is -x, so a step to its right is one towards smaller x.
    keyframe, current = at(10), at(9)
    targets = build_targets(looking(keyframe, current), GRID, PATCHES)
    assert targets.share.item() == pytest.approx(0.75)
    columns = targets.classes[0, 0]
    assert (columns[:, :12] == CO_VISIBLE).all() and (columns[:, 12:] == OUT_OF_VIEW).all()
    row, column = mode(targets.heatmap[0, 0])
    assert row in (7, 8) and column in (3, 4)
    match = targets.match.view(PATCHES, PATCHES)
    assert match[3].tolist() == [3 * PATCHES + c for c in range(2, 8)] + [-1, -1]


def test_landing_points_are_in_x_y_order() -> None:
    landing = correspond(*vision(looking(at(10), at(9)))).landing[0, 0]
    # Row 20, column 8 of the current view, whose centre is (8.5, 20.5), is 16 pixels further right in the keyframe.
    assert landing[20, 8].tolist() == pytest.approx([24.5, 20.5], abs=1e-3)
    assert landing[20, 60].isnan().all()


def vision(views: Views) -> tuple[torch.Tensor, ...]:
    return views.depth, views.pose, views.intrinsics


def test_what_lies_behind_is_none() -> None:
    targets = build_targets(looking(at(10, yaw=math.pi), at(10)), GRID, PATCHES)
    assert not targets.visible.item() and targets.certain.item() and targets.share.item() == 0
    assert targets.heatmap[0, 0, -1] == 1 and targets.heatmap[0, 0, :-1].sum() == 0
    assert (targets.match == -1).all() and (targets.classes == OUT_OF_VIEW).all()


def test_a_plate_before_the_keyframe_hides_its_half_of_the_wall() -> None:
    # The plate stands 1 m before the keyframe, on its left (+x), and hides the left half of the wall from it. The
    # current view stands beyond the plate, half a metre from the wall, and sees the wall's middle metre whole.
    plate = Room(HALL.size, np.array([[[10.0, 0.0, 11.0], [20.0, 20.0, 11.01]]]))
    views = looking(at(10), at(10, z=11.5), room=plate)
    targets = build_targets(views, GRID, PATCHES)
    assert (targets.classes[0, 0, :, :8] == OCCLUDED).all()
    assert (targets.classes[0, 0, :, 8:] == CO_VISIBLE).all()
    assert targets.share.item() == pytest.approx(0.5)


def test_invalid_depth_has_no_class_and_counts_nowhere() -> None:
    views = looking(at(10), at(10))
    depth = views.depth.clone()
    depth[0, 1, :, :32] = 0
    depth[0, 1, 0, 40] = torch.inf
    depth[0, 0, 32:] = torch.nan
    targets = build_targets(replace(views, depth=depth), GRID, PATCHES)
    assert (targets.classes[0, 0, :, :8] == NO_CLASS).all()
    assert (targets.classes[0, 0, :8, 8:] == CO_VISIBLE).all()
    assert (targets.classes[0, 0, 8:, 8:] == OCCLUDED).all(), "a keyframe without depth has not shown the place"
    assert targets.share.item() == pytest.approx(0.5, abs=0.01)
    assert (targets.cell_depth[0, :, :8] == 0).all() and (targets.cell_depth[0, :, 8:] == 2).all()
    assert all(torch.isfinite(t).all() for t in (targets.heatmap, targets.share, targets.covisible))


def test_a_view_without_depth_is_certain_of_nothing() -> None:
    views = looking(at(10), at(10))
    depth = views.depth.clone()
    depth[:, 1] = 0
    targets = build_targets(replace(views, depth=depth), GRID, PATCHES)
    assert not targets.certain.any() and not targets.visible.any()
    assert (targets.classes == NO_CLASS).all() and targets.heatmap[0, 0, -1] == 1


def test_padding_is_none_and_uncertain() -> None:
    views = looking(at(10), at(10), at(10))
    targets = build_targets(replace(views, valid=torch.tensor([[True, False, True]])), GRID, PATCHES)
    assert targets.certain.tolist() == [[True, False]]
    assert targets.heatmap[0, 1].tolist() == [0.0] * GRID**2 + [1.0]
    assert (targets.classes[0, 1] == NO_CLASS).all() and (targets.match[0, 1] == -1).all()
    assert targets.share[0, 1] == 0 and targets.covisible[0, 1].sum() == 0


@pytest.mark.parametrize(("columns", "visible", "certain"), [(0, 0, 1), (1, 1, 0), (2, 1, 1)])
def test_pairs_near_the_threshold_are_uncertain(columns: int, visible: int, certain: int) -> None:
    # A column of 64 is 1.6 % of the view, between 0.5 % and 2 %; a step of 1 m is 16 columns.
    aside = (SIDE - columns) / 16
    targets = build_targets(looking(at(10), at(10 - aside)), GRID, PATCHES)
    assert targets.share.item() == pytest.approx(columns / SIDE, abs=1e-3)
    assert (targets.visible.item(), targets.certain.item()) == (bool(visible), bool(certain))


def test_no_keyframes_at_all() -> None:
    targets = build_targets(looking(at(10)), GRID, PATCHES)
    assert targets.heatmap.shape == (1, 0, GRID**2 + 1) and targets.match.shape == (1, 0, PATCHES**2)


def path(*points: tuple[float, float, float], height: float = 0.0) -> FuturePath:
    there = torch.ones(1, len(points), dtype=torch.bool)
    return FuturePath(torch.tensor([points], dtype=torch.float32), there, torch.tensor([height]))


def goal_of(*points: tuple[float, float, float], room: Room = HALL, pose: Views | None = None) -> Targets:
    views = looking(at(10, z=6.0) if pose is None else pose, room=room)
    return build_targets(views, GRID, PATCHES, path(*points))


def test_the_farthest_visible_waypoint_is_the_goal() -> None:
    # The camera at z = 6 looks along +z; 4 m ahead and 1 m to its right (-x) a view of 90 degrees shows it at
    # x = 32 + 32 / 4 = 40 pixels = 10 cells; 2 m below eye level at y = 32 + 16 = 48 pixels = 12 cells.
    targets = goal_of((10.0, 10.0, 8.0), (9.0, 8.0, 10.0), (10.0, 10.0, 2.0))
    assert targets.goal_valid.item() and targets.turn.item() == NO_TURN and targets.goal[0, -1] == 0
    grid = targets.goal[0, :-1].view(GRID, GRID)
    centre = torch.arange(GRID) + 0.5
    assert (grid.sum(0) @ centre).item() == pytest.approx(10, abs=0.02)
    assert (grid.sum(1) @ centre).item() == pytest.approx(12, abs=0.02)


def test_a_waypoint_behind_a_wall_is_not_the_goal() -> None:
    wall = Room(HALL.size, np.array([[[0.0, 0.0, 9.0], [20.0, 20.0, 9.1]]]))
    targets = goal_of((10.0, 10.0, 8.0), (9.0, 8.0, 10.0), room=wall)
    grid = targets.goal[0, :-1].view(GRID, GRID)
    assert mode(targets.goal[0]) in [(7, 7), (7, 8), (8, 7), (8, 8)] and grid.sum().item() == pytest.approx(1)


def test_a_body_is_seen_by_its_lowest_visible_point() -> None:
    # 1 m ahead the floor 1.6 m below eye level is under the image's edge (1 m below the axis at 1 m); of the nine
    # points, 0.2 m apart, the one 0.8 m below the axis is the lowest in view: y = 32 + 0.8 * 32 = 57.6 px = 14.4 cells.
    views = looking(at(10, z=6.0))
    near = build_targets(views, GRID, PATCHES, path((10.0, 8.4, 7.0), height=1.6))
    assert near.goal_valid.item() and near.goal[0, -1] == 0 and mode(near.goal[0])[0] == 14
    assert not build_targets(views, GRID, PATCHES, path((10.0, 8.4, 7.0))).goal_valid.item()
    # 3 m ahead, the line of sight over a table's edge (1.4 m ahead, 0.6 m below the axis) meets the body 1.29 m below
    # the axis: the point at 1.2 m is the lowest above it, y = 32 + 1.2 / 3 * 32 = 44.8 px = 11.2 cells.
    table = Room(HALL.size, np.array([[[0.0, 0.0, 7.4], [20.0, 9.4, 7.5]]]))
    behind = build_targets(looking(at(10, z=6.0), room=table), GRID, PATCHES, path((10.0, 8.4, 9.0), height=1.6))
    assert behind.goal_valid.item() and mode(behind.goal[0])[0] == 11


@pytest.mark.parametrize(
    ("point", "turn"),
    [((13.0, 10.0, 7.0), LEFT), ((7.0, 10.0, 7.0), RIGHT), ((9.5, 10.0, 2.0), AROUND), ((12.0, 10.0, 5.0), LEFT)],
)
def test_an_unseen_waypoint_names_the_first_turn(point: tuple[float, float, float], turn: int) -> None:
    targets = goal_of((10.0, 10.0, 6.3), (10.1, 9.0, 6.0), point)
    # The first point is 30 cm ahead, at eye level: visible. Without it there is only the turn.
    assert targets.turn.item() == NO_TURN
    targets = goal_of((10.1, 9.0, 6.0), point)
    assert targets.goal_valid.item() and targets.turn.item() == turn and targets.goal[0, -1] == 1


def test_the_end_of_the_path_has_no_goal() -> None:
    targets = goal_of((10.0, 8.5, 6.0))
    assert not targets.goal_valid.item() and targets.turn.item() == NO_TURN
    nothing = FuturePath(torch.zeros(1, 3, 3), torch.zeros(1, 3, dtype=torch.bool), torch.zeros(1))
    assert not build_targets(looking(at(10)), GRID, PATCHES, nothing).goal_valid.item()


def test_a_thing_is_where_its_mask_is() -> None:
    mask = torch.zeros(3, SIDE, SIDE, dtype=torch.bool)
    mask[0, 40:44, 8:12] = True
    mask[1, 0, 0] = True
    valid = torch.tensor([True, True, True])
    one = looking(at(10))
    views = replace(one, **{n: getattr(one, n).repeat_interleave(3, 0) for n in vars(one)})
    targets = build_targets(views, GRID, PATCHES, ThingMask(mask, valid))
    assert mode(targets.goal[0]) == (10, 2) and targets.goal[0].sum().item() == pytest.approx(1)
    assert targets.goal_valid.tolist() == [True, False, True], "one pixel of 4096 is neither in view nor out of it"
    assert targets.goal[2, -1] == 1 and (targets.turn == NO_TURN).all()
    unasked = ThingMask(mask, torch.zeros(3, dtype=torch.bool))
    assert not build_targets(views, GRID, PATCHES, unasked).goal_valid.any()
