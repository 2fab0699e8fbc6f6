"""The network's config: sizes that do not fit are refused with the key that is wrong."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from model.config import NetworkConfig


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"grid": 12}, "network.grid must be a multiple of network.patches"),
        ({"encoders": ("sensors", "sensors")}, "names an encoder twice"),
        ({"encoders": ("sonar",)}, "sensors"),
        ({"language": {"merge": 3}}, "network.patches must be a multiple of network.language.merge"),
        ({"language": {"width": 100, "heads": 3}}, "language.width must be heads times a multiple of 4"),
        ({"head": {"width": 10, "heads": 4}}, "network.head.width must be a multiple of network.head.heads"),
        ({"head": {"alignment_layer": 9}}, "beyond network.language.depth"),
        ({"vggt": {"image_size": 60}}, "multiples of vggt.patch_size"),
        ({"vggt": {"dpt_layers": (0, 0, 1, 7)}}, "beyond vggt.depth"),
        ({"keyframes": 0}, "greater than or equal to 1"),
        ({"keyframs": 6}, "keyframs"),
    ],
)
def test_wrong_sizes_are_refused(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        NetworkConfig.model_validate(wrong)


def test_config_survives_json() -> None:
    for config in (NetworkConfig(), NetworkConfig.published()):
        assert NetworkConfig.model_validate_json(config.model_dump_json()) == config
