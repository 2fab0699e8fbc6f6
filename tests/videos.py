"""Small videos whose frames can be told apart: each of one grey, with a white corner that says which way is up."""

from __future__ import annotations

import struct
from pathlib import Path

import cv2
import numpy as np

STEP = 8
"""By how much each frame is brighter than the one before."""


def frame(number: int, width: int, height: int) -> np.ndarray:
    """Grey with a white square in the upper left corner."""
    picture = np.full((height, width, 3), 20 + STEP * (number % 25), np.uint8)
    picture[: height // 4, : width // 4] = 255
    return picture


def write_video(
    path: Path, frames: int, width: int = 96, height: int = 64, fps: float = 10, codec: str = "mp4v"
) -> Path:
    """Frames 0 .. `frames` - 1."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), fps, (width, height))
    assert writer.isOpened()
    for number in range(frames):
        writer.write(frame(number, width, height))
    writer.release()
    return path


def number_of(picture: np.ndarray) -> int:
    """Which frame a picture shows, from the brightness of its middle."""
    height, width = picture.shape[:2]
    middle = picture[height // 2 - 2 : height // 2 + 2, width // 2 - 2 : width // 2 + 2].mean()
    return round((float(middle) - 20) / STEP)


def turn_by_a_quarter(path: Path) -> None:
    """Let an MP4's header say that players shall turn its pictures clockwise, as phones write it."""
    data = bytearray(path.read_bytes())
    # A track header of version 0: its matrix of nine fixed-point numbers begins 40 bytes after its flags' start.
    start = data.index(b"tkhd") + 4 + 40
    data[start : start + 36] = struct.pack(">9i", 0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
