"""Pictures of what a network recalls of a film: a map over the whole current view, and the film beside it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from model.draw.overlay import enlarge, overlay
from model.draw.palette import FAINT, INK, PAPER, RULE, font, keyframe_colour
from model.draw.sheet import SHOWN, ViewPicture, memory_sheet
from model.framing import Framing

if TYPE_CHECKING:
    from model.recall import Recall
    from model.video import Moment

WIDEST, NARROWEST = 1280, 480
"""Pixels of the overlays' width; between these they are as wide as the video."""

INSET = 0.24
"""Width of the keyframe's own picture in the overlay's corner."""

PANE = 480
"""Pixels of the width of one side of the side-by-side video."""

STRIP = 34
HOLD = 8
"""Frames for which each keyframe's map stays at the end of the video."""

LENGTH, SLOWEST, FASTEST = 10.0, 2.0, 12.0
"""Seconds that the video should take, and the least and most frames a second to get there."""

Pixels = NDArray[np.uint8]


def keyframe_overlay(answer: Recall, slot: int) -> Image.Image:
    """Where the place of a keyframe lies in the whole current view, with that keyframe in the corner."""
    width = min(WIDEST, max(NARROWEST, answer.framing.width))
    picture = _heated(answer, slot, width)
    draw = ImageDraw.Draw(picture)
    moment, colour = answer.keyframes[slot], keyframe_colour(slot)
    inset = enlarge(moment.picture(), round(INSET * width))
    picture.paste(inset, (12, 12))
    draw.rectangle((9, 9, 12 + inset.width + 2, 12 + inset.height + 2), outline=colour, width=4)
    size = max(13, round(width / 60))
    text = f"keyframe {slot + 1} · frame {moment.frame} · {moment.seconds:.1f} s"
    _label(draw, (12, 18 + inset.height), text, size)
    _label(draw, (12, 22 + inset.height + size + 10), f"not in view {answer.none[slot]:.0%}", size)
    return picture


def recall_sheet(answer: Recall) -> Image.Image:
    """All keyframes and their maps over the square that the network sees."""
    maps = np.concatenate([answer.maps.reshape(len(answer.maps), -1), answer.none[:, None]], axis=1)
    fit = "letterbox" if answer.framing.side > min(answer.framing.width, answer.framing.height) else "crop"
    return memory_sheet(
        ViewPicture(
            current=answer.framing.square(answer.picture, 384),
            keyframes=np.stack([_square(moment, fit) for moment in answer.keyframes]),
            frames=tuple(moment.frame for moment in answer.keyframes),
            now=answer.current.frame,
            predicted=maps,
            truth=answer.truth,
            valid=np.ones(len(maps), bool),
            instruction=answer.wish.instruction[:400],
            caption=f"{answer.wish.algorithm} keyframes",
        )
    )


def side_by_side(answer: Recall) -> Iterator[Pixels]:
    """Frames of a video: the film up to the current view, and where the keyframe passed last lies in that view."""
    plain = enlarge(answer.picture, PANE)
    heated = [_heated(answer, slot, PANE) for slot in range(len(answer.keyframes))]
    slots = {moment.frame: slot for slot, moment in enumerate(answer.keyframes)}
    passed = None
    for moment in answer.footage.past:
        here = slots.get(moment.frame)
        passed = passed if here is None else here
        yield _pair(answer, moment, plain if passed is None else heated[passed], passed, here is not None)
    for slot, moment in enumerate(answer.keyframes):
        frame = _pair(answer, moment, heated[slot], slot, True)
        for _ in range(HOLD):
            yield frame


def video_rate(answer: Recall) -> float:
    """Frames a second of that video."""
    return min(FASTEST, max(SLOWEST, len(answer.footage.past) / LENGTH))


def _pair(answer: Recall, moment: Moment, right: Image.Image, slot: int | None, here: bool) -> Pixels:
    left = enlarge(moment.picture(), PANE).resize(right.size)
    # Encoders want even sides.
    height = STRIP + right.height + right.height % 2
    sheet = Image.new("RGB", (2 * PANE, height), PAPER)
    draw = ImageDraw.Draw(sheet)
    sheet.paste(left, (0, STRIP))
    sheet.paste(right, (PANE, STRIP))
    draw.line((PANE, 0, PANE, height), fill=RULE, width=2)
    draw.text((10, 8), f"frame {moment.frame} · {moment.seconds:.1f} s", FAINT, font(14))
    if slot is not None:
        colour = keyframe_colour(slot)
        if here:
            draw.rectangle((1, STRIP, PANE - 3, height - 1), outline=colour, width=4)
            draw.text((PANE - 12, 8), f"keyframe {slot + 1}", colour, font(14, bold=True), anchor="ra")
        none = answer.none[slot]
        told = "not in view now" if none >= SHOWN else f"keyframe {slot + 1}, seen from frame {answer.current.frame}"
        draw.text((PANE + 12, 8), told, INK, font(14, bold=True))
        draw.text((2 * PANE - 10, 8), f"not in view {none:.0%}", FAINT, font(13), anchor="ra")
    else:
        draw.text((PANE + 12, 8), f"frame {answer.current.frame}, the view now", FAINT, font(14))
    return np.asarray(sheet)


def _heated(answer: Recall, slot: int, width: int) -> Image.Image:
    """The current view under a keyframe's map, and the edge of the square that the network saw."""
    framing = answer.framing
    cells = answer.maps[slot]
    reference = max(float(cells.max()), 3 / cells.size)
    heat = framing.whole(cells, width)
    picture = overlay(np.asarray(enlarge(answer.picture, width)), heat, reference, width)
    if framing.side < max(framing.width, framing.height):
        scale = picture.width / framing.width
        edge = [round(scale * v) for v in (framing.left, framing.top)]
        far = [round(scale * (v + framing.side)) - 1 for v in (framing.left, framing.top)]
        ImageDraw.Draw(picture).rectangle((*edge, *far), outline=(150, 155, 165), width=1)
    return picture


def _square(moment: Moment, fit: str) -> Pixels:
    picture = moment.picture()
    framing = Framing.of(picture.shape[1], picture.shape[0], "letterbox" if fit == "letterbox" else "crop")
    return framing.square(picture, 224)


def _label(draw: ImageDraw.ImageDraw, at: tuple[int, int], text: str, size: int) -> None:
    face = font(size)
    box = draw.textbbox(at, text, font=face)
    draw.rectangle((box[0] - 5, box[1] - 3, box[2] + 5, box[3] + 3), fill=(20, 22, 28))
    draw.text(at, text, PAPER, font=face)
