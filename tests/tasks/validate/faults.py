"""Faults that real collections have had, planted into one recording each, and the reason that validation is to give."""

from __future__ import annotations

import copy

import cv2
import numpy as np

from tests.tasks.validate.further_faults import FURTHER, Fault, as_long, stranger
from tests.tasks.validate.odometry_faults import ODOMETRY
from tests.tasks.validate.recordings import Collection, Recording
from tests.tasks.validate.sensor_faults import SENSORS


def nan_pose(r: Recording, _: Collection) -> None:
    r.pose[5, 0, 3] = np.nan


def teleport(r: Recording, _: Collection) -> None:
    r.pose[len(r.pose) // 2 :, 0, 3] += 1.5


def black_frame(r: Recording, _: Collection) -> None:
    r.rgb[3] = 0


def overexposed(r: Recording, _: Collection) -> None:
    r.rgb[:] = np.clip(r.rgb.astype(int) * 5, 0, 255)


def blank(r: Recording, _: Collection) -> None:
    r.rgb[4] = 128


def frozen_camera(r: Recording, _: Collection) -> None:
    r.rgb[6:] = r.rgb[6]


def blurred(r: Recording, _: Collection) -> None:
    r.rgb = np.stack([cv2.GaussianBlur(image, (0, 0), 1.5) for image in r.rgb])


def jpeg_blocks(r: Recording, _: Collection) -> None:
    r.rgb = np.stack(
        [cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 10])[1], 1) for image in r.rgb]
    )


def centimetres_for_millimetres(r: Recording, _: Collection) -> None:
    r.depth //= 10


def depth_too_large(r: Recording, _: Collection) -> None:
    r.depth[:] = np.minimum(r.depth.astype(int) * 40, 65535)


def depth_off_by_a_tenth(r: Recording, _: Collection) -> None:
    r.depth = (r.depth * 1.1).astype(np.uint16)


def ray_length(r: Recording, _: Collection) -> None:
    ys, xs = np.mgrid[: r.depth.shape[1], : r.depth.shape[2]] + 0.5
    k = r.intrinsics[0]
    length = np.sqrt(1 + ((xs - k[0, 2]) / k[0, 0]) ** 2 + ((ys - k[1, 2]) / k[1, 1]) ** 2)
    r.depth = (r.depth * length).astype(np.uint16)


def depth_holes(r: Recording, _: Collection) -> None:
    r.depth[7, :, :50] = 0


def pictures_late(r: Recording, _: Collection) -> None:
    r.rgb = np.concatenate([r.rgb[:1], r.rgb[:-1]])


def depth_late(r: Recording, _: Collection) -> None:
    r.depth = np.concatenate([r.depth[:1], r.depth[:-1]])


def poses_late(r: Recording, _: Collection) -> None:
    r.pose = np.concatenate([r.pose[:1], r.pose[:-1]])


def mirrored_pictures(r: Recording, _: Collection) -> None:
    r.rgb = r.rgb[:, :, ::-1]


def mirrored_all(r: Recording, _: Collection) -> None:
    r.rgb, r.depth, r.semantic = r.rgb[:, :, ::-1], r.depth[:, :, ::-1], r.semantic[:, :, ::-1]


def wrong_focal_length(r: Recording, _: Collection) -> None:
    r.intrinsics[:, [0, 1], [0, 1]] *= 1.15


def no_pinhole(r: Recording, _: Collection) -> None:
    r.intrinsics[:, 0, 0] = -r.intrinsics[:, 0, 0]


def opengl_poses(r: Recording, _: Collection) -> None:
    r.pose = r.pose @ np.diag([1.0, -1.0, -1.0, 1.0])


def left_handed(r: Recording, _: Collection) -> None:
    r.pose = np.diag([1.0, 1.0, -1.0, 1.0]) @ r.pose


def world_to_camera(r: Recording, _: Collection) -> None:
    r.pose = np.linalg.inv(r.pose)


def rolled(r: Recording, _: Collection) -> None:
    c, s = np.cos(np.radians(10)), np.sin(np.radians(10))
    r.pose[:, :3, :3] = r.pose[:, :3, :3] @ np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])


def jumping_camera(r: Recording, _: Collection) -> None:
    r.pose[::2, 1, 3] += 0.3


def stuck_agent(r: Recording, _: Collection) -> None:
    for name in ("pose", "rgb", "depth", "semantic"):
        getattr(r, name)[:] = getattr(r, name)[:1]


def swapped_turns(r: Recording, _: Collection) -> None:
    r.actions = [{"left": "right", "right": "left"}.get(action, action) for action in r.actions]


def labels_of_another(r: Recording, collection: Collection) -> None:
    r.semantic = as_long(stranger(r, collection).semantic, r)


def labels_late(r: Recording, _: Collection) -> None:
    r.semantic = np.concatenate([r.semantic[:1], r.semantic[:-1]])


def unknown_objects(r: Recording, _: Collection) -> None:
    r.semantic[2, :, :8] = 60000


def unlabelled(r: Recording, _: Collection) -> None:
    r.semantic[8, :40] = 0


def instruction_of_nowhere(r: Recording, collection: Collection) -> None:
    things = {scene["id"]: {thing["category"] for thing in scene["objects"]} for scene in collection.scenes}
    foreign = sorted(set().union(*things.values()) - things[r.scene])
    r.instruction = r.told = f"Walk past the {foreign[0]} and stop next to the {foreign[-1]}."


def instruction_differs(r: Recording, _: Collection) -> None:
    r.told = r.instruction + " Then stop."


def instruction_empty(r: Recording, _: Collection) -> None:
    r.instruction = r.told = " "


def wrong_stratum(r: Recording, _: Collection) -> None:
    r.stratum = "look_around"


def foreign_stratum(r: Recording, _: Collection) -> None:
    r.stratum = "sideways"


def flipped_byte(r: Recording, _: Collection) -> None:
    r.corrupt = {1}


def swapped_members(r: Recording, _: Collection) -> None:
    r.swap_members = True


def missing_frame(r: Recording, _: Collection) -> None:
    r.numbers = [i if i < 5 else i + 1 for i in range(len(r.rgb))]


def listed_twice(r: Recording, _: Collection) -> None:
    r.numbers = [i if i < 5 else i - 1 for i in range(len(r.rgb))]


def copied(r: Recording, collection: Collection) -> None:
    other = next(
        o for o in collection.by_stratum(r.stratum) if o.split == r.split and o is not r and o.episode < r.episode
    )
    twin = copy.deepcopy(other)
    for name in ("scene", "instruction", "told", "entry", "actions", "rgb", "depth", "semantic", "pose", "intrinsics"):
        setattr(r, name, getattr(twin, name))


def undescribed_scene(r: Recording, _: Collection) -> None:
    r.scene = "b0"


def moved_to_another_split(r: Recording, _: Collection) -> None:
    r.split = "sealed" if r.split == "val_unseen" else "val_unseen"


FAULTS: dict[str, Fault] = {
    **FURTHER,
    **SENSORS,
    **ODOMETRY,
    "NaN pose": Fault(nan_pose, "a pose is not finite"),
    "teleport": Fault(teleport, "the agent teleports"),
    "black frame": Fault(black_frame, "a frame is black"),
    "overexposed": Fault(overexposed, "a frame is overexposed"),
    "blank": Fault(blank, "a frame is blank"),
    "frozen camera": Fault(frozen_camera, "its camera is frozen"),
    "blurred": Fault(blurred, "its pictures are blurred"),
    "JPEG blocks": Fault(jpeg_blocks, "its pictures were coded as JPEG"),
    "depth in centimetres": Fault(centimetres_for_millimetres, "does not lie where the scene has it"),
    "depth too large": Fault(depth_too_large, "a depth is farther than a building is wide"),
    "depth off by a tenth": Fault(depth_off_by_a_tenth, "does not lie where the scene has it"),
    "ray length for depth": Fault(ray_length, "depth, poses and intrinsics do not agree"),
    "depth holes": Fault(depth_holes, "a frame misses its depth"),
    "pictures late": Fault(pictures_late, "pictures are shifted in time", "forward"),
    "depth late": Fault(depth_late, "depth, poses and intrinsics do not agree", "forward"),
    "poses late": Fault(poses_late, "poses do not follow from the actions", "forward"),
    "mirrored pictures": Fault(mirrored_pictures, "pictures do not agree with depth and poses"),
    "mirrored all": Fault(mirrored_all, "does not lie where the scene has it"),
    "wrong focal length": Fault(wrong_focal_length, "does not lie where the scene has it"),
    "no pinhole": Fault(no_pinhole, "its intrinsics are no pinhole camera's"),
    "OpenGL poses": Fault(opengl_poses, "the camera is upside down"),
    "left-handed poses": Fault(left_handed, "a pose is no rigid motion"),
    "world-to-camera poses": Fault(world_to_camera, "poses do not follow from the actions"),
    "rolled camera": Fault(rolled, "the camera is rolled"),
    "jumping camera": Fault(jumping_camera, "the camera leaps up or down"),
    "stuck agent": Fault(stuck_agent, "the agent is stuck", "forward"),
    "swapped turns": Fault(swapped_turns, "poses do not follow from the actions", "look_around"),
    "labels of another walk": Fault(labels_of_another, "labels do not agree with depth and poses"),
    "labels late": Fault(labels_late, "labels do not agree with depth and poses"),
    "unknown objects": Fault(unknown_objects, "a frame shows objects that its scene does not have"),
    "unlabelled": Fault(unlabelled, "a frame misses its labels"),
    "instruction of nowhere": Fault(instruction_of_nowhere, "its instruction names what the walk never sees"),
    "instructions differ": Fault(instruction_differs, "index and episode file tell different instructions"),
    "no instruction": Fault(instruction_empty, "its instruction is empty or endless"),
    "mislabelled stratum": Fault(wrong_stratum, "it is not walked as its stratum says", "forward"),
    "foreign stratum": Fault(foreign_stratum, "its stratum is unknown"),
    "flipped byte": Fault(flipped_byte, "a picture cannot be read back whole"),
    "swapped members": Fault(swapped_members, "a picture cannot be read back whole"),
    "missing frame": Fault(missing_frame, "its frames are not numbered"),
    "frame listed twice": Fault(listed_twice, "a frame is listed twice"),
    "copied episode": Fault(copied, "it repeats another episode", needs_source=True),
    "undescribed scene": Fault(undescribed_scene, "its scene is not described"),
    "leak between splits": Fault(moved_to_another_split, "its scene is in two splits"),
}
