"""The box world on disk, opened: for tests of what reads walks or trains on them."""

from __future__ import annotations

from pathlib import Path

from model.data.walks import DatasetFiles, WalkDataset, open_dataset
from tests.box_world import write_dataset


def box_walks(folder: Path, scenes: dict[str, int], **how: int) -> WalkDataset:
    """A new dataset in `folder`, written and opened."""
    return open_dataset(DatasetFiles.inside(write_dataset(folder, scenes, **how)))
