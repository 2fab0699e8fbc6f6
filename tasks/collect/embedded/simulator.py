"""The embedded simulator: procedural buildings behind the `Simulator` interface.

Scene ids are `b<seed>` (a home), `h<seed>` (a hall) or `d<seed>` (two floors), or the path of a GLB or a stage config.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from tasks.collect.camera import Camera
from tasks.collect.embedded.building import Building, build
from tasks.collect.embedded.floors import Grid, grid_of
from tasks.collect.embedded.imported import SceneFiles, is_file, read_scene
from tasks.collect.embedded.kinds import BY_LETTER, KINDS
from tasks.collect.embedded.rays import RayRenderer
from tasks.collect.embedded.renderer import NoDevice, Renderer
from tasks.collect.simulator import DistanceField, Observation, Points, SceneGraph, Simulator
from tasks.errors import DataError, UsageError

ROOMS = (4, 20)
"""Least and most that a procedural building can be asked for."""

LEAST_FLOOR = 4.0
"""Square metres on which an agent can stand; less is no building to walk in."""


def scene_id(seed: int) -> str:
    """Id of a seed's building."""
    return f"b{seed}"


def building_of(scene: str, rooms: tuple[int, int]) -> Building:
    """The building that a scene id names, with fewest and most `rooms`. Raises UsageError for what there is not."""
    if not ROOMS[0] <= rooms[0] <= rooms[1] <= ROOMS[1]:
        raise UsageError(f"Rooms {rooms[0]} to {rooms[1]} must be ordered and lie within {ROOMS[0]}..{ROOMS[1]}.")
    kind, seed = BY_LETTER.get(scene[:1]), scene[1:]
    if kind is None or not seed.isdigit():
        known = ", ".join(f"{kind.letter}17 ({name})" for name, kind in KINDS.items())
        raise UsageError(
            f"{scene!r} is no scene of the embedded simulator: name a seed's building, such as {known}, "
            "or the path of a GLB or a stage config."
        )
    return build(int(seed), rooms, kind)


def open_renderer() -> Renderer | RayRenderer:
    """The GL renderer; where no GL can be had, rays, and a line on stderr that says so.

    Raises UsageError where neither can be, or the EGL device that was asked for is not there.
    """
    try:
        return Renderer()
    except NoDevice:
        raise
    except UsageError as no_gl:
        try:
            rays = RayRenderer()
        except UsageError as no_rays:
            raise UsageError(f"{no_gl} {no_rays}") from no_gl
        print(f"Drawing with rays on the CPU, some thirty times slower: {no_gl}", file=sys.stderr, flush=True)
        return rays


class EmbeddedSimulator(Simulator):
    """Builds, draws and walks one building at a time; the GL context is opened once."""

    def __init__(self, rooms: tuple[int, int] = (4, 10)) -> None:
        self.rooms = rooms
        self.renderer = open_renderer()
        self.name = ""
        self.scene_graph: SceneGraph
        self.grid: Grid

    def load(self, scene: str) -> None:
        """See Simulator. Raises DataError where too little floor is left to walk on."""
        files = read_scene(Path(scene)) if is_file(scene) else self.built(scene)
        self.grid, self.scene_graph = files.grid, files.graph
        if self.grid.area < LEAST_FLOOR:
            raise DataError(
                f"Scene {scene} has {self.grid.area:.1f} square metres of connected floor; {LEAST_FLOOR} are needed."
            )
        self.renderer.show(files.mesh)
        self.name = scene

    def built(self, scene: str) -> SceneFiles:
        """A procedural building."""
        building = building_of(scene, self.rooms)
        return SceneFiles(building.mesh, building.graph, grid_of(building))

    @property
    def scene(self) -> str:
        """See Simulator."""
        return self.name

    @property
    def graph(self) -> SceneGraph:
        """See Simulator."""
        return self.scene_graph

    def render(self, pose: Points, camera: Camera) -> Observation:
        """See Simulator."""
        return self.renderer.draw(pose, camera)

    def navigable_points(self, count: int, rng: np.random.Generator, clearance: float = 0.0) -> Points:
        """See Simulator. Where no cell has the clearance, those with the most of it serve."""
        return self.grid.places(count, rng, clearance)

    def grounded(self, points: Points) -> Points:
        """See Simulator."""
        return self.grid.grounded(points)

    def is_clear(self, start: Points, end: Points) -> bool:
        """See Simulator."""
        return self.grid.is_clear(start, end)

    def distances_to(self, goal: Points, reach: float = np.inf) -> DistanceField:
        """See Simulator."""
        return self.grid.field(goal, reach)

    def shortest_path(self, start: Points, goal: Points) -> Points | None:
        """See Simulator."""
        return self.grid.path(start, goal)

    def close(self) -> None:
        """See Simulator."""
        self.renderer.close()
