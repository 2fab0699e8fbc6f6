"""Slighter faults of poses, of the order of frames, and of what is told of walks and scenes."""

from __future__ import annotations

import copy
import re
from functools import partial

import numpy as np

from tests.tasks.validate.further_faults import Fault, drawn, stranger, without_frame
from tests.tasks.validate.recordings import Collection, Recording
from tests.tasks.validate.sensor_faults import STRUCTURE, scene_of

# Poses.


def turn(degrees: np.ndarray) -> np.ndarray:
    """Turns about the vertical, (..., 3, 3)."""
    c, s, o = np.cos(np.radians(degrees)), np.sin(np.radians(degrees)), np.zeros_like(degrees)
    return np.stack([c, o, s, o, o + 1, o, -s, o, c], axis=-1).reshape(*np.shape(degrees), 3, 3)


def rigid(pose: np.ndarray) -> np.ndarray:
    """The rigid motions next to means of some."""
    u, _, v = np.linalg.svd(pose[:, :3, :3])
    result = pose.copy()
    result[:, :3, :3] = u @ v
    return result


def poses_filled_in(r: Recording, _: Collection) -> None:
    """Every other pose is the mean of its neighbours, as where odometry is slower than the camera."""
    r.pose[1:-1:2] = rigid((r.pose[:-2:2] + r.pose[2::2]) / 2)


def poses_smoothed(r: Recording, _: Collection) -> None:
    around = np.clip(np.arange(len(r.pose))[:, None] + np.arange(-2, 3), 0, len(r.pose) - 1)
    r.pose = rigid(r.pose[around].mean(axis=1))


def poses_half_a_frame_late(r: Recording, _: Collection) -> None:
    r.pose = rigid((r.pose + np.concatenate([r.pose[:1], r.pose[:-1]])) / 2)


def noisy_headings(r: Recording, _: Collection) -> None:
    r.pose[:, :3, :3] = turn(drawn(r).normal(0, 2, len(r.pose))) @ r.pose[:, :3, :3]


def integrated(r: Recording, yaw: float, scale: np.ndarray) -> None:
    """Poses put together again from steps that each turn by so much too far and are so many times too long."""
    steps = np.linalg.inv(r.pose[:-1]) @ r.pose[1:]
    steps[:, :3, 3] *= scale[:, None]
    pose = [r.pose[0]]
    for step in steps:
        after = pose[-1] @ step
        after[:3, :3] = turn(np.array(yaw)) @ after[:3, :3]
        pose.append(after)
    r.pose = np.stack(pose)


def heading_drifts(r: Recording, _: Collection) -> None:
    integrated(r, 0.4, np.ones(len(r.pose) - 1))


def scale_drifts(r: Recording, _: Collection) -> None:
    integrated(r, 0, np.linspace(1, 1.4, len(r.pose) - 1))


def poses_of_the_other_camera(r: Recording, _: Collection) -> None:
    r.pose[:, :3, 3] += 0.12 * r.pose[:, :3, 0]


def pitch_off(r: Recording, _: Collection) -> None:
    c, s = np.cos(np.radians(4)), np.sin(np.radians(4))
    r.pose[:, :3, :3] = r.pose[:, :3, :3] @ np.array([[1, 0, 0], [0, c, -s], [0, s, c]])


def headings_mirrored_for_a_while(r: Recording, _: Collection) -> None:
    """For six frames a turn to the left is told as one to the right."""
    turns = [i for i, action in enumerate(r.actions[:-1]) if action in ("left", "right")]
    begin = min(turns, key=lambda i: abs(i - len(r.pose) // 2), default=0)
    first = r.pose[begin, :3, :3].copy()
    for i in range(begin, min(begin + 6, len(r.pose))):
        r.pose[i, :3, :3] = (first @ r.pose[i, :3, :3].T) @ first


# The order of frames.


def frames_shuffled(r: Recording, _: Collection) -> None:
    begin = len(r.rgb) // 2 - 2
    order = begin + np.array([3, 0, 4, 1, 2])
    for name in ("rgb", "depth", "semantic"):
        getattr(r, name)[begin : begin + 5] = getattr(r, name)[order]


def told_length(r: Recording) -> None:
    r.entry = {**r.entry, "info": {**r.entry["info"], "frames": len(r.rgb)}}


def half_the_frames(r: Recording, _: Collection) -> None:
    without_frame(r, list(range((len(r.rgb) - 1) % 2, len(r.rgb), 2)))
    told_length(r)


def frame_twice(r: Recording, _: Collection) -> None:
    turns = [i for i, action in enumerate(r.actions[:-1]) if action in ("left", "right")]
    twice = turns[len(turns) // 2] if turns else len(r.rgb) // 2
    without_frame(r, [*range(twice + 1), *range(twice, len(r.rgb))])
    told_length(r)


def stopped_early(r: Recording, _: Collection) -> None:
    without_frame(r, list(range(2 * len(r.rgb) // 3)))
    r.actions[-1] = "stop"
    told_length(r)


# What is told of walks.


def instruction_cut_off(r: Recording, _: Collection) -> None:
    """Within a sentence: who stops after one tells of a shorter walk, and nothing is missing."""
    words = r.instruction.split()
    r.instruction = r.told = " ".join(words[: max(len(words) // 2, 1)]).rstrip(".")


def sides_swapped(r: Recording, _: Collection) -> None:
    swap = {"left": "right", "right": "left"}
    r.instruction = r.told = re.sub("left|right", lambda found: swap[found[0]], r.instruction)


def instruction_in_chinese(r: Recording, _: Collection) -> None:
    r.instruction = r.told = r.entry["info"]["instruction_zh"]


def goal_of_another(r: Recording, collection: Collection) -> None:
    r.entry = {**r.entry, "goals": stranger(r, collection).entry["goals"]}


def path_of_another(r: Recording, collection: Collection) -> None:
    r.entry = {**r.entry, "reference_path": stranger(r, collection).entry["reference_path"]}


def tokens_of_another(r: Recording, collection: Collection) -> None:
    r.tokens = stranger(r, collection).entry["instruction"]["instruction_tokens"]


def landmarks_of_another(r: Recording, collection: Collection) -> None:
    landmarks = stranger(r, collection).entry["info"]["landmarks"]
    r.entry = {**r.entry, "info": {**r.entry["info"], "landmarks": landmarks}}


# What is told of scenes.


def things_moved(r: Recording, collection: Collection) -> None:
    r.described = copy.deepcopy(scene_of(r, collection))
    for thing in r.described["objects"]:
        if thing["category"] not in STRUCTURE:
            thing["centre"][0] += 1.0


def things_renamed(r: Recording, collection: Collection) -> None:
    """Names change places between the things of a scene."""
    r.described = copy.deepcopy(scene_of(r, collection))
    things = [thing for thing in r.described["objects"] if thing["category"] not in STRUCTURE]
    names = [(thing["category"], thing["name"]) for thing in things]
    for thing, name in zip(things, names[1:] + names[:1], strict=True):
        thing["category"], thing["name"] = name


def without_doors(r: Recording, collection: Collection) -> None:
    r.described = {**scene_of(r, collection), "doors": []}


def of_another_scene(part: str, r: Recording, collection: Collection) -> None:
    """One part of a scene is told as another scene has it."""
    other = scene_of(stranger(r, collection), collection)
    r.described = {**scene_of(r, collection), part: other[part]}


UNSEEN = ""
"""No check is about it: walks that have it are caught by accident."""

ODOMETRY: dict[str, Fault] = {
    "poses filled in": Fault(poses_filled_in, "depth, poses and intrinsics do not agree"),
    "poses smoothed": Fault(poses_smoothed, "depth, poses and intrinsics do not agree"),
    "poses half a frame late": Fault(poses_half_a_frame_late, "depth, poses and intrinsics do not agree"),
    "noisy headings": Fault(noisy_headings, "depth, poses and intrinsics do not agree"),
    "heading drifts": Fault(heading_drifts, "the episode file tells of another walk"),
    "scale drifts": Fault(scale_drifts, "the agent teleports"),
    "poses of the other camera": Fault(poses_of_the_other_camera, "poses do not follow from the actions"),
    "pitch off": Fault(pitch_off, "the episode file tells of another walk"),
    "headings mirrored for a while": Fault(headings_mirrored_for_a_while, "depth, poses and intrinsics do not agree"),
    "frames shuffled": Fault(frames_shuffled, "depth, poses and intrinsics do not agree"),
    "half the frames": Fault(half_the_frames, "poses do not follow from the actions"),
    "frame twice": Fault(frame_twice, "its camera is frozen"),
    "stopped early": Fault(stopped_early, "the episode file tells of another walk"),
    "instruction cut off": Fault(instruction_cut_off, "its instruction breaks off"),
    "sides swapped": Fault(sides_swapped, UNSEEN),
    "instruction in chinese": Fault(instruction_in_chinese, "its instruction is empty or endless"),
    "goal of another": Fault(goal_of_another, "the episode file tells of another walk"),
    "path of another": Fault(path_of_another, "the episode file tells of another walk"),
    "tokens of another": Fault(tokens_of_another, "the episode file tells of another walk"),
    "landmarks of another": Fault(landmarks_of_another, "the episode file tells of another walk"),
    "things moved": Fault(things_moved, "does not lie where the scene has it"),
    "things renamed": Fault(things_renamed, "the episode file tells of another walk"),
    "without doors": Fault(without_doors, UNSEEN),
    "walls of another": Fault(partial(of_another_scene, "walls"), UNSEEN),
    "rooms of another": Fault(partial(of_another_scene, "rooms"), "its things stand in other rooms than told"),
}
