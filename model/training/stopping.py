"""Notices that training is to stop: a signal, or the death of torchrun's agent."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType

from model.errors import BacksightError


class Stopped(BacksightError):
    """Training was told to stop before its last step; its state is kept."""


class Stopper:
    """Whether this process was asked to stop. The engine looks between two updates, so that none is torn.

    A rank whose torchrun agent died stops too: nobody waits for its outcome any more.
    """

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._agent = os.getppid() if "TORCHELASTIC_RUN_ID" in environment else None
        self._told = False

    @property
    def wanted(self) -> bool:
        """Whether to stop."""
        return self._told or (self._agent is not None and os.getppid() != self._agent)

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
