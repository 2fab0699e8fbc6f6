"""A flow for tests: sleeps."""

from __future__ import annotations

import time

from prefect import flow


@flow
def sleeping(seconds: float) -> None:
    """Sleep so many seconds."""
    time.sleep(seconds)
