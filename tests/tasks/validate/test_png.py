"""Pictures read strictly, and to the bit as a decoder reads them, however they were written."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.collect.shards import png
from tasks.validate.png import Form, read_pngs

FILTERS = {
    "none": cv2.IMWRITE_PNG_FILTER_NONE,
    "up": cv2.IMWRITE_PNG_FILTER_UP,
    "all": cv2.IMWRITE_PNG_ALL_FILTERS,
}


def picture(kind: str, height: int, width: int, seed: int) -> np.ndarray:
    draw = np.random.default_rng(seed)
    if kind == "rgb":
        return draw.integers(0, 256, (height, width, 3), dtype=np.uint8)
    return draw.integers(0, 65536, (height, width), dtype=np.uint16)


def read(data: bytes, like: np.ndarray) -> np.ndarray | None:
    """The second of three pictures, of which the others are sound and missing; None where it could not be read."""
    form = Form(like.shape[1], like.shape[0], coloured=like.ndim == 3)
    pictures, whole = read_pngs([png(like), data, None], form)
    assert (pictures[0] == like).all() and not pictures[2].any() and whole[0] and not whole[2]
    assert pictures.dtype == like.dtype and (whole[1] or not pictures[1].any())
    return pictures[1] if whole[1] else None


@given(
    kind=st.sampled_from(["rgb", "depth"]), height=st.integers(1, 9), width=st.integers(1, 9), seed=st.integers(0, 99)
)
def test_what_the_collector_writes_is_read_to_the_bit(kind: str, height: int, width: int, seed: int) -> None:
    written = picture(kind, height, width, seed)
    found = read(png(written), written)
    assert found is not None and (found == written).all()


@pytest.mark.parametrize("kind", ["rgb", "depth"])
@pytest.mark.parametrize("coding", FILTERS)
def test_so_is_what_others_write(kind: str, coding: str) -> None:
    written = picture(kind, 16, 12, 1)
    stored = written[..., ::-1] if kind == "rgb" else written
    found = read(cv2.imencode(".png", stored, [cv2.IMWRITE_PNG_FILTER, FILTERS[coding]])[1].tobytes(), written)
    assert found is not None and (found == written).all()


def test_a_picture_of_another_form_is_none() -> None:
    wide, narrow = picture("depth", 8, 9, 1), picture("depth", 8, 8, 1)
    assert read(png(wide), narrow) is None
    assert read(png(picture("rgb", 8, 8, 1)), narrow) is None


@given(at=st.integers(0, 10_000), flip=st.integers(1, 255))
def test_a_flipped_byte_anywhere_is_seen(at: int, flip: int) -> None:
    written = picture("rgb", 8, 8, 2)
    data = bytearray(png(written))
    data[at % len(data)] ^= flip
    assert read(bytes(data), written) is None


@given(kept=st.integers(0, 10_000))
def test_a_part_of_a_picture_is_none(kept: int) -> None:
    written = picture("depth", 8, 8, 3)
    data = png(written)
    assert read(data[: kept % len(data)], written) is None
    assert read(data + b"\0", written) is None
