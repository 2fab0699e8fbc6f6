"""One recorded walk: planned by its stratum, seen through its camera, checked, and told in words."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from tasks.collect import checks
from tasks.collect.camera import Camera, camera_pose
from tasks.collect.following import UNREACHABLE, follow
from tasks.collect.given import GivenEpisode
from tasks.collect.instructions import chinese, english
from tasks.collect.route import landmarks, sightings, tell
from tasks.collect.seeds import generator
from tasks.collect.simulator import Observation, Points, Simulator
from tasks.collect.spec import CollectPlan, Stratum
from tasks.collect.strata import PLANNERS, Manner, Walk
from tasks.collect.walking import Action, Stance

ATTEMPTS = 60
"""Seeds that are tried for one episode before it is given up."""
GIVEN_ATTEMPTS = 6
"""The same for an episode whose path is given."""


@dataclass(frozen=True)
class Episode:
    """A walk with all that was seen."""

    id: str
    scene: str
    stratum: Stratum
    camera: Camera
    height: float
    """Of the camera above the floor, metres."""
    pitch: float
    """Radians, up is positive."""
    stances: tuple[Stance, ...]
    actions: tuple[Action, ...]
    poses: Points
    """[frames, 4, 4] camera-to-world, OpenCV."""
    frames: tuple[Observation, ...]
    goal: Points
    """[3] metres."""
    length: float
    """Geodesic distance from start to goal in metres."""
    instructions: dict[str, str]
    """By language: en, zh."""
    style: str
    named: tuple[int, ...]
    """Ids of the landmarks that the instruction names; all of them were seen."""
    given: GivenEpisode | None = None
    """The episode of a public file that was walked."""


@dataclass(frozen=True)
class Seen:
    """A walk's pictures, and the camera that took them."""

    camera: Camera
    height: float
    """Metres above the floor."""
    pitch: float
    """Radians, up is positive."""
    poses: Points
    """[frames, 4, 4]."""
    frames: list[Observation]


def eye_pose(stance: Stance, height: float, pitch: float) -> Points:
    """[4, 4] pose of the camera that an agent carries at `height` above the floor."""
    return camera_pose(stance.position + np.array([0.0, height, 0.0]), stance.heading, pitch)


def record(
    simulator: Simulator,
    plan: CollectPlan,
    seed: int,
    name: str,
    stratum: Stratum,
    rejected: Counter[str],
    goal: Points | None = None,
) -> Episode | None:
    """The episode `name` in the simulator's current scene.

    Bad attempts are counted in `rejected` by their reason and replaced by the next seed; None when all were bad.
    """
    for attempt in range(ATTEMPTS):
        rng = generator("episode", seed, name, attempt)
        turn = float(np.radians(plan.turns[rng.integers(len(plan.turns))]))
        walk = PLANNERS[stratum](simulator, Manner(plan.steps, plan.forward_step, turn, goal), rng)
        if walk is None:
            rejected["no such way"] += 1
            continue
        seen = look(simulator, plan, walk, rng)
        if isinstance(seen, str):
            rejected[seen] += 1
            continue
        return told(simulator, plan, name, stratum, walk, seen, rng)
    return None


def look(simulator: Simulator, plan: CollectPlan, walk: Walk, rng: np.random.Generator) -> Seen | str:
    """What a camera drawn by chance sees on a walk; or what is wrong with the walk or its pictures."""
    stances = [stance for stance, _ in walk.track]
    if (reason := checks.fault(stances, plan.forward_step)) is not None:
        return reason
    camera = Camera(*plan.size, hfov=round(float(rng.uniform(*plan.hfov)), 2))
    height, pitch = round(float(rng.uniform(*plan.height)), 3), float(np.radians(rng.uniform(*plan.pitch)))
    poses = np.stack([eye_pose(stance, height, pitch) for stance in stances])
    frames = [simulator.render(pose, camera) for pose in poses]
    return checks.fault_of_frames(frames) or Seen(camera, height, pitch, poses, frames)


def record_given(
    simulator: Simulator, plan: CollectPlan, seed: int, name: str, given: GivenEpisode, rejected: Counter[str]
) -> Episode | None:
    """A public episode walked in the simulator's current scene with its own instruction.

    The path is given, so only the camera and the angle of a turn can be drawn anew where the pictures are bad.
    """
    for attempt in range(GIVEN_ATTEMPTS):
        rng = generator("episode", seed, name, attempt)
        turn = float(np.radians(plan.turns[rng.integers(len(plan.turns))]))
        walk = follow(simulator, Manner(plan.steps, plan.forward_step, turn), given)
        if isinstance(walk, str):
            rejected[walk] += 1
            if walk == UNREACHABLE:
                return None
            continue
        seen = look(simulator, plan, walk, rng)
        if isinstance(seen, str):
            rejected[seen] += 1
            continue
        instructions = {"en": given.text} | ({"zh": given.chinese} if given.chinese else {})
        return episode_of(simulator, name, Stratum.FORWARD, walk, seen, instructions, "given", (), given)
    return None


def told(
    simulator: Simulator,
    plan: CollectPlan,
    name: str,
    stratum: Stratum,
    walk: Walk,
    seen: Seen,
    rng: np.random.Generator,
) -> Episode:
    """Add the instruction to a good walk."""
    steps = tell(simulator.graph, list(walk.track), seen.frames, stratum)
    named = landmarks(steps)
    unseen = named - set().union(*sightings(seen.frames))
    assert not unseen, f"instruction of {name} names objects {unseen} that were never seen"
    style = plan.styles[rng.integers(len(plan.styles))]
    instructions = {"en": english(steps, style, rng), "zh": chinese(steps, style, rng)}
    return episode_of(simulator, name, stratum, walk, seen, instructions, style, tuple(sorted(named)))


def episode_of(
    simulator: Simulator,
    name: str,
    stratum: Stratum,
    walk: Walk,
    seen: Seen,
    instructions: dict[str, str],
    style: str,
    named: tuple[int, ...],
    given: GivenEpisode | None = None,
) -> Episode:
    """All of one walk together."""
    start = walk.track[0][0].position
    length = float(simulator.distances_to(walk.goal).at(start[None])[0])
    return Episode(
        id=name, scene=simulator.scene, stratum=stratum, camera=seen.camera, height=seen.height, pitch=seen.pitch,
        stances=tuple(stance for stance, _ in walk.track), actions=tuple(action for _, action in walk.track),
        poses=seen.poses, frames=tuple(seen.frames), goal=walk.goal, length=length, instructions=instructions,
        style=style, named=named, given=given,
    )  # fmt: skip
