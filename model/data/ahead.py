"""Brings a dataset's shards to this machine in the order in which training will read them, beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

TRANSFERS = 4
"""Shards on their way at a time."""


class ShardsAhead:
    """Asks for shards from threads of its own. Begin after loader processes were forked: a fork copies no thread.

    A shard that cannot be had is passed over here: whoever reads it meets the same error, and tells it.
    """

    def __init__(self, shards: Mapping[str, Path], names: Sequence[str]) -> None:
        self._pool = ThreadPoolExecutor(TRANSFERS, "shards-ahead")
        for name in names:
            self._pool.submit(shards.__getitem__, name)

    def close(self) -> None:
        """Begin no further transfer, and wait for those that are on their way."""
        self._pool.shutdown(cancel_futures=True)
