"""What a served model takes and gives, for MLflow: its signature and an example of its input."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlflow.models import ModelSignature

EXAMPLES, FRAMES = 2, 2
FOCAL_SHARE = 0.5
"""Focal length over image size of the example: a field of view of 90 degrees."""


def image_size(config: Path) -> int:
    """Pixels a side that a checkpoint's `config.json` asks for."""
    from model.config import NetworkConfig

    network = json.loads(config.read_text()).get("network", {})
    return int(network.get("image_size", NetworkConfig.model_fields["image_size"].default))


def signature(size: int) -> ModelSignature:
    """Names, types and shapes; -1 = any number. See `Predictor.answer` for units and frames."""
    import numpy as np
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    taken: dict[str, tuple[str, tuple[int, ...]]] = {
        "rgb": ("uint8", (-1, -1, size, size, 3)),
        "depth": ("float32", (-1, -1, size, size)),
        "pose": ("float64", (-1, -1, 4, 4)),
        "intrinsics": ("float64", (-1, -1, 3, 3)),
        "instruction": ("str", (-1,)),
    }
    given: dict[str, tuple[int, ...]] = {
        "heatmap": (-1, -1, -1, -1),
        "none": (-1, -1),
        "goal": (-1, -1, -1),
        "goal_none": (-1,),
        "turn": (-1, 3),
    }
    return ModelSignature(
        inputs=Schema([TensorSpec(np.dtype(kind), shape, name) for name, (kind, shape) in taken.items()]),
        outputs=Schema([TensorSpec(np.dtype("float32"), shape, name) for name, shape in given.items()]),
    )


def input_example(size: int) -> dict[str, Any]:
    """Two items of a keyframe and a view each: a wall two metres away, seen twice from one place."""
    import numpy as np

    lead = (EXAMPLES, FRAMES)
    ramp = np.linspace(0, 255, size, dtype=np.uint8)
    focal = FOCAL_SHARE * size
    camera = np.array([[focal, 0, size / 2], [0, focal, size / 2], [0, 0, 1]])
    return {
        "rgb": np.broadcast_to(ramp[None, None, :, None, None], (*lead, size, size, 3)).copy(),
        "depth": np.full((*lead, size, size), 2.0, np.float32),
        "pose": np.tile(np.eye(4), (*lead, 1, 1)),
        "intrinsics": np.tile(camera, (*lead, 1, 1)),
        "instruction": np.array(["walk to the wall and stop", "stop"]),
    }
