"""A small dataset in a folder, made without a simulator."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.box_world import write_dataset


@pytest.fixture(scope="session")
def boxes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two walks of nine frames in a room of each split."""
    splits = {"train": 1, "val_unseen": 1, "sealed": 1}
    return write_dataset(tmp_path_factory.mktemp("boxes") / "dataset", splits, frames=9)
