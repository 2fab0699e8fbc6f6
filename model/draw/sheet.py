"""The memory sheet: the current view, its keyframes, and where their places are said to lie, beside the truth."""

from __future__ import annotations

import math
import textwrap
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from model.draw.overlay import enlarge, overlay
from model.draw.palette import FAINT, INK, PAPER, RULE, Colour, font, keyframe_colour

MARGIN, GAP, BAR, HEADER, LABEL = 28, 14, 34, 34, 30

SHOWN = 0.5
"""Probability of none from which on a map is called out of view."""


@dataclass(frozen=True)
class ViewPicture:
    """One view with its keyframes and maps; C = G * G + 1 cells, the last is none."""

    current: NDArray[np.uint8]
    """[H, W, 3]."""
    keyframes: NDArray[np.uint8]
    """[K, H, W, 3]."""
    frames: tuple[int, ...]
    """[K] frame numbers of the keyframes."""
    now: int
    """Frame number of the current view."""
    predicted: NDArray[np.float64]
    """[K, C]."""
    truth: NDArray[np.float64] | None
    """[K, C], or None where it is not known."""
    valid: NDArray[np.bool_]
    """[K] False = padding, which is left out."""
    instruction: str = ""
    caption: str = ""
    """Where this is: scene, episode."""


def memory_sheet(view: ViewPicture, tile: int = 168) -> Image.Image:
    """A sheet with a column a keyframe: its picture, the predicted map, the true map, each map with its none bar."""
    slots = np.flatnonzero(view.valid).tolist()
    height = round(tile * view.current.shape[0] / view.current.shape[1])
    rows = [("predicted", view.predicted)] + ([("truth", view.truth)] if view.truth is not None else [])
    large = 2 * tile + GAP
    left = MARGIN + large + 2 * GAP + LABEL
    top = MARGIN + HEADER
    size = (
        left + len(slots) * (tile + GAP) - GAP + MARGIN,
        top + (len(rows) + 1) * (height + GAP) + len(rows) * BAR + MARGIN,
    )
    sheet = Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(sheet)
    _current(sheet, draw, view, (MARGIN, top), large)
    for row, name in enumerate(["keyframe", *(name for name, _ in rows)]):
        _upright(sheet, name, (left - LABEL - 4, top + row * (height + GAP) + max(0, row - 1) * BAR), height)
    for column, slot in enumerate(slots):
        x = left + column * (tile + GAP)
        _keyframe(sheet, draw, view, slot, (x, top), tile)
        reference = _reference(view, slot)
        for row, (_, maps) in enumerate(rows):
            y = top + (row + 1) * (height + GAP) + row * BAR
            _map(sheet, draw, view, maps[slot], (x, y), tile, reference, keyframe_colour(slot))
    return sheet


def _reference(view: ViewPicture, slot: int) -> float:
    """Cell probability of full brightness: the higher peak of the two maps, and at least that of a blurred spot."""
    cells = view.predicted.shape[1] - 1
    peaks = [float(maps[slot, :-1].max()) for maps in (view.predicted, view.truth) if maps is not None]
    return max(*peaks, 3 / cells)


def _current(sheet: Image.Image, draw: ImageDraw.ImageDraw, view: ViewPicture, at: tuple[int, int], size: int) -> None:
    """The current view, large, with what was asked below it."""
    x, y = at
    picture = enlarge(view.current, size)
    draw.text((x, y - HEADER), "now", INK, font(17, bold=True))
    draw.text((x + 46, y - HEADER + 2), f"frame {view.now}", FAINT, font(14))
    sheet.paste(picture, at)
    y += picture.height + 12
    said = f"“{view.instruction}”" if view.instruction else ""
    for line in textwrap.wrap(said, max(20, size // 8), max_lines=5, placeholder=" …”"):
        draw.text((x, y), line, INK, font(14))
        y += 20
    for line in textwrap.wrap(view.caption, max(20, size // 7)):
        draw.text((x, y + 4), line, FAINT, font(12))
        y += 16


def _keyframe(
    sheet: Image.Image, draw: ImageDraw.ImageDraw, view: ViewPicture, slot: int, at: tuple[int, int], size: int
) -> None:
    """A keyframe in a frame of its colour, with its number."""
    x, y = at
    colour = keyframe_colour(slot)
    picture = enlarge(view.keyframes[slot], size)
    sheet.paste(picture, at)
    draw.rectangle((x - 2, y - 2, x + size + 1, y + picture.height + 1), outline=colour, width=3)
    draw.rounded_rectangle((x, y - HEADER, x + 24, y - HEADER + 24), 7, fill=colour)
    draw.text((x + 12, y - HEADER + 12), str(slot + 1), PAPER, font(14, bold=True), anchor="mm")
    draw.text((x + 32, y - HEADER + 12), f"frame {view.frames[slot]}", FAINT, font(13), anchor="lm")


def _map(
    sheet: Image.Image, draw: ImageDraw.ImageDraw, view: ViewPicture, cells: NDArray[np.float64],
    at: tuple[int, int], size: int, reference: float, colour: Colour,
) -> None:  # fmt: skip
    """A map over the current view, and below it how much of the mass is on none."""
    x, y = at
    side = math.isqrt(len(cells) - 1)
    picture = overlay(view.current, cells[:-1].reshape(side, side), reference, size)
    sheet.paste(picture, at)
    none = float(cells[-1])
    if none >= SHOWN:
        draw.text(
            (x + size / 2, y + picture.height / 2), "not in view", (225, 228, 235), font(15, bold=True), anchor="mm"
        )
    bar = y + picture.height + 7
    draw.rounded_rectangle((x, bar, x + size - 1, bar + 5), 3, fill=RULE)
    if none > 0.005:
        draw.rounded_rectangle((x, bar, x + max(5, none * (size - 1)), bar + 5), 3, fill=colour)
    draw.text((x, bar + 17), f"not in view {none:.0%}", INK if none >= SHOWN else FAINT, font(12), anchor="lm")


def _upright(sheet: Image.Image, text: str, at: tuple[int, int], length: int) -> None:
    """A row's name, written upwards."""
    strip = Image.new("RGB", (length, LABEL - 6), PAPER)
    ImageDraw.Draw(strip).text((length / 2, (LABEL - 6) / 2), text, INK, font(14, bold=True), anchor="mm")
    sheet.paste(strip.rotate(90, expand=True), at)
