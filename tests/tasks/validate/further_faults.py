"""More faults: of sensors, of registration, of bookkeeping; and copies that were slightly changed."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.tasks.validate.recordings import Collection, Recording

Plant = Callable[[Recording, Collection], None]


def none(shard: Path) -> None:
    """The shard stays as it is."""


@dataclass(frozen=True)
class Fault:
    """One kind of damage."""

    plant: Plant
    reason: str
    """Part of a reason that must be given."""
    stratum: str | None = None
    """Stratum of the recording to be damaged, where it matters."""
    damage: Callable[[Path], None] = none
    """Done to the shard that holds the damaged recordings."""
    held_out: bool = False
    """Whether the recording must be of a split that is not trained on."""
    needs_source: bool = False
    """Whether the recording must have another one before it to be copied from."""

    def fits(self, recording: Recording, collection: Collection) -> bool:
        """Whether the fault can be planted into a recording at all."""
        if self.stratum not in (None, recording.stratum):
            return False
        if self.held_out and recording.split in ("train", "val_seen"):
            return False
        return not self.needs_source or any(is_source(o, recording) for o in collection.recordings)


def is_source(other: Recording, recording: Recording) -> bool:
    """Whether a copy of `other` could pass for a recording of the same kind."""
    same = (other.stratum, other.split) == (recording.stratum, recording.split)
    return same and other.episode < recording.episode


def drawn(r: Recording) -> np.random.Generator:
    """Chance, the same for a recording each time."""
    return np.random.default_rng(list(r.episode.encode()))


def stranger(r: Recording, collection: Collection) -> Recording:
    """A recording of another scene."""
    others = [o for o in collection.recordings if o.scene != r.scene]
    return others[drawn(r).integers(len(others))]


def as_long(values: np.ndarray, r: Recording) -> np.ndarray:
    """A copy of another recording's values, cut or repeated to a recording's length."""
    return values[np.arange(len(r.rgb)) % len(values)]


def clipped(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def swapped_channels(r: Recording, _: Collection) -> None:
    r.rgb = r.rgb[..., ::-1].copy()


def rotated_channels(r: Recording, _: Collection) -> None:
    r.rgb = np.roll(r.rgb, 1, axis=3)


def inverted(r: Recording, _: Collection) -> None:
    r.rgb = 255 - r.rgb


def grey(r: Recording, _: Collection) -> None:
    r.rgb = np.repeat(clipped(r.rgb.mean(axis=3))[..., None], 3, axis=3)


def tinted(r: Recording, _: Collection) -> None:
    r.rgb = clipped(r.rgb * np.array([0.7, 0.9, 1.2]))


def noisy(r: Recording, _: Collection) -> None:
    r.rgb = clipped(r.rgb + drawn(r).normal(0, 15, r.rgb.shape))


def underexposed(r: Recording, _: Collection) -> None:
    r.rgb = clipped(r.rgb * 0.1)


def dead_pixels(r: Recording, _: Collection) -> None:
    height, width = r.rgb.shape[1:3]
    r.rgb[:, : height // 4, : width // 4] = 90


def lost_rows(r: Recording, _: Collection) -> None:
    r.rgb[:, -r.rgb.shape[1] // 4 :] = 0


def upside_down(r: Recording, _: Collection) -> None:
    r.rgb = r.rgb[:, ::-1].copy()


def pictures_beside_depth(r: Recording, _: Collection) -> None:
    r.rgb = np.roll(r.rgb, r.rgb.shape[2] // 8, axis=2)


def pictures_of_another(r: Recording, collection: Collection) -> None:
    r.rgb = as_long(stranger(r, collection).rgb, r)


def depth_of_another(r: Recording, collection: Collection) -> None:
    r.depth = as_long(stranger(r, collection).depth, r)


def poses_of_another(r: Recording, collection: Collection) -> None:
    r.pose = as_long(stranger(r, collection).pose, r)


def depth_in_metres(r: Recording, _: Collection) -> None:
    r.depth = np.rint(r.depth / 1000).astype(np.uint16)


def depth_times_thousand(r: Recording, _: Collection) -> None:
    r.depth = np.minimum(r.depth.astype(np.int64) * 1000, 65535).astype(np.uint16)


def depth_noisy(r: Recording, _: Collection) -> None:
    r.depth = np.clip(r.depth * drawn(r).normal(1, 0.05, r.depth.shape), 0, 65535).astype(np.uint16)


def depth_in_bytes(r: Recording, _: Collection) -> None:
    r.depth = (np.clip(r.depth / 10000, 0, 1) * 255).astype(np.uint8).astype(np.uint16) * 39


def depth_cut_off(r: Recording, _: Collection) -> None:
    r.depth = np.minimum(r.depth, 1500)


def depth_constant(r: Recording, _: Collection) -> None:
    r.depth[:] = 2000


def depth_inverse(r: Recording, _: Collection) -> None:
    r.depth = np.clip(2e6 / np.maximum(r.depth, 1), 0, 65535).astype(np.uint16)


def labels_off_by_one(r: Recording, _: Collection) -> None:
    r.semantic = r.semantic + 1


def labels_shuffled(r: Recording, _: Collection) -> None:
    ids = np.unique(r.semantic)
    r.semantic = np.roll(ids, 1)[np.searchsorted(ids, r.semantic)].astype(np.uint16)


def poses_jittered(r: Recording, _: Collection) -> None:
    r.pose[:, :3, 3] += drawn(r).normal(0, 0.04, (len(r.pose), 3))


def poses_scaled(r: Recording, _: Collection) -> None:
    r.pose[:, [0, 2], 3] = r.pose[0, [0, 2], 3] + 0.8 * (r.pose[:, [0, 2], 3] - r.pose[0, [0, 2], 3])


def camera_higher(r: Recording, _: Collection) -> None:
    r.pose[:, 1, 3] += 0.25


def heading_off(r: Recording, _: Collection) -> None:
    c, s = np.cos(np.radians(6)), np.sin(np.radians(6))
    r.pose[:, :3, :3] = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]) @ r.pose[:, :3, :3]


def z_up(r: Recording, _: Collection) -> None:
    r.pose = np.array([[1.0, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, 0], [0, 0, 0, 1]]) @ r.pose


def centre_off(r: Recording, _: Collection) -> None:
    r.intrinsics[:, 0, 2] += r.rgb.shape[2] / 8


def intrinsics_of_twice_the_size(r: Recording, _: Collection) -> None:
    r.intrinsics[:, :2] *= 2


def one_focal_length(r: Recording, _: Collection) -> None:
    r.intrinsics[:, 0, 0] *= 1.2


def backwards(r: Recording, _: Collection) -> None:
    for name in ("rgb", "depth", "semantic", "pose"):
        setattr(r, name, getattr(r, name)[::-1].copy())


def actions_late(r: Recording, _: Collection) -> None:
    r.actions = [r.actions[0], *r.actions[:-1]]


def without_frame(r: Recording, kept: list[int]) -> None:
    for name in ("rgb", "depth", "semantic", "pose", "intrinsics"):
        setattr(r, name, getattr(r, name)[kept])
    r.actions = [r.actions[i] for i in kept]


def dropped_frame(r: Recording, _: Collection) -> None:
    without_frame(r, [i for i in range(len(r.rgb)) if i != len(r.rgb) // 2])


def cut_short(r: Recording, _: Collection) -> None:
    without_frame(r, list(range(2 * len(r.rgb) // 3)))


def one_frame(r: Recording, _: Collection) -> None:
    without_frame(r, [0])


def instruction_of_another(r: Recording, collection: Collection) -> None:
    r.instruction = r.told = stranger(r, collection).instruction


def gibberish(r: Recording, _: Collection) -> None:
    r.instruction = r.told = " ".join("".join(drawn(r).permutation(list(word))) for word in r.instruction.split())


def file_of_another(r: Recording, collection: Collection) -> None:
    r.entry = stranger(r, collection).entry


def loop_for_revisit(r: Recording, _: Collection) -> None:
    restratified(r, "revisit")


def revisit_for_loop(r: Recording, _: Collection) -> None:
    restratified(r, "loop")


def spin_for_forward(r: Recording, _: Collection) -> None:
    restratified(r, "forward")


def restratified(r: Recording, stratum: str) -> None:
    """Another stratum, in the episode file too."""
    r.stratum = stratum
    r.entry = {**r.entry, "info": {**r.entry["info"], "stratum": stratum}}


def stratum_in_the_index(r: Recording, _: Collection) -> None:
    r.stratum = {"loop": "revisit", "revisit": "loop"}.get(r.stratum, "hard")


def another_scene(r: Recording, collection: Collection) -> None:
    r.scene = next(o.scene for o in collection.recordings if o.scene != r.scene and o.split == r.split)
    r.entry = {**r.entry, "scene_id": r.scene}


def near_copy(r: Recording, collection: Collection) -> None:
    """A copy under another name, a little brighter and with a little noise."""
    twin = copy.deepcopy(next(o for o in collection.recordings if is_source(o, r)))
    for name in ("scene", "instruction", "told", "entry", "actions", "depth", "semantic", "pose", "intrinsics"):
        setattr(r, name, getattr(twin, name))
    r.rgb = clipped(twin.rgb * 1.03 + drawn(r).normal(0, 2, twin.rgb.shape))
    r.depth = np.where(r.depth > 0, np.maximum(r.depth.astype(int) + drawn(r).integers(-2, 3, r.depth.shape), 1), 0)
    r.depth = r.depth.astype(np.uint16)


def near_leak(r: Recording, collection: Collection) -> None:
    """Views of a training walk under the name of a held-out scene, sharpened by half a percent of light."""
    trained = [o for o in collection.recordings if o.split == "train"]
    source = trained[drawn(r).integers(len(trained))]
    for name in ("depth", "semantic", "pose", "intrinsics"):
        setattr(r, name, as_long(getattr(source, name), r))
    r.rgb = clipped(as_long(source.rgb, r) * 1.02)


def truncated(shard: Path) -> None:
    shard.write_bytes(shard.read_bytes()[:1024])


def untouched(r: Recording, _: Collection) -> None:
    """What is wrong is wrong with the shard."""


SHOWN = "it shows what another episode shows"
MANNER = "its instruction tells of another manner of walking than its stratum"

FURTHER: dict[str, Fault] = {
    "swapped channels": Fault(swapped_channels, "its colour channels fit better in another order"),
    "rotated channels": Fault(rotated_channels, "its colour channels fit better in another order"),
    "inverted colours": Fault(inverted, "its colours are unlike"),
    "grey pictures": Fault(grey, "its pictures have no colours"),
    "tinted pictures": Fault(tinted, "its colours are unlike"),
    "noisy pictures": Fault(noisy, "its pictures are noisy"),
    "underexposed": Fault(underexposed, "a frame is black"),
    "dead pixels": Fault(dead_pixels, "pixels stand still"),
    "lost rows": Fault(lost_rows, "pixels stand still"),
    "pictures upside down": Fault(upside_down, "things in its pictures lie elsewhere than their labels"),
    "pictures beside depth": Fault(pictures_beside_depth, "pictures do not agree with depth and poses"),
    "pictures of another walk": Fault(pictures_of_another, "pictures do not agree with depth and poses"),
    "depth of another walk": Fault(depth_of_another, "depth, poses and intrinsics do not agree"),
    "poses of another walk": Fault(poses_of_another, "does not lie where the scene has it"),
    "depth in metres": Fault(depth_in_metres, "nearer than the camera can see"),
    "depth in millimetres": Fault(depth_times_thousand, "a depth is farther than a building is wide"),
    "noisy depth": Fault(depth_noisy, "depth, poses and intrinsics do not agree"),
    "depth in 8 bits": Fault(depth_in_bytes, "8 bits could hold them"),
    "depth cut off": Fault(depth_cut_off, "does not lie where the scene has it"),
    "constant depth": Fault(depth_constant, "does not lie where the scene has it"),
    "inverse depth": Fault(depth_inverse, "does not lie where the scene has it"),
    "labels off by one": Fault(labels_off_by_one, "does not lie where the scene has it"),
    "shuffled labels": Fault(labels_shuffled, "does not lie where the scene has it"),
    "jittered poses": Fault(poses_jittered, "depth, poses and intrinsics do not agree"),
    "scaled poses": Fault(poses_scaled, "does not lie where the scene has it"),
    "camera too high": Fault(camera_higher, "does not lie where the scene has it"),
    "heading off": Fault(heading_off, "does not lie where the scene has it"),
    "z upwards": Fault(z_up, "the camera is"),
    "principal point off": Fault(centre_off, "depth, poses and intrinsics do not agree"),
    "intrinsics of twice the size": Fault(intrinsics_of_twice_the_size, "depth, poses and intrinsics do not agree"),
    "one focal length wrong": Fault(one_focal_length, "does not lie where the scene has it"),
    "backwards": Fault(backwards, "poses do not follow from the actions", "forward"),
    "actions late": Fault(actions_late, "its last action is not the only stop"),
    "dropped frame": Fault(dropped_frame, "the episode file tells of another walk"),
    "cut short": Fault(cut_short, "its last action is not the only stop"),
    "one frame": Fault(one_frame, "its last action is not the only stop"),
    "instruction of another": Fault(instruction_of_another, "its instruction names what the walk never sees"),
    "gibberish": Fault(gibberish, "in words that no other uses"),
    "entry of another": Fault(file_of_another, "the episode file tells of another walk"),
    "loop told as revisit": Fault(loop_for_revisit, MANNER, "loop"),
    "revisit told as loop": Fault(revisit_for_loop, MANNER, "revisit"),
    "look_around told as forward": Fault(spin_for_forward, "it is not walked as its stratum says", "look_around"),
    "stratum wrong in the index": Fault(stratum_in_the_index, "the episode file tells of another walk"),
    "scene of another": Fault(another_scene, "does not lie where the scene has it"),
    "near copy": Fault(near_copy, SHOWN, needs_source=True),
    "near leak": Fault(near_leak, "an episode of another split shows what it shows", held_out=True),
    "truncated shard": Fault(untouched, "a picture cannot be read back whole", damage=truncated),
}
