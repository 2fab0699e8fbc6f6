"""A video read once, from its start to the current view, in memory that does not grow with its length."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from model.errors import DataError, UsageError
from model.framing import Fit, Framing
from model.quiet import quiet_stderr

SHOWN = 640
"""Pixels of the longer side of the pictures that are kept to be shown."""

QUALITY = 90
"""Of the JPEG that they are kept as."""

DECODED = 0.9
"""Share of the frames that a file promises below which it is said to be damaged."""

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Moment:
    """One frame that was kept."""

    frame: int
    """Number of the frame in the video, from 0."""
    seconds: float
    """Since the video's start."""
    seen: Pixels
    """[size, size, 3] RGB: what the network sees."""
    shown: bytes
    """The whole picture as JPEG, at most `SHOWN` pixels a side."""

    def picture(self) -> Pixels:
        """[h, w, 3] RGB: the whole picture."""
        return np.asarray(cv2.imdecode(np.frombuffer(self.shown, np.uint8), cv2.IMREAD_COLOR_RGB))


@dataclass(frozen=True)
class Footage:
    """What is kept of a video."""

    past: tuple[Moment, ...]
    """Evenly spread over the frames before the current view, in order of time; the first frame is always there."""
    current: Moment
    picture: Pixels
    """[H, W, 3] RGB: the current view at its full size."""
    framing: Framing
    """Which square of the picture the network sees."""
    fps: float
    """Frames a second that the file names; 0 = it names none."""
    notes: tuple[str, ...] = ()
    """Sentences on what is odd about the file."""


def watch(
    path: Path,
    size: int,
    *,
    fit: Fit = "crop",
    limit: int = 128,
    until: int | None = None,
    each: Callable[[], object] = lambda: None,
) -> Footage:
    """Decode a video from its start to frame `until` (none = its last), and keep at most `limit` frames before it.

    Pictures come as players show them: turned as the file's metadata say, transparency left out. `each` is called
    after every frame.

    Raises:
        UsageError: no such file, or a current view that the video does not have or that has nothing before it.
        DataError: what is no video, or cannot be decoded.
    """
    keeper = _Keeper(size, fit, limit)
    with _opened(path) as capture:
        promised, fps = capture.get(cv2.CAP_PROP_FRAME_COUNT), capture.get(cv2.CAP_PROP_FPS)
        for number, seconds, picture in _frames(capture, fps, until):
            keeper.see(number, seconds, picture)
            each()
    count = keeper.count
    if count == 0:
        raise DataError(f"{path} holds no picture that can be decoded: record or convert it again.")
    if until is not None and until >= count:
        raise UsageError(f"{path} has {count} frames: name a current view between 1 and {count - 1}, not {until}.")
    if count == 1:
        raise UsageError(
            f"{path} has no frame before the current view, so there is nothing to remember: at least two are needed."
        )
    notes: tuple[str, ...] = ()
    if until is None and math.isfinite(promised) and count < DECODED * promised:
        notes = (f"{path} says that it has {promised:.0f} frames, but only {count} could be decoded: it is damaged.",)
    return keeper.footage(fps if math.isfinite(fps) and fps > 0 else 0.0, notes)


def promised_frames(path: Path) -> int:
    """How many frames a video's header speaks of; 0 where it does not say. Raises as `watch` does."""
    with _opened(path) as capture:
        promised = capture.get(cv2.CAP_PROP_FRAME_COUNT)
    return int(promised) if math.isfinite(promised) and promised > 0 else 0


class _Keeper:
    """Keeps every n-th frame, and doubles n whenever too many are kept."""

    def __init__(self, size: int, fit: Fit, limit: int) -> None:
        self.size, self.fit, self.limit = size, fit, limit
        self.stride, self.count = 1, 0
        self.kept: list[Moment] = []
        self.framing: Framing | None = None
        self.latest: tuple[int, float, Pixels] | None = None

    def see(self, number: int, seconds: float, picture: Pixels) -> None:
        """Take note of the next frame."""
        if self.framing is None:
            self.framing = Framing.of(picture.shape[1], picture.shape[0], self.fit)
        elif picture.shape[:2] != (self.framing.height, self.framing.width):
            # A stream may change its size on the way.
            picture = np.asarray(cv2.resize(picture, (self.framing.width, self.framing.height)))
        self.count, self.latest = number + 1, (number, seconds, picture)
        if number % self.stride == 0:
            self.kept.append(self._moment(number, seconds, picture))
        if len(self.kept) > 2 * self.limit:
            self.stride *= 2
            self.kept = self.kept[::2]

    def footage(self, fps: float, notes: tuple[str, ...]) -> Footage:
        """What was kept, at most `limit` frames before the latest, which is the current view."""
        assert self.latest is not None and self.framing is not None
        current = self._moment(*self.latest)
        before = [moment for moment in self.kept if moment.frame < current.frame]
        chosen = np.round(np.linspace(0, len(before) - 1, min(self.limit, len(before)))).astype(int)
        picture = cv2.cvtColor(self.latest[2], cv2.COLOR_BGR2RGB)
        return Footage(
            tuple(before[i] for i in chosen.tolist()), current, np.asarray(picture), self.framing, fps, notes
        )

    def _moment(self, number: int, seconds: float, picture: Pixels) -> Moment:
        assert self.framing is not None
        scale = min(1.0, SHOWN / max(picture.shape[:2]))
        small = picture if scale == 1 else cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        shown = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes()
        seen = np.ascontiguousarray(self.framing.square(picture, self.size)[..., ::-1])
        return Moment(number, seconds, seen, shown)


@contextmanager
def _opened(path: Path) -> Iterator[cv2.VideoCapture]:
    _check_readable(path)
    with quiet_stderr():
        capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    try:
        if not capture.isOpened():
            raise DataError(f"{path} is no video that can be read, or it is damaged: record or convert it again.")
        yield capture
    finally:
        capture.release()


def _check_readable(path: Path) -> None:
    """OpenCV says no more than that it cannot."""
    try:
        if not path.exists():
            raise UsageError(f"There is no video {path}: check the path.")
        if not path.is_file():
            raise UsageError(f"{path} is no file: name a video file.")
        with path.open("rb") as file:
            empty = not file.read(1)
    except OSError as error:
        raise UsageError(f"The video {path} cannot be read: {error.strerror}.") from error
    if empty:
        raise DataError(f"{path} is empty (0 bytes): record or copy it again.")


def _frames(capture: cv2.VideoCapture, fps: float, until: int | None) -> Iterator[tuple[int, float, Pixels]]:
    """Number, seconds and BGR pixels of the frames 0 .. `until`; ends where the file does."""
    number, latest = 0, 0.0
    while until is None or number <= until:
        with quiet_stderr():
            there, picture = capture.read()
        if not there:
            return
        told = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
        # Some containers name no times: then the frame's number over the rate has to do.
        latest = told if told > latest else max(latest, number / fps if fps > 0 else float(number))
        yield number, latest, np.asarray(picture)
        number += 1
