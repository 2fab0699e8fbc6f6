"""Colours and letters that all pictures share: a keyframe keeps its colour on the sheet and on the plan."""

from __future__ import annotations

from functools import lru_cache

from PIL import ImageFont

PAPER, INK, FAINT, RULE = (255, 255, 255), (28, 32, 40), (122, 130, 142), (226, 229, 234)

KEYFRAMES = (
    (38, 118, 199),
    (0, 150, 136),
    (106, 153, 31),
    (219, 152, 0),
    (222, 86, 60),
    (173, 60, 148),
    (103, 88, 201),
    (0, 139, 190),
)
"""One colour a keyframe, in order of time; the ninth begins again."""

Colour = tuple[int, int, int]


def keyframe_colour(slot: int) -> Colour:
    """Colour of a keyframe slot."""
    return KEYFRAMES[slot % len(KEYFRAMES)]


def unit(colour: Colour) -> tuple[float, float, float]:
    """The same colour in 0..1, as matplotlib wants it."""
    red, green, blue = colour
    return red / 255, green / 255, blue / 255


@lru_cache(maxsize=32)
def font(size: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which matplotlib brings along."""
    from matplotlib.font_manager import FontProperties, findfont

    return ImageFont.truetype(findfont(FontProperties("DejaVu Sans", weight="bold" if bold else "normal")), size)
