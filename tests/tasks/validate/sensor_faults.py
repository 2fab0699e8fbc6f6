"""Slighter faults of pictures, depths and labels: of lenses, sensors, links and codecs."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from tests.tasks.validate.further_faults import Fault, as_long, clipped, drawn, stranger
from tests.tasks.validate.recordings import Collection, Recording

STRUCTURE = {"wall", "floor", "ceiling", "door"}


def linear_light(r: Recording, _: Collection) -> None:
    r.rgb = clipped(255 * (r.rgb / 255) ** 2.2)


def gamma_twice(r: Recording, _: Collection) -> None:
    r.rgb = clipped(255 * (r.rgb / 255) ** (1 / 2.2))


def exposure_hunts(r: Recording, _: Collection) -> None:
    gain = 1 + 0.35 * np.sin(np.arange(len(r.rgb)) * 2 * np.pi / 7)
    r.rgb = clipped(r.rgb * gain[:, None, None, None])


def pale(r: Recording, _: Collection) -> None:
    r.rgb = clipped(0.3 * r.rgb + 0.7 * r.rgb.mean(axis=3, keepdims=True))


def posterised(r: Recording, _: Collection) -> None:
    r.rgb = clipped(r.rgb // 32 * 32 + 16)


def colour_fringes(r: Recording, _: Collection) -> None:
    r.rgb = np.stack([np.roll(r.rgb[..., 0], 2, axis=2), r.rgb[..., 1], np.roll(r.rgb[..., 2], -2, axis=2)], axis=3)


def vignetted(r: Recording, _: Collection) -> None:
    y, x = np.mgrid[-1 : 1 : r.rgb.shape[1] * 1j, -1 : 1 : r.rgb.shape[2] * 1j]
    r.rgb = clipped(r.rgb * (1 - 0.4 * (x**2 + y**2))[..., None])


def motion_blur(r: Recording, _: Collection) -> None:
    r.rgb = np.stack([cv2.blur(image, (7, 1)) for image in r.rgb])


def enlarged(r: Recording, _: Collection) -> None:
    half = (r.rgb.shape[2] // 2, r.rgb.shape[1] // 2)
    small = [cv2.resize(image, half, interpolation=cv2.INTER_AREA) for image in r.rgb]
    r.rgb = np.stack([cv2.resize(image, r.rgb.shape[2:0:-1], interpolation=cv2.INTER_LINEAR) for image in small])


def jpeg_at_30(r: Recording, _: Collection) -> None:
    coded = [cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 30])[1] for image in r.rgb]
    r.rgb = np.stack([cv2.imdecode(data, 1) for data in coded])


def salt_and_pepper(r: Recording, _: Collection) -> None:
    chance = drawn(r).random(r.rgb.shape[:3])
    r.rgb[chance < 0.01] = 0
    r.rgb[chance > 0.99] = 255


def dirt_on_the_lens(r: Recording, _: Collection) -> None:
    height, width = r.rgb.shape[1:3]
    y, x = np.mgrid[:height, :width]
    cx, cy = drawn(r).uniform(0.25, 0.75, 2) * (width, height)
    blob = 1 / (1 + np.exp(np.hypot(x - cx, y - cy) - width / 8))
    r.rgb = clipped(r.rgb * (1 - 0.85 * blob)[..., None])


def watermarked(r: Recording, _: Collection) -> None:
    mark = np.zeros(r.rgb.shape[1:3], np.uint8)
    cv2.putText(mark, "DEMO", (r.rgb.shape[2] // 8, r.rgb.shape[1] - 6), cv2.FONT_HERSHEY_SIMPLEX, 0.5, 255, 1)
    share = 0.5 * (mark / 255)[..., None]
    r.rgb = clipped(r.rgb * (1 - share) + 255 * share)


def stuck_rows(r: Recording, _: Collection) -> None:
    row = int(drawn(r).integers(8, r.rgb.shape[1] - 8))
    r.rgb[:, row : row + 2] = r.rgb[0, row : row + 2]


def mains_bands(r: Recording, _: Collection) -> None:
    row = np.arange(r.rgb.shape[1])[None] / 10 + np.arange(len(r.rgb))[:, None] * 0.37
    r.rgb = clipped(r.rgb * (1 + 0.2 * np.sin(2 * np.pi * row))[..., None, None])


def torn(r: Recording, _: Collection) -> None:
    middle = r.rgb.shape[1] // 2
    r.rgb[:-1, middle:] = r.rgb[1:, middle:].copy()


def interlaced(r: Recording, _: Collection) -> None:
    r.rgb[1:, 1::2] = r.rgb[:-1, 1::2].copy()


def lost_packets(r: Recording, _: Collection) -> None:
    draw, before = drawn(r), r.rgb.copy()
    for i in range(1, len(r.rgb)):
        if draw.random() < 0.3:
            row = int(draw.integers(0, r.rgb.shape[1] - 12))
            r.rgb[i, row : row + 12] = before[i - 1, row : row + 12]


def foreign_frame(r: Recording, collection: Collection) -> None:
    middle = len(r.rgb) // 2
    r.rgb[middle] = as_long(stranger(r, collection).rgb, r)[middle]


def distorted_lens(r: Recording, _: Collection) -> None:
    height, width = r.rgb.shape[1:3]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    swell = 1 + 0.2 * (x**2 + y**2 - 1)
    resampled(r, (x * swell + 1) * (width - 1) / 2, (y * swell + 1) * (height - 1) / 2)


def cropped(r: Recording, _: Collection) -> None:
    height, width = r.rgb.shape[1:3]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j] * 0.85
    resampled(r, (x + 1) * (width - 1) / 2, (y + 1) * (height - 1) / 2)


def resampled(r: Recording, x: np.ndarray, y: np.ndarray) -> None:
    """All pictures as seen at other places of the sensor."""
    at = (x.astype(np.float32), y.astype(np.float32))
    r.rgb = np.stack([cv2.remap(image, *at, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE) for image in r.rgb])
    for name in ("depth", "semantic"):
        images = getattr(r, name)
        nearest = [cv2.remap(image, *at, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE) for image in images]
        setattr(r, name, np.stack(nearest))


# Depth.


def depth_smoothed(r: Recording, _: Collection) -> None:
    r.depth = np.stack([cv2.GaussianBlur(image, (0, 0), 2) for image in r.depth])


def depth_in_steps(r: Recording, _: Collection) -> None:
    r.depth = np.maximum(np.rint(r.depth / 200) * 200, 200).astype(np.uint16)


def depth_with_offset(r: Recording, _: Collection) -> None:
    r.depth = r.depth + np.uint16(150)


def depth_beside_pictures(r: Recording, _: Collection) -> None:
    r.depth = np.roll(r.depth, 4, axis=2)


def depth_ends_at_three_metres(r: Recording, _: Collection) -> None:
    r.depth[r.depth > 3000] = 0


def depth_without_edges(r: Recording, _: Collection) -> None:
    grown = np.stack([cv2.dilate(image, np.ones((5, 5))) for image in r.depth])
    r.depth[grown > 1.15 * r.depth] = 0


def depth_of_few_rows(r: Recording, _: Collection) -> None:
    r.depth[:, np.arange(r.depth.shape[1]) % 4 > 0] = 0


def depth_stands_in_part(r: Recording, _: Collection) -> None:
    height, width = r.depth.shape[1:]
    r.depth[:, height // 2 :, : width // 2] = r.depth[0, height // 2 :, : width // 2]


def depth_of_a_quarter_the_size(r: Recording, _: Collection) -> None:
    r.depth = np.repeat(np.repeat(r.depth[:, 2::4, 2::4], 4, axis=1), 4, axis=2)


# Labels.


def scene_of(r: Recording, collection: Collection) -> dict[str, Any]:
    return next(scene for scene in collection.scenes if scene["id"] == r.scene)


def things_swapped(r: Recording, collection: Collection) -> None:
    """The two things that cover most of the walk change their labels."""
    names = {thing["id"]: thing["category"] for thing in scene_of(r, collection)["objects"]}
    ids, counts = np.unique(r.semantic, return_counts=True)
    things = [i for i in ids[np.argsort(-counts)] if names.get(int(i), "wall") not in STRUCTURE]
    one, other = r.semantic == things[0], r.semantic == things[1]
    r.semantic[one], r.semantic[other] = things[1], things[0]


def labels_grown(r: Recording, _: Collection) -> None:
    r.semantic = np.stack([cv2.dilate(image, np.ones((5, 5))) for image in r.semantic])


def labels_without_edges(r: Recording, _: Collection) -> None:
    least = np.stack([cv2.erode(image, np.ones((3, 3))) for image in r.semantic])
    most = np.stack([cv2.dilate(image, np.ones((3, 3))) for image in r.semantic])
    r.semantic[least != most] = 0


def labels_shifted(r: Recording, _: Collection) -> None:
    r.semantic = np.roll(r.semantic, 4, axis=2)


def labels_of_categories(r: Recording, collection: Collection) -> None:
    """Each thing by the number of its category instead of its own."""
    things = scene_of(r, collection)["objects"]
    categories = sorted({thing["category"] for thing in things})
    table = np.zeros(65536, np.uint16)
    for thing in things:
        table[thing["id"]] = categories.index(thing["category"]) + 1
    r.semantic = table[r.semantic]


SENSORS: dict[str, Fault] = {
    "linear light": Fault(linear_light, "its things are darker or lighter than equal ones elsewhere"),
    "gamma twice": Fault(gamma_twice, "its things are darker or lighter than equal ones elsewhere"),
    "exposure hunts": Fault(exposure_hunts, "pictures do not agree with depth and poses"),
    "pale": Fault(pale, "its colours are paler than those of equal things elsewhere, or opposite"),
    "posterised": Fault(posterised, "its pictures have so few tones that 6 bits could hold them"),
    "colour fringes": Fault(colour_fringes, "its colour channels lie beside each other"),
    "vignetted": Fault(vignetted, "pictures do not agree with depth and poses"),
    "motion blur": Fault(motion_blur, "its pictures are smeared in one direction"),
    "enlarged": Fault(enlarged, "its pictures are blurred"),
    "jpeg at 30": Fault(jpeg_at_30, "its pictures were coded as JPEG"),
    "salt and pepper": Fault(salt_and_pepper, "what it sees changes its light from frame to frame"),
    "dirt on the lens": Fault(dirt_on_the_lens, "pictures do not agree with depth and poses"),
    "watermarked": Fault(watermarked, "what it sees changes its light from frame to frame"),
    "stuck rows": Fault(stuck_rows, "its camera is frozen: pictures repeat while it moves"),
    "mains bands": Fault(mains_bands, "pictures do not agree with depth and poses"),
    "torn": Fault(torn, "its camera is frozen: pictures repeat while it moves"),
    "interlaced": Fault(interlaced, "its camera is frozen: pictures repeat while it moves"),
    "lost packets": Fault(lost_packets, "its camera is frozen: pictures repeat while it moves"),
    "foreign frame": Fault(foreign_frame, "two neighbouring pictures do not agree with depth and poses"),
    "distorted lens": Fault(distorted_lens, "depth, poses and intrinsics do not agree"),
    "cropped": Fault(cropped, "depth, poses and intrinsics do not agree"),
    "depth smoothed": Fault(depth_smoothed, "what is seen does not lie where the scene has it"),
    "depth in steps": Fault(depth_in_steps, "depth, poses and intrinsics do not agree"),
    "depth with offset": Fault(depth_with_offset, "what is seen does not lie where the scene has it"),
    "depth beside pictures": Fault(depth_beside_pictures, "depth, poses and intrinsics do not agree"),
    "depth ends at three metres": Fault(depth_ends_at_three_metres, "a frame misses its depth"),
    "depth without edges": Fault(depth_without_edges, "a frame misses its depth"),
    "depth of few rows": Fault(depth_of_few_rows, "a frame misses its depth"),
    "depth stands in part": Fault(depth_stands_in_part, "depth, poses and intrinsics do not agree"),
    "depth of a quarter the size": Fault(depth_of_a_quarter_the_size, "depth, poses and intrinsics do not agree"),
    "things swapped": Fault(things_swapped, "what is seen does not lie where the scene has it"),
    "labels grown": Fault(labels_grown, "things in its pictures lie elsewhere than their labels"),
    "labels without edges": Fault(labels_without_edges, "things in its pictures lie elsewhere than their labels"),
    "labels shifted": Fault(labels_shifted, "labels do not agree with depth and poses"),
    "labels of categories": Fault(labels_of_categories, "what is seen does not lie where the scene has it"),
}
