"""The contact sheet of an episode: its way through the building, its frames, and where earlier places lie in view."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from model.draw.overlay import enlarge, overlay
from model.draw.palette import FAINT, INK, PAPER, RULE, font, keyframe_colour
from model.draw.plan import scene_plan
from tasks.collect.storeys import captions, floors_of
from tasks.view.episode import Recorded
from tasks.view.truth import Truth

WIDTH, MARGIN, GAP = 1560, 36, 10
PLAN = 560
"""Width of the plan in pixels."""
SHOWN, COLUMNS = 24, 6
"""Frames on the sheet at most, and how many stand side by side."""
LINE, HEADING = 22, 40
ARROWS = {"forward": "↑", "left": "↺", "right": "↻", "stop": "■"}
"""Signs for actions."""
TALLEST = 2.2
"""Metres above its floor at which a camera can be carried."""
FARTHEST = 6.0
"""Metres that the picture of depth shows as farthest."""
GOLDEN = 0.618034


def contact_sheet(episode: Recorded, truths: Sequence[Truth]) -> Image.Image:
    """The whole sheet; `truths` are the views whose heatmaps are shown, in order."""
    sheet = Image.new("RGB", (WIDTH, 4000), PAPER)
    draw = ImageDraw.Draw(sheet)
    top = header(draw, episode)
    plan = plan_of(episode, truths)
    plan = plan.resize((PLAN, round(plan.height * PLAN / plan.width)), Image.Resampling.LANCZOS)
    sheet.paste(plan, (MARGIN, top))
    bottom = frames_grid(sheet, draw, episode, MARGIN + PLAN + 2 * GAP, top)
    y = max(bottom, top + plan.height) + GAP
    if truths:
        draw.line((MARGIN, y, WIDTH - MARGIN, y), RULE, 1)
        y = truth_rows(sheet, draw, episode, truths, y + GAP)
    return sheet.crop((0, 0, WIDTH, y + MARGIN))


def header(draw: ImageDraw.ImageDraw, episode: Recorded) -> int:
    """Who this is and what it was told; returns where the next thing may begin."""
    camera = episode.info.get("camera", {})
    height, width = episode.rgb.shape[1:3]
    facts = [
        f"scene {episode.scene['id']}", episode.split, f"stratum {episode.stratum}", f"{len(episode.actions)} frames",
        f"{width} x {height} px",
    ]  # fmt: skip
    if camera:
        facts.append(f"camera {camera['height']:.2f} m high, {camera['hfov']:.0f}° wide, pitch {camera['pitch']:.0f}°")
    draw.text((MARGIN, MARGIN), episode.id, INK, font(26, bold=True))
    draw.text((MARGIN, MARGIN + 36), "  ·  ".join(facts), FAINT, font(15))
    y = MARGIN + 68
    for line in textwrap.wrap(f"“{episode.instruction}”", 150):
        draw.text((MARGIN, y), line, INK, font(17))
        y += LINE + 2
    return y + 2 * GAP


def plan_of(episode: Recorded, truths: Sequence[Truth]) -> Image.Image:
    """The floors that the walk comes to from above, with the keyframes and the view of the last truth."""
    last = truths[-1] if truths else None
    hfov = 2 * np.degrees(np.arctan(episode.rgb.shape[2] / (2 * episode.intrinsics[0, 0, 0])))
    current = last.current if last else len(episode.actions) - 1
    floors = floors_of(episode.scene)
    named = list(zip(floors, captions(floors), strict=True))
    visited = [(floor, said) for floor, said in named if on_floor(floor, episode.poses[:, 1, 3]).any()]
    shown = last.keyframes if last else ()
    plans = [
        scene_plan(
            floor, poses_on(floor, episode.poses) if visited[1:] else episode.poses, shown, current, float(hfov), said
        )
        for floor, said in visited or named[:1]
    ]
    width = max(plan.width for plan in plans)
    whole = Image.new("RGB", (width, sum(plan.height for plan in plans)), PAPER)
    y = 0
    for plan in plans:
        whole.paste(plan, (0, y))
        y += plan.height
    return whole


def on_floor(floor: dict[str, Any], eyes: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which of the cameras at heights `eyes` ([n] metres) are within a person's height above a floor."""
    level = min((room.get("floor", 0.0) for room in floor["rooms"]), default=0.0)
    return (eyes > level) & (eyes < level + TALLEST)


def poses_on(floor: dict[str, Any], poses: NDArray[np.float64]) -> NDArray[np.float64]:
    """[n, 4, 4] poses, NaN where the camera is not on this floor: the plan leaves such out."""
    return np.where(on_floor(floor, poses[:, 1, 3])[:, None, None], poses, np.nan)


def frames_grid(sheet: Image.Image, draw: ImageDraw.ImageDraw, episode: Recorded, left: int, top: int) -> int:
    """Frames spread evenly over the walk, each with its number and the action taken from it."""
    count = len(episode.actions)
    chosen = np.unique(np.linspace(0, count - 1, min(SHOWN, count)).round().astype(int))
    tile = (WIDTH - MARGIN - left - (COLUMNS - 1) * GAP) // COLUMNS
    height = round(tile * episode.rgb.shape[1] / episode.rgb.shape[2])
    y = top
    for place, frame in enumerate(chosen.tolist()):
        x, y = left + place % COLUMNS * (tile + GAP), top + place // COLUMNS * (height + LINE + GAP)
        sheet.paste(enlarge(episode.rgb[frame], tile), (x, y))
        action = episode.actions[frame]
        draw.text((x, y + height + 3), str(frame), INK, font(13, bold=True))
        draw.text(
            (x + tile, y + height + 3), f"{action} {ARROWS.get(action, '')}".strip(), FAINT, font(13), anchor="ra"
        )
    return y + height + LINE + GAP


def truth_rows(
    sheet: Image.Image, draw: ImageDraw.ImageDraw, episode: Recorded, truths: Sequence[Truth], top: int
) -> int:
    """A row a view: the view with its depth and things, then each keyframe over the place that it saw."""
    draw.text((MARGIN, top), "Where the places of earlier keyframes lie in a later view", INK, font(17, bold=True))
    draw.text((MARGIN, top + LINE), "truth from depth and pose, uniform keyframes", FAINT, font(13))
    y = top + HEADING + GAP
    slots = max(len(truth.keyframes) for truth in truths)
    tile = (WIDTH - 2 * MARGIN - (slots + 2) * GAP) // (slots + 3)
    height = round(tile * episode.rgb.shape[1] / episode.rgb.shape[2])
    for truth in truths:
        view_block(sheet, draw, episode, truth.current, y, tile)
        for slot, frame in enumerate(truth.keyframes):
            x = MARGIN + (slot + 3) * (tile + GAP)
            keyframe_column(sheet, draw, episode, truth, slot, frame, (x, y), tile, height)
        y += 2 * (height + GAP) + LINE + GAP
    return y


def view_block(
    sheet: Image.Image, draw: ImageDraw.ImageDraw, episode: Recorded, frame: int, top: int, tile: int
) -> None:
    """A view, large; beside it its depth over its things."""
    large = 2 * tile + GAP
    draw.text((MARGIN, top), f"view {frame}", INK, font(13, bold=True))
    sheet.paste(enlarge(episode.rgb[frame], large), (MARGIN, top + LINE))
    x, y = MARGIN + large + GAP, top + LINE
    draw.text((x, top), "depth, things", FAINT, font(13))
    for picture in (depth_picture(episode.depth[frame]), id_picture(episode.semantic[frame])):
        image = crisp(picture, tile)
        sheet.paste(image, (x, y))
        y += image.height + GAP


def keyframe_column(
    sheet: Image.Image, draw: ImageDraw.ImageDraw, episode: Recorded, truth: Truth, slot: int, frame: int,
    at: tuple[int, int], tile: int, height: int,
) -> None:  # fmt: skip
    """A keyframe in its colour, and below it its map over the view."""
    x, y = at
    colour = keyframe_colour(slot)
    draw.rounded_rectangle((x, y, x + 20, y + 18), 5, fill=colour)
    draw.text((x + 10, y + 9), str(slot + 1), PAPER, font(12, bold=True), anchor="mm")
    draw.text((x + 28, y + 9), f"frame {frame}", FAINT, font(13), anchor="lm")
    sheet.paste(enlarge(episode.rgb[frame], tile), (x, y + LINE))
    draw.rectangle((x, y + LINE, x + tile - 1, y + LINE + height - 1), outline=colour, width=3)
    grid = truth.grid(slot)
    below = y + LINE + height + GAP
    sheet.paste(overlay(episode.rgb[truth.current], grid, max(float(grid.max()), 3 / grid.size), tile), (x, below))
    if truth.maps[slot, -1] >= 0.5:
        draw.text((x + tile / 2, below + height / 2), "not in view", (225, 228, 235), font(14, bold=True), anchor="mm")


def crisp(picture: NDArray[np.uint8], size: int) -> Image.Image:
    """A picture enlarged without mixing its pixels, as depths and ids want it."""
    height = round(size * picture.shape[0] / picture.shape[1])
    return Image.fromarray(picture).resize((size, height), Image.Resampling.NEAREST)


def depth_picture(depth: NDArray[np.float32]) -> NDArray[np.uint8]:
    """[H, W, 3] near = yellow, far = dark; without depth = white."""
    near = np.round(255 * (1 - np.clip(depth / FARTHEST, 0, 1))).astype(np.uint8)
    picture = np.asarray(cv2.applyColorMap(near, cv2.COLORMAP_INFERNO))[..., ::-1].copy()
    picture[depth <= 0] = 255
    return picture


def id_colours(ids: NDArray[Any]) -> NDArray[np.uint8]:
    """[n, 3] one colour an id, neighbours far apart in hue; 0 is black."""
    hue = (ids.astype(np.float64) * GOLDEN) % 1.0
    light = np.where(ids % 2 == 0, 235, 190)
    hsv = np.stack([hue * 179, 90 + (ids % 3) * 45, np.where(ids == 0, 0, light)], axis=-1).astype(np.uint8)
    return np.asarray(cv2.cvtColor(hsv[None], cv2.COLOR_HSV2RGB))[0]


def id_picture(semantic: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """[H, W, 3] each thing in a colour of its own."""
    ids, place = np.unique(semantic, return_inverse=True)
    return id_colours(ids)[place.reshape(semantic.shape)]
