"""Our simulators as a simulator of habitat-lab: one agent with one camera. Import after `lab.prepare()`.

Steps do not slide: one that is not clear is not taken, and counts as a collision. So VLN-CE's RxR task walks, too.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import quaternion
from gym import spaces
from habitat.config.default import get_agent_config
from habitat.core.registry import registry
from habitat.core.simulator import AgentState, Observations, SensorSuite
from habitat.core.simulator import Simulator as LabBase
from habitat.sims.habitat_simulator.actions import HabitatSimActions
from numpy.typing import NDArray

from tasks.collect.camera import Camera, yaw_quaternion
from tasks.collect.episodes import eye_pose
from tasks.collect.simulator import DistanceField, Observation, Points, Simulator
from tasks.collect.walking import Stance, Walker


class LabSimulator(LabBase, ABC):
    """Holds one of our simulators; scene, start and camera come from habitat-lab's configuration."""

    def __init__(self, config: Any) -> None:
        self.habitat_config = config
        sensors = get_agent_config(config).sim_sensors.values()
        self.suite = SensorSuite([registry.get_sensor(sensor.type)(config=sensor) for sensor in sensors])
        self.camera, self.height, self.pitch = camera_of(sensors)
        self.own = self.open(config)
        self.random = np.random.default_rng(config.seed)
        self.collided = False
        self.stance = Stance(np.zeros(3), 0.0)
        self.fields: dict[tuple[float, ...], DistanceField] = {}
        self.show(config.scene)

    @abstractmethod
    def open(self, config: Any) -> Simulator:
        """The simulator behind it."""

    def show(self, scene: str) -> None:
        """Load a scene unless it is the current one."""
        if self.own.scene != scene:
            self.own.load(scene)
            self.fields.clear()

    @property
    def sensor_suite(self) -> SensorSuite:
        """What `reset` and `step` observe with."""
        return self.suite

    @property
    def action_space(self) -> spaces.Discrete:
        """Stop, forward, left, right."""
        return spaces.Discrete(4)

    @property
    def camera_pose(self) -> NDArray[np.float64]:
        """[4, 4] camera-to-world, OpenCV."""
        return eye_pose(self.stance, self.height, self.pitch)

    def observe(self) -> Observations:
        """What the sensors see from here."""
        seen: Observation = self.own.render(self.camera_pose, self.camera)
        return self.suite.get_observations(seen)

    def reconfigure(self, config: Any, episode: Any = None) -> None:
        """Another episode: its scene, and where its agent starts."""
        self.habitat_config = config
        self.show(config.scene)
        # A field is of one goal; the next episode has another.
        self.fields.clear()
        agent = get_agent_config(config)
        if agent.is_set_start_state:
            self.set_agent_state(agent.start_position, agent.start_rotation)

    def reset(self) -> Observations:
        """The first observations of the episode."""
        self.collided = False
        return self.observe()

    def step(self, action: int | None) -> Observations:
        """Take one action (None: just look)."""
        walker = self.walker()
        self.collided = False
        if action == HabitatSimActions.move_forward:
            self.collided = not self.own.is_clear(self.stance.position, walker.ahead(self.stance.heading))
            if not self.collided:
                walker.act("forward")
        elif action == HabitatSimActions.turn_left:
            walker.act("left")
        elif action == HabitatSimActions.turn_right:
            walker.act("right")
        self.stance = walker.stance
        return self.observe()

    def walker(self) -> Walker:
        """A walker that stands where the agent does and moves as it does."""
        settings = self.habitat_config
        return Walker(self.own, self.stance, settings.forward_step_size, float(np.radians(settings.turn_angle)), 10**6)

    def step_physics(self, seconds: float) -> None:
        """Nothing moves by itself."""

    def seed(self, seed: int) -> None:
        """Of `sample_navigable_point`."""
        self.random = np.random.default_rng(seed)

    def distances_to(self, goal: Any) -> DistanceField:
        """The distance field of a goal, one search an episode."""
        key = tuple(float(v) for v in goal)
        if key not in self.fields:
            self.fields[key] = self.own.distances_to(np.array(key))
        return self.fields[key]

    def geodesic_distance(self, position_a: Any, position_b: Any, episode: Any = None) -> float:
        """Metres to the nearest of the goals `position_b` (one or several); inf where there is no way."""
        goals = np.atleast_2d(np.asarray(position_b, dtype=float))
        start = np.asarray(position_a, dtype=float)[None]
        return min(float(self.distances_to(goal).at(start)[0]) for goal in goals)

    def get_straight_shortest_path_points(self, position_a: Any, position_b: Any) -> list[Any]:
        """Corners of a shortest path; empty where there is none."""
        path = self.own.shortest_path(np.asarray(position_a, dtype=float), np.asarray(position_b, dtype=float))
        return [] if path is None else list(path)

    def get_agent_state(self, agent_id: int = 0) -> AgentState:
        """Where the agent stands; its rotation is a turn about +y."""
        x, y, z, w = yaw_quaternion(self.stance.heading)
        return AgentState(self.stance.position.copy(), quaternion.from_float_array([w, x, y, z]))

    def set_agent_state(self, position: Any, rotation: Any, agent_id: int = 0, reset_sensors: bool = True) -> bool:
        """Put the agent elsewhere; `rotation` is a quaternion, or its numbers `[x, y, z, w]`."""
        y, w = (rotation.y, rotation.w) if hasattr(rotation, "w") else (rotation[1], rotation[3])
        self.stance = Stance(np.asarray(position, dtype=float), 2 * float(np.arctan2(y, w)))
        return True

    def get_observations_at(self, position: Any, rotation: Any, keep_agent_at_new_pose: bool = False) -> Observations:
        """What would be seen from elsewhere."""
        before = self.stance
        self.set_agent_state(position, rotation)
        seen = self.observe()
        if not keep_agent_at_new_pose:
            self.stance = before
        return seen

    def sample_navigable_point(self) -> list[float]:
        """A random place to stand."""
        return [float(v) for v in self.own.navigable_points(1, self.random)[0]]

    def is_navigable(self, point: Any) -> bool:
        """Whether an agent can stand there."""
        place: Points = np.asarray(point, dtype=float)
        return self.own.is_clear(place, place)

    @property
    def previous_step_collided(self) -> bool:
        """Whether the last step forward was refused."""
        return self.collided

    @property
    def up_vector(self) -> NDArray[np.float64]:
        """+y."""
        return np.array([0.0, 1.0, 0.0])

    @property
    def forward_vector(self) -> NDArray[np.float64]:
        """-z."""
        return np.array([0.0, 0.0, -1.0])

    def render(self, mode: str = "rgb") -> Any:
        """The picture of one sensor."""
        return self.observe()[mode]

    def close(self, destroy: bool = True) -> None:
        """Give the engine back."""
        self.own.close()


class EmbeddedLabSimulator(LabSimulator):
    """Procedural buildings and exported ones."""

    rooms: tuple[int, int] = (4, 10)

    def open(self, config: Any) -> Simulator:
        """The embedded simulator; `rooms` of the class say how large the buildings of `b<seed>` are."""
        from tasks.collect.embedded.simulator import EmbeddedSimulator

        return EmbeddedSimulator(self.rooms)


class HabitatLabSimulator(LabSimulator):
    """Public scenes on habitat-sim, rendered and walked as when they were collected."""

    def open(self, config: Any) -> Simulator:
        """habitat-sim with the scene dataset of the configuration."""
        from tasks.collect.habitat import HabitatSimulator

        dataset = None if config.scene_dataset == "default" else config.scene_dataset
        return HabitatSimulator(dataset, (self.camera.width, self.camera.height))


def camera_of(sensors: Any) -> tuple[Camera, float, float]:
    """Camera, height in metres and pitch in radians of an agent's sensors, which must share them."""
    first, *others = sensors
    for sensor in others:
        if [sensor[key] for key in SHARED] != [first[key] for key in SHARED]:
            raise ValueError(f"the sensors must share {', '.join(SHARED)}: one camera takes all pictures")
    return Camera(first.width, first.height, float(first.hfov)), float(first.position[1]), float(first.orientation[0])


SHARED = ("width", "height", "hfov", "position", "orientation")
