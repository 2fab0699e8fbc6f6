"""habitat-lab's sensors over what our simulators see. Import after `lab.prepare()`."""

from __future__ import annotations

from typing import Any

import numpy as np
from gym import spaces
from habitat.core.simulator import DepthSensor, RGBSensor, SemanticSensor, Sensor, SensorTypes
from numpy.typing import NDArray

from tasks.collect.simulator import Observation


class ColourSensor(RGBSensor):
    """[H, W, 3] uint8."""

    def _get_observation_space(self, *_: Any, **__: Any) -> spaces.Box:
        return spaces.Box(0, 255, (self.config.height, self.config.width, 3), np.uint8)

    def get_observation(self, seen: Observation) -> NDArray[np.uint8]:
        """The picture itself."""
        return seen.rgb


class MetricDepthSensor(DepthSensor):
    """[H, W, 1] float32: z-depth, clipped and normalised as habitat-lab's configuration says."""

    def _get_observation_space(self, *_: Any, **__: Any) -> spaces.Box:
        low, high = (0.0, 1.0) if self.config.normalize_depth else (self.config.min_depth, self.config.max_depth)
        return spaces.Box(low, high, (self.config.height, self.config.width, 1), np.float32)

    def get_observation(self, seen: Observation) -> NDArray[np.float32]:
        """Depth as habitat-lab's own depth sensor gives it."""
        low, high = self.config.min_depth, self.config.max_depth
        depth = np.clip(seen.depth, low, high)
        return ((depth - low) / (high - low) if self.config.normalize_depth else depth)[..., None].astype(np.float32)


class ObjectSensor(SemanticSensor):
    """[H, W, 1] int32 object ids."""

    def _get_observation_space(self, *_: Any, **__: Any) -> spaces.Box:
        return spaces.Box(0, 2**31 - 1, (self.config.height, self.config.width, 1), np.int32)

    def get_observation(self, seen: Observation) -> NDArray[np.int32]:
        """The ids of the scene graph."""
        return seen.semantic[..., None].astype(np.int32)


class PoseSensor(Sensor):
    """The camera's pose [4, 4] (camera-to-world, OpenCV) and intrinsics [3, 3]: what a robot's odometry would tell."""

    def __init__(self, sim: Any, config: Any, **more: Any) -> None:
        self.simulator = sim
        super().__init__(config=config, **more)

    def _get_uuid(self, *_: Any, **__: Any) -> str:
        return "camera"

    def _get_sensor_type(self, *_: Any, **__: Any) -> SensorTypes:
        return SensorTypes.POSITION

    def _get_observation_space(self, *_: Any, **__: Any) -> spaces.Dict:
        box = spaces.Box(-np.inf, np.inf, (4, 4), np.float64)
        return spaces.Dict({"pose": box, "intrinsics": spaces.Box(-np.inf, np.inf, (3, 3), np.float64)})

    def get_observation(self, *_: Any, **__: Any) -> dict[str, NDArray[np.float64]]:
        """Where the camera is now."""
        return {"pose": self.simulator.camera_pose, "intrinsics": self.simulator.camera.intrinsics}
