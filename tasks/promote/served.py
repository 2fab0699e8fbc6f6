"""Travels with every registered model: how MLflow turns the checkpoint's files into something that predicts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from model.predict import Predictor


class Served:
    """A checkpoint behind MLflow's `predict`: a dict of arrays in, a dict of arrays out (`Predictor.answer`)."""

    def __init__(self, predictor: Predictor) -> None:
        self.predictor = predictor

    def predict(self, data: dict[str, Any]) -> dict[str, Any]:
        """Heatmaps of a batch of views."""
        return self.predictor.answer(**data)


def _load_pyfunc(path: str) -> Served:
    """MLflow's entry into a loader module; `path` is the folder of the checkpoint's files, two below the model's.

    Raises `DataError` for a model that is not signed by a trusted key, or was changed since.
    """
    from model.predict import Predictor
    from model.signature import require_signed
    from model.training.checkpoint import CheckpointFiles

    files = Path(path).resolve()
    require_signed(files.parents[1])
    return Served(Predictor.load(CheckpointFiles.inside(files)))
