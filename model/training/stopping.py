"""Notices that training is to stop: a signal, or the death of the process that started it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from model.errors import BacksightError


class Stopped(BacksightError):
    """Training was told to stop before its last step; its state is kept."""


class Stopper:
    """Whether this process was asked to stop. The engine looks between two updates, so that none is torn."""

    def __init__(self) -> None:
        self._parent = os.getppid()
        self._told = False

    @property
    def wanted(self) -> bool:
        """Whether to stop: told by a signal, or orphaned, so that nobody waits for the outcome."""
        return self._told or os.getppid() != self._parent

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take SIGTERM and SIGINT as a wish to stop, until the end of the block."""
        previous = {number: signal.signal(number, self._tell) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    def _tell(self, number: int, frame: FrameType | None) -> None:
        self._told = True
