"""The geometry encoders by name; a new one is a subclass of `GeometryEncoder` and one entry here."""

from __future__ import annotations

from collections.abc import Callable

from model.config import NetworkConfig
from model.encoders.base import GeometryEncoder
from model.encoders.sensors import SensorsEncoder
from model.encoders.vggt.encoder import VGGTEncoder

ENCODERS: dict[str, Callable[[NetworkConfig], GeometryEncoder]] = {
    "sensors": SensorsEncoder,
    "vggt": VGGTEncoder,
}
