"""Pictures for people: the plan of a building with its walks, and contact sheets of what was seen on them."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from tasks.collect.storeys import floors_of

Image = NDArray[np.uint8]
Pixels = NDArray[np.int32]

SCALE = 60
"""Pixels a metre."""
MARGIN = 30
PAPER, INK, THING = (250, 249, 246), (45, 45, 50), (205, 200, 190)
WALKS = ((200, 60, 50), (40, 110, 190), (40, 150, 80), (190, 120, 20), (130, 70, 170))
ON_FLOOR = 1.0
"""Metres above or below a floor within which a walk is drawn on it."""
SHOWN = 12
"""Frames of a walk on a contact sheet."""


def draw_dataset(folder: Path, into: Path) -> tuple[Path, ...]:
    """The first building's plan with its walks, and a contact sheet with one walk of each stratum."""
    scenes = json.loads((folder / "scenes.json").read_bytes())["scenes"]
    episodes = json.loads(gzip.decompress((folder / "episodes.json.gz").read_bytes()))["episodes"]
    scene = next(s for s in scenes if s["id"] == episodes[0]["scene_id"])
    walks = [np.array(e["reference_path"]) for e in episodes if e["scene_id"] == scene["id"]]
    plan, sheet = into / "plan.png", into / "walks.png"
    save(plan, draw_plan(scene, walks))
    by_stratum = {e["info"]["stratum"]: e["episode_id"] for e in reversed(episodes)}
    save(sheet, contact_sheet(folder, [by_stratum[name] for name in sorted(by_stratum)]))
    return plan, sheet


def save(path: Path, image: Image) -> None:
    """Write an RGB image as PNG."""
    cv2.imwrite(str(path), image[..., ::-1])


def draw_plan(scene: dict[str, Any], walks: list[NDArray[np.float64]]) -> Image:
    """[H, W, 3] the plan of a scene of scenes.json from above (z points down), with walks ([n, 3] metres each).

    Floors stand side by side, the lowest on the left; a walk is drawn on each floor that it comes to.
    """
    floors = floors_of(scene)
    if len(floors) == 1:
        return draw_floor(scene, walks)
    plans = [draw_floor(floor, [walk for walk in walks if comes_to(floor, walk)]) for floor in floors]
    height = max(plan.shape[0] for plan in plans)
    return np.concatenate(
        [np.pad(p, ((0, height - len(p)), (0, 0), (0, 0)), constant_values=PAPER[0]) for p in plans], 1
    )


def comes_to(floor: dict[str, Any], walk: NDArray[np.float64]) -> bool:
    """Whether a walk is on a floor at some time."""
    return bool((np.abs(walk[:, 1] - floor["rooms"][0]["floor"]) < ON_FLOOR).any())


def draw_floor(scene: dict[str, Any], walks: list[NDArray[np.float64]]) -> Image:
    """[H, W, 3] one floor."""
    corners = np.array([point for room in scene["rooms"] for point in room["polygon"]])
    low = corners.min(axis=0)
    width, height = np.ceil((corners.max(axis=0) - low) * SCALE).astype(int) + 2 * MARGIN
    image = np.full((height, width, 3), PAPER, dtype=np.uint8)

    def at(points: Any) -> Pixels:
        return np.round((np.asarray(points, dtype=float) - low) * SCALE + MARGIN).astype(np.int32)

    for i, room in enumerate(scene["rooms"]):
        shade = tuple(int(v) for v in np.array([240, 240, 240]) - 14 * np.array([i % 3, (i // 2) % 3, (i // 3) % 3]))
        cv2.fillPoly(image, [at(room["polygon"])], shade)
    for thing in scene["objects"]:
        if stands_on_floor(thing, min((room.get("floor", 0.0) for room in scene["rooms"]), default=0.0)):
            cv2.fillPoly(image, [at(footprint(thing))], THING)
            cv2.polylines(image, [at(footprint(thing))], True, (160, 155, 148), 1, cv2.LINE_AA)
    for x0, z0, x1, z1 in scene["walls"]:
        ends = at([(x0, z0), (x1, z1)])
        cv2.line(image, tuple(ends[0].tolist()), tuple(ends[1].tolist()), INK, 5)
    for i, walk in enumerate(walks):
        draw_walk(image, at(walk[:, [0, 2]]), WALKS[i % len(WALKS)])
    for room in scene["rooms"]:
        label(image, room["name"], at(np.mean(room["polygon"], axis=0)))
    return image


def stands_on_floor(thing: dict[str, Any], floor: float) -> bool:
    """Whether an object takes floor (at height `floor`) and is more than a surface of the room."""
    bottom = thing["centre"][1] - thing["size"][1] / 2 - floor
    return bottom < 0.3 and thing["category"] not in ("wall", "floor", "ceiling", "door", "doorway", "front door")


def footprint(thing: dict[str, Any]) -> NDArray[np.float64]:
    """[4, 2] corners (x, z) of an object's box."""
    w, _, d = thing["size"]
    c, s = np.cos(thing["yaw"]), np.sin(thing["yaw"])
    local = np.array([(-w, -d), (w, -d), (w, d), (-w, d)]) / 2
    turned = np.stack([local[:, 0] * c + local[:, 1] * s, -local[:, 0] * s + local[:, 1] * c], axis=1)
    return turned + np.array([thing["centre"][0], thing["centre"][2]])


def draw_walk(image: Image, points: Pixels, colour: tuple[int, int, int]) -> None:
    """A line with a ring at its start and a disc at its end."""
    cv2.polylines(image, [points], False, colour, 3, cv2.LINE_AA)
    cv2.circle(image, tuple(points[0].tolist()), 7, colour, 2, cv2.LINE_AA)
    cv2.circle(image, tuple(points[-1].tolist()), 7, colour, -1, cv2.LINE_AA)


def label(image: Image, text: str, middle: Pixels) -> None:
    """A room's name around a pixel."""
    (width, height), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 0.5, 1)
    cv2.putText(
        image,
        text,
        (int(middle[0]) - width // 2, int(middle[1]) + height // 2),
        cv2.FONT_HERSHEY_SIMPLEX,
        0.5,
        INK,
        1,
        cv2.LINE_AA,
    )


def contact_sheet(folder: Path, episodes: list[str]) -> Image:
    """[H, W, 3] one row a walk: some of its frames in order of time."""
    import pyarrow.parquet as pq

    columns = ["episode", "shard", "rgb_offset", "rgb_size"]
    rows = [
        row
        for row in pq.read_table(folder / "index.parquet", columns=columns).to_pylist()
        if row["episode"] in set(episodes)
    ]
    strips = []
    for name in episodes:
        mine = [row for row in rows if row["episode"] == name]
        picked = [mine[int(i)] for i in np.linspace(0, len(mine) - 1, SHOWN).round()]
        frames = [read_rgb(folder, row) for row in picked]
        strips.append(
            np.concatenate([np.pad(frame, ((2, 2), (2, 2), (0, 0)), constant_values=255) for frame in frames], axis=1)
        )
    return np.concatenate(strips)


def read_rgb(folder: Path, row: dict[str, Any]) -> Image:
    """The frame of an index row, enlarged where it is small."""
    with (folder / row["shard"]).open("rb") as file:
        file.seek(row["rgb_offset"])
        data = np.frombuffer(file.read(row["rgb_size"]), dtype=np.uint8)
    image = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))[..., ::-1]
    scale = max(1, round(112 / image.shape[1]))
    return np.kron(image, np.ones((scale, scale, 1), dtype=np.uint8))
