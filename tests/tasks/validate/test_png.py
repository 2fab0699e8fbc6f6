"""Pictures read strictly, and to the bit as a decoder reads them, however they were written."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.collect.shards import png
from tasks.validate.png import read_png

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


@given(
    kind=st.sampled_from(["rgb", "depth"]), height=st.integers(1, 9), width=st.integers(1, 9), seed=st.integers(0, 99)
)
def test_what_the_collector_writes_is_read_to_the_bit(kind: str, height: int, width: int, seed: int) -> None:
    written = picture(kind, height, width, seed)
    read = read_png(png(written))
    assert read is not None and (read == written).all() and read.dtype.itemsize == written.dtype.itemsize


@pytest.mark.parametrize("kind", ["rgb", "depth"])
@pytest.mark.parametrize("coding", FILTERS)
def test_so_is_what_others_write(kind: str, coding: str) -> None:
    written = picture(kind, 16, 12, 1)
    stored = written[..., ::-1] if kind == "rgb" else written
    read = read_png(cv2.imencode(".png", stored, [cv2.IMWRITE_PNG_FILTER, FILTERS[coding]])[1].tobytes())
    assert read is not None and (read == written).all()


@given(at=st.integers(0, 10_000), flip=st.integers(1, 255))
def test_a_flipped_byte_anywhere_is_seen(at: int, flip: int) -> None:
    data = bytearray(png(picture("rgb", 8, 8, 2)))
    data[at % len(data)] ^= flip
    assert read_png(bytes(data)) is None


@given(kept=st.integers(0, 10_000))
def test_a_part_of_a_picture_is_none(kept: int) -> None:
    data = png(picture("depth", 8, 8, 3))
    assert read_png(data[: kept % len(data)]) is None
    assert read_png(data + b"\0") is None
