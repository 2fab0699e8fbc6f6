"""The goal's target: where the next waypoint, or the thing that a text names, lies in the current view.

Next waypoint: the walker's future positions are projected into the current view. A position is a body: the upright
line from the floor to the camera's height, at nine heights. A point of it is visible if it lies inside the image at
z > 0.04 m and no nearer surface hides it, that is, some depth among the 3 x 3 pixels around it is >= z - tau (tau =
max(0.03 m, 0.02 z)). Of the positions with a visible point the farthest *along the path* is the target: a Gaussian of
one cell around the exact place of its lowest visible point. That is the spot on the floor where the floor is in view,
and what stands out above the image's edge or a piece of furniture where it is not (floor points alone were visible in
28 % of the views of walks of 32 steps, bodies in 74 %).

If no position is visible, the target is the none bin, and the first turn is named: of the first position at least
0.5 m away (on the ground) and outside the horizontal field of view, its bearing from the camera: beyond +-135 degrees
"around", else "left" or "right". Where the path has neither a visible position nor such a turn (it ends here), the
goal says nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from model.batch import NO_TURN
from model.geometry import invert, project, transform
from model.labels.cells import BLUR_CELLS, blur, normalise, pool
from model.labels.covisibility import NEAREST, TOLERANCE_METRES, TOLERANCE_SHARE

LEFT, RIGHT, AROUND = 0, 1, 2

HEIGHTS = 9
"""Points of a body, evenly from the floor to the camera's height."""

TURN_DISTANCE = 0.5
AROUND_BEARING = math.radians(135)

THING_SHARE = 0.002
"""Share of the image's pixels from which on a thing counts as in view; fewer, but some, and the goal says nothing."""


@dataclass(frozen=True)
class FuturePath:
    """Where the walker goes after the current frame."""

    points: Tensor
    """[B, M, 3] float: positions on the floor in the order of the walk, world frame, metres."""
    valid: Tensor
    """[B, M] bool; False = padding. An item without a valid point has no goal."""
    height: Tensor
    """[B] float: of the walker's camera above the floor, metres; 0 = only the floor itself counts as a position."""


@dataclass(frozen=True)
class ThingMask:
    """Which pixels of the current view show the thing that the text names."""

    mask: Tensor
    """[B, H, W] bool; all False = the thing is not in view."""
    valid: Tensor
    """[B] bool: whether the text names a thing at all."""


@dataclass(frozen=True)
class GoalTarget:
    """See the fields of the same names in `model.batch.Targets`."""

    goal: Tensor
    goal_valid: Tensor
    turn: Tensor


def floor_path(pose: Tensor, camera_height: Tensor | float) -> Tensor:
    """[..., M, 4, 4] camera poses -> [..., M, 3] points on the floor, `camera_height` metres below the cameras."""
    points = pose[..., :3, 3].clone()
    points[..., 1] -= camera_height
    return points


def no_goal(batch: int, cells: int, device: torch.device) -> GoalTarget:
    """Targets that say nothing: all none, not valid."""
    target = torch.zeros(batch, cells * cells + 1, device=device)
    target[:, -1] = 1
    nothing = torch.zeros(batch, dtype=torch.bool, device=device)
    return GoalTarget(target, nothing, torch.full((batch,), NO_TURN, device=device))


def thing_goal(thing: ThingMask, cells: int) -> GoalTarget:
    """The mask, area-pooled to cells, blurred by one cell and normalised; none where the thing is not in view."""
    share = thing.mask.float().mean(dim=(-2, -1))
    visible = share >= THING_SHARE
    grid = normalise(blur(pool(thing.mask.float(), cells)))
    said = thing.valid & (visible | (share == 0))
    return GoalTarget(with_none(grid, visible), said, torch.full_like(said, NO_TURN, dtype=torch.int64))


def path_goal(path: FuturePath, depth: Tensor, pose: Tensor, intrinsics: Tensor, cells: int) -> GoalTarget:
    """Next-waypoint target of B current views: `depth` [B, H, W], `pose` [B, 4, 4], `intrinsics` [B, 3, 3]."""
    height, width = depth.shape[-2:]
    pixel, z = project(transform(invert(pose.double()), _bodies(path).double()).float(), intrinsics.float())
    shown = _unhidden(depth, pixel, z) & path.valid.repeat_interleave(HEIGHTS, dim=1)
    visible = shown.any(dim=-1)
    place = pixel.gather(1, _last_lowest(shown)[:, None, None].expand(-1, 1, 2))[:, 0]
    size = torch.tensor([width, height], device=depth.device)
    grid = _spot(torch.where(visible[:, None], place, 0.0) * cells / size, cells)
    turn = first_turn(path, pose, intrinsics, width)
    turn = torch.where(visible, NO_TURN, turn)
    return GoalTarget(with_none(grid, visible), visible | (turn != NO_TURN), turn)


def first_turn(path: FuturePath, pose: Tensor, intrinsics: Tensor, width: int) -> Tensor:
    """[B] int64: LEFT, RIGHT or AROUND towards the first position that is out of the horizontal field of view."""
    offset = path.points - pose[:, None, :3, 3]
    right, forward = pose[:, None, :3, 0], pose[:, None, :3, 2]
    # Bearings are taken on the ground, so that a camera that looks down gives the same turn.
    ground = torch.tensor([1.0, 0.0, 1.0], device=pose.device)
    sideways = (offset * ground * right).sum(-1)
    ahead = (offset * torch.nn.functional.normalize(forward * ground, dim=-1)).sum(-1)
    bearing = torch.atan2(sideways, ahead)
    half_view = torch.atan(width / (2 * intrinsics[:, 0, 0]))
    away = (torch.hypot(sideways, ahead) >= TURN_DISTANCE) & (bearing.abs() > half_view[:, None]) & path.valid
    first = away.int().argmax(dim=-1, keepdim=True)
    bearing = bearing.gather(1, first)[:, 0]
    side = torch.where(bearing < 0, LEFT, RIGHT)
    turn = torch.where(bearing.abs() > AROUND_BEARING, AROUND, side)
    return torch.where(away.any(dim=-1), turn, NO_TURN)


def with_none(grid: Tensor, visible: Tensor) -> Tensor:
    """[..., G * G] distributions and [...] bool -> [..., C]: the grid where visible, all mass on none elsewhere."""
    shown = visible[..., None].to(grid.dtype)
    return torch.cat([grid * shown, 1 - shown], dim=-1)


def _bodies(path: FuturePath) -> Tensor:
    """[B, M * HEIGHTS, 3] the points of every position's body, position by position, from the floor up."""
    rise = torch.linspace(0, 1, HEIGHTS, device=path.points.device) * path.height[:, None]
    bodies = path.points[:, :, None].repeat(1, 1, HEIGHTS, 1)
    bodies[..., 1] += rise[:, None]
    return bodies.flatten(1, 2)


def _last_lowest(shown: Tensor) -> Tensor:
    """[B] flat index of the lowest visible point of the last position that has one; anything where none has."""
    positions = torch.arange(shown.shape[1], device=shown.device) // HEIGHTS
    last = torch.where(shown, positions, -1).amax(dim=1, keepdim=True)
    return (shown & (positions == last)).int().argmax(dim=1)


def _unhidden(depth: Tensor, pixel: Tensor, z: Tensor) -> Tensor:
    """[B, M] bool: inside the image, in front of the camera, and not behind the surface measured there."""
    height, width = depth.shape[-2:]
    x, y = pixel.unbind(-1)
    inside = (z > NEAREST) & (x >= 0) & (x < width) & (y >= 0) & (y < height)
    farthest = torch.nn.functional.max_pool2d(depth[:, None], 3, stride=1, padding=1)[:, 0]
    index = torch.where(inside, y, 0.0).long() * width + torch.where(inside, x, 0.0).long()
    surface = farthest.flatten(1).gather(1, index)
    tolerance = (TOLERANCE_SHARE * z).clamp_min(TOLERANCE_METRES)
    return inside & (surface >= z - tolerance)


def _spot(place: Tensor, cells: int) -> Tensor:
    """[B, 2] (x, y) in cells -> [B, G * G]: Gaussian of one cell around it, sampled at the cells' centres, sum 1."""
    centres = torch.arange(cells, device=place.device) + 0.5
    x, y = (torch.exp(-((place[:, axis, None] - centres) ** 2) / (2 * BLUR_CELLS**2)) for axis in (0, 1))
    return normalise(y[:, :, None] * x[:, None, :])
