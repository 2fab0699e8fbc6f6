"""Batches prepared ahead of their use, in loader processes or in this one, in a fixed order."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence

import torch
from torch.utils.data import DataLoader, Dataset

from model.batch import Batch
from model.data.reader import ViewReader
from model.data.views import View
from model.errors import BacksightError

PREFETCH = 4
"""Batches that each loader process keeps ready."""


def training_batches(
    reader: ViewReader, views: Callable[[int], Sequence[View]], first: int, stop: int, workers: int
) -> Iterator[Batch]:
    """The batches of `views(first)` up to `views(stop - 1)`. Raises the `BacksightError` that a loader process met."""
    dataset = _Batches(reader, views)
    if workers == 0:
        return (_raised(dataset[index]) for index in range(first, stop))
    # OpenCV's threads do not survive a fork, and a child that then asks for them waits for ever: end them before it.
    import cv2

    cv2.setNumThreads(1)
    loader = DataLoader(
        dataset,
        batch_size=None,
        sampler=range(first, stop),
        num_workers=workers,
        prefetch_factor=PREFETCH,
        worker_init_fn=_stand_beside,
    )
    return map(_raised, loader)


def view_batches(reader: ViewReader, views: Sequence[View], size: int, workers: int = 0) -> Iterator[Batch]:
    """Every view once, in order, `size` at a time."""
    parts = [views[start : start + size] for start in range(0, len(views), size)]
    return training_batches(reader, parts.__getitem__, 0, len(parts), workers)


class _Batches(Dataset[Batch | BacksightError]):
    """Batch by number. A known failure is returned, not raised: the loader would bury its sentence in a traceback."""

    def __init__(self, reader: ViewReader, views: Callable[[int], Sequence[View]]) -> None:
        self.reader = reader
        self.views = views

    def __getitem__(self, index: int) -> Batch | BacksightError:
        try:
            return self.reader.batch(self.views(index))
        except BacksightError as error:
            return error


def _raised(batch: Batch | BacksightError) -> Batch:
    if isinstance(batch, BacksightError):
        raise batch
    return batch


def _stand_beside(_: int) -> None:
    """Loader processes stand beside training ranks: more threads would only take turns with them.

    A terminal's Ctrl-C goes to the rank's whole group; the rank needs them for its last update and ends them itself,
    with the SIGTERM that torch answers.
    """
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
