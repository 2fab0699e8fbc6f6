"""The one interface behind which buildings are rendered and walked: `embedded` and `habitat` implement it.

World frame: right-handed, metres, y up. Camera poses are OpenCV camera-to-world; an implementation whose engine
thinks otherwise converts inside itself, and nowhere else.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.collect.camera import Camera

Points = NDArray[np.float64]

STEP_UP = 0.3
"""Metres that a foot may be below a floor and still count as on it."""


@dataclass(frozen=True)
class Observation:
    """What a camera sees from one pose."""

    rgb: NDArray[np.uint8]
    """[H, W, 3]."""
    depth: NDArray[np.float32]
    """[H, W] z-depth in metres; 0 = nothing there."""
    semantic: NDArray[np.uint16]
    """[H, W] object ids of the scene graph; 0 = nothing there."""


@dataclass(frozen=True)
class Room:
    """A region of the scene graph."""

    id: int
    category: str
    name: str
    polygon: tuple[tuple[float, float], ...]
    """Floor outline, (x, z) in metres, in order."""
    floor: float = 0.0
    """Height of the floor, y in metres."""

    def contains(self, x: float, z: float) -> bool:
        """Whether the floor outline holds a point (even-odd rule)."""
        inside = False
        for (x0, z0), (x1, z1) in zip(self.polygon, self.polygon[1:] + self.polygon[:1], strict=True):
            if (z0 > z) != (z1 > z) and x < x0 + (z - z0) / (z1 - z0) * (x1 - x0):
                inside = not inside
        return inside


@dataclass(frozen=True)
class SceneObject:
    """A thing with an id in the semantic image."""

    id: int
    category: str
    name: str
    room: int
    """Id of the room that it stands in (a door: the first of its two)."""
    centre: tuple[float, float, float]
    size: tuple[float, float, float]
    """Width, height, depth in metres in its own frame."""
    yaw: float
    """Turn about +y in radians."""


@dataclass(frozen=True)
class Door:
    """A passage between two rooms."""

    id: int
    """Object id of its frame."""
    rooms: tuple[int, int]
    start: tuple[float, float]
    end: tuple[float, float]
    """Ends of the opening on the wall's middle line, (x, z) in metres."""


@dataclass(frozen=True)
class SceneGraph:
    """Rooms, doors and objects of one scene, and its walls as segments: enough to speak of it and to draw its plan."""

    rooms: tuple[Room, ...]
    doors: tuple[Door, ...]
    objects: tuple[SceneObject, ...]
    walls: tuple[tuple[float, float, float, float], ...]
    """(x0, z0, x1, z1) in metres; those of the lowest floor."""
    upper_walls: tuple[tuple[float, float, float, float], ...] = ()
    """The same of the floor above, where there is one."""

    def room_at(self, x: float, z: float, y: float | None = None) -> Room | None:
        """The room whose floor holds the point; None in a doorway or outside.

        Of rooms one above the other it is the highest that is not above someone who stands at `y`.
        """
        here = [room for room in self.rooms if room.contains(x, z)]
        if y is None or len(here) < 2:
            return here[0] if here else None
        under = [room for room in here if room.floor <= y + STEP_UP]
        return max(under or here, key=lambda room: room.floor if under else -room.floor)

    def as_json(self) -> dict[str, Any]:
        """JSON values, as they stand in `scenes.json`; `upper_walls` only where there are some."""
        from dataclasses import asdict

        values = asdict(self)
        if not self.upper_walls:
            del values["upper_walls"]
        return values


class Simulator(ABC):
    """A simulator holds one scene at a time; loading another reuses the engine."""

    @abstractmethod
    def load(self, scene: str) -> None:
        """Make `scene` the current one. Raises DataError where the scene cannot be used (no floor, broken file)."""

    @property
    @abstractmethod
    def scene(self) -> str:
        """Id of the current scene."""

    @property
    @abstractmethod
    def graph(self) -> SceneGraph:
        """Rooms, doors and objects of the current scene."""

    @abstractmethod
    def render(self, pose: Points, camera: Camera) -> Observation:
        """What `camera` sees from `pose` ([4, 4] camera-to-world, OpenCV, metres)."""

    @abstractmethod
    def navigable_points(self, count: int, rng: np.random.Generator, clearance: float = 0.0) -> Points:
        """[count, 3] random standing points, metres, with `clearance` beyond the agent's own radius."""

    @abstractmethod
    def is_clear(self, start: Points, end: Points) -> bool:
        """Whether an agent can walk straight from `start` to `end` ([3] each, metres)."""

    def grounded(self, points: Points) -> Points:
        """The same places ([n, 3], metres) at the height that an agent has there who comes from about theirs."""
        return points

    @abstractmethod
    def distances_to(self, goal: Points, reach: float = np.inf) -> DistanceField:
        """Geodesic distances of the scene to `goal` ([3], metres), known up to `reach` metres."""

    @abstractmethod
    def shortest_path(self, start: Points, goal: Points) -> Points | None:
        """[n, 3] corners of a shortest path, ends included; None where there is none."""

    @abstractmethod
    def close(self) -> None:
        """Give the engine back."""


class DistanceField(ABC):
    """Geodesic distances to one goal: one search, then look-ups."""

    @abstractmethod
    def at(self, points: Points) -> Points:
        """[n] metres from `points` ([n, 3]) to the goal; inf where there is no way (or none within reach)."""
