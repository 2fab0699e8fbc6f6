"""Habitat-Sim behind the `Simulator` interface: public scenes (MP3D, HM3D, HSSD, ReplicaCAD) and exported buildings.

Needs habitat-sim 0.3.x, which its makers ship through conda or as source, not as a wheel. One engine a process;
`reconfigure` changes the scene in hundredths of a second where opening the first colour sensor takes many seconds.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from model.geometry_numpy import flip_camera
from tasks.collect.camera import Camera
from tasks.collect.egl import cuda_devices
from tasks.collect.embedded.imported import CONFIG, read_graph
from tasks.collect.scene_dataset import check_scene_dataset
from tasks.collect.simulator import DistanceField, Observation, Points, Room, SceneGraph, SceneObject, Simulator
from tasks.errors import DataError, UsageError

if TYPE_CHECKING:
    import habitat_sim

RADIUS, HEIGHT, CELL = 0.18, 1.5, 0.05
"""Of the agent and the navmesh, metres."""
NEAR, FAR = 0.05, 100.0
STEP, STOREY = 0.3, 2.5
"""Most metres of height between two places a step apart; and least between a floor and the next."""
LEAST_AREA = 2.0
"""Square metres of an island of the navmesh below which nobody walks on it."""
SENSORS = ("rgb", "depth", "semantic")
GPU_VARIABLE = "BACKSIGHT_HABITAT_GPU"
"""Names the EGL device that renders; unset = Mesa on the CPU (-1: habitat's default of 0 aborts without CUDA)."""


def engine() -> Any:
    """The module habitat_sim. Raises UsageError saying how to get it."""
    try:
        import habitat_sim
    except ImportError as error:
        raise UsageError(
            f"The simulator `habitat` needs habitat-sim 0.3.x, which is not installed here ({error}): create the conda "
            "environment of images/collector/environment.yaml, or build its source; or collect with simulator "
            "`embedded`."
        ) from error
    return habitat_sim


def gpu_device() -> int:
    """The GPU asked for. Raises UsageError where it is no number, or no EGL device belongs to that GPU.

    habitat-sim itself would end the process without a word to Python.
    """
    value = os.environ.get(GPU_VARIABLE, "-1")
    try:
        device = int(value)
    except ValueError as error:
        raise UsageError(f"{GPU_VARIABLE}={value!r} is no device: give its number, or -1 for the CPU.") from error
    if device >= 0 and device not in (there := cuda_devices()):
        told = f"those that are there: {', '.join(map(str, there))}" if there else "EGL knows no GPU on this machine"
        raise UsageError(f"{GPU_VARIABLE}={device}: there is no such GPU for rendering; {told}; -1 is the CPU.")
    return device


class HabitatSimulator(Simulator):
    """Walks and renders scenes of a scene dataset."""

    def __init__(self, scene_dataset: str | None, size: tuple[int, int]) -> None:
        if scene_dataset:
            check_scene_dataset(Path(scene_dataset))
        self.sim_module = engine()
        self.scene_dataset = scene_dataset
        self.size = size
        self.hfov = 90.0
        self.name = ""
        self.sim: habitat_sim.Simulator
        self.finder: habitat_sim.PathFinder
        self.scene_graph: SceneGraph

    def load(self, scene: str) -> None:
        """See Simulator. Raises DataError where habitat cannot load the scene, or its navmesh has no floor."""
        self.open(scene, Camera(*self.size, self.hfov))
        if scene != self.name:
            self.name = ""
            self.scene_graph = exported_graph(scene) or graph_of(self.sim.semantic_scene)
            self.make_navmesh(scene)
            self.name = scene
        self.smoke_render(scene)

    def open(self, scene: str, camera: Camera) -> None:
        """Start the engine with a scene, or give the running one another scene or field of view."""
        configuration = self.configuration(scene, camera)
        try:
            if hasattr(self, "sim"):
                self.sim.reconfigure(configuration)
            else:
                self.sim = self.sim_module.Simulator(configuration)
        except Exception as error:
            raise DataError(f"habitat-sim cannot load the scene {scene}: {error}") from error
        self.hfov = camera.hfov

    def configuration(self, scene: str, camera: Camera) -> Any:
        """Three sensors in one place, at the camera's own origin: poses name the camera, not a body."""
        module = self.sim_module
        backend = module.SimulatorConfiguration()
        backend.scene_id = scene
        backend.gpu_device_id = gpu_device()
        backend.enable_physics = False
        backend.load_semantic_mesh = True
        if self.scene_dataset:
            backend.scene_dataset_config_file = self.scene_dataset
        agent = module.agent.AgentConfiguration()
        kinds = (module.SensorType.COLOR, module.SensorType.DEPTH, module.SensorType.SEMANTIC)
        agent.sensor_specifications = [
            self.sensor(name, kind, camera) for name, kind in zip(SENSORS, kinds, strict=True)
        ]
        return module.Configuration(backend, [agent])

    def sensor(self, name: str, kind: Any, camera: Camera) -> Any:
        """One pinhole sensor; hfov is horizontal, as in `Camera`."""
        spec = self.sim_module.CameraSensorSpec()
        spec.uuid, spec.sensor_type = name, kind
        spec.resolution = [camera.height, camera.width]
        spec.hfov, spec.near, spec.far = camera.hfov, NEAR, FAR
        spec.position = [0.0, 0.0, 0.0]
        spec.channels = 4 if name == "rgb" else 1
        return spec

    def make_navmesh(self, scene: str) -> None:
        """A navmesh for our agent, and the island on which walks take place.

        It is ours: the engine makes its own anew, for an agent of another size, whenever a field of view changes.
        """
        settings = self.sim_module.NavMeshSettings()
        settings.set_defaults()
        settings.agent_radius, settings.agent_height = RADIUS, HEIGHT
        settings.cell_size = settings.cell_height = CELL
        self.finder = finder = self.sim_module.PathFinder()
        made = self.sim.recompute_navmesh(finder, settings) and finder.is_loaded
        areas = [float(finder.island_area(i)) for i in range(finder.num_islands)] if made else []
        if not areas:
            raise DataError(f"The scene {scene} has no floor on which an agent could stand.")
        things = np.array([thing.centre[1] for thing in self.scene_graph.objects])
        self.island = inner_island(areas, [self.height_of(i, area) for i, area in enumerate(areas)], things)

    def height_of(self, island: int, area: float) -> float:
        """Median height of an island's random points, metres; inf for those too small to matter."""
        if area < LEAST_AREA:
            return np.inf
        finder = self.finder
        finder.seed(0)
        points = np.array([finder.get_random_navigable_point(island_index=island) for _ in range(20)], dtype=float)
        return float(np.nanmedian(points[:, 1]))

    def smoke_render(self, scene: str) -> None:
        """One frame before work starts: EGL in containers fails late and silently."""
        place = self.navigable_points(1, np.random.default_rng(0))[0]
        pose = np.diag([1.0, -1.0, -1.0, 1.0])
        pose[:3, 3] = place + np.array([0, 1.2, 0])
        if not self.render(pose, Camera(*self.size, self.hfov)).depth.any():
            raise DataError(f"habitat-sim renders nothing in {scene}: check that its EGL device is the CUDA device.")

    @property
    def scene(self) -> str:
        """See Simulator."""
        return self.name

    @property
    def graph(self) -> SceneGraph:
        """See Simulator."""
        return self.scene_graph

    def render(self, pose: Points, camera: Camera) -> Observation:
        """See Simulator. Another field of view or size reconfigures the sensors."""
        if camera.hfov != self.hfov or (camera.width, camera.height) != self.size:
            self.size = (camera.width, camera.height)
            self.open(self.name, camera)
        import quaternion

        habitat = flip_camera(pose)
        state = self.sim_module.AgentState()
        state.position = habitat[:3, 3].astype(np.float32)
        state.rotation = quaternion.from_rotation_matrix(habitat[:3, :3])
        self.sim.get_agent(0).set_state(state)
        seen = self.sim.get_sensor_observations()
        return Observation(
            np.ascontiguousarray(seen["rgb"][..., :3]),
            np.nan_to_num(seen["depth"], posinf=0.0).astype(np.float32),
            seen["semantic"].astype(np.uint16),
        )

    def navigable_points(self, count: int, rng: np.random.Generator, clearance: float = 0.0) -> Points:
        """See Simulator. Seeded from `rng`; where hardly any place has the clearance, what was found serves."""
        finder = self.finder
        finder.seed(int(rng.integers(2**31)))
        found: list[Points] = []
        for attempt in range(50 * count):
            point = np.array(finder.get_random_navigable_point(island_index=self.island), dtype=float)
            late = attempt > 25 * count
            if np.isfinite(point).all() and (late or finder.distance_to_closest_obstacle(single(point)) >= clearance):
                found.append(point)
            if len(found) == count:
                return np.stack(found)
        raise DataError(f"The scene {self.name} gave {len(found)} of {count} places to stand on.")

    def is_clear(self, start: Points, end: Points) -> bool:
        """See Simulator: whether a step without sliding ends where it should; how high, the floor says."""
        reached = np.array(self.finder.try_step_no_sliding(single(start), single(end)), dtype=float)
        aside = np.linalg.norm((reached - end)[[0, 2]])
        return bool(aside < 0.02 and abs(reached[1] - end[1]) < STEP)

    def grounded(self, points: Points) -> Points:
        """See Simulator: the navmesh's height where there is navmesh under (or just above) a point."""
        finder, heights = self.finder, points[:, 1].copy()
        for i, point in enumerate(points):
            snapped = np.array(finder.snap_point(single(point)), dtype=float)
            if np.isfinite(snapped).all() and np.linalg.norm((snapped - point)[[0, 2]]) < 0.02:
                heights[i] = snapped[1] if abs(snapped[1] - point[1]) < STEP else heights[i]
        return np.stack([points[:, 0], heights, points[:, 2]], axis=1)

    def distances_to(self, goal: Points, reach: float = np.inf) -> DistanceField:
        """See Simulator."""
        return NavmeshField(self, goal, reach)

    def shortest_path(self, start: Points, goal: Points) -> Points | None:
        """See Simulator."""
        path = self.sim_module.ShortestPath()
        path.requested_start, path.requested_end = single(start), single(goal)
        return np.array(path.points, dtype=float) if self.finder.find_path(path) else None

    def close(self) -> None:
        """See Simulator."""
        if hasattr(self, "sim"):
            self.sim.close()


class NavmeshField(DistanceField):
    """Distances by one query a point: Recast answers in hundredths of a millisecond."""

    def __init__(self, simulator: HabitatSimulator, goal: Points, reach: float) -> None:
        self.simulator, self.goal, self.reach = simulator, goal, reach

    def at(self, points: Points) -> Points:
        """See DistanceField."""
        finder = self.simulator.finder
        path = self.simulator.sim_module.ShortestPath()
        path.requested_end = single(self.goal)
        metres = np.full(len(points), np.inf)
        for i, point in enumerate(points):
            path.requested_start = single(point)
            if finder.is_navigable(single(point)) and finder.find_path(path):
                metres[i] = path.geodesic_distance
        return np.where(metres <= self.reach, metres, np.inf)


def single(point: Points) -> Any:
    """[3] float32, as the engine's bindings take points."""
    return np.asarray(point, dtype=np.float32)


def inner_island(areas: list[float], heights: list[float], things: Points) -> int:
    """The largest island ([n] square metres, at [n] metres) that is a floor and not a roof.

    Ceilings make roofs walkable, and a roof may be the largest island of all. Above a floor stand things, above a roof
    none do; without things ([m] heights of their middles) the lowest of the large islands is the floor.
    """
    large = [i for i, area in enumerate(areas) if area >= max(LEAST_AREA, 0.2 * max(areas))]
    if not large:
        return int(np.argmax(areas))
    if not len(things):
        return min(large, key=lambda i: heights[i])
    above = {i: np.count_nonzero((things > heights[i]) & (things < heights[i] + STOREY)) for i in large}
    furnished = [i for i in large if above[i] >= 0.2 * max(above.values())]
    return max(furnished, key=lambda i: areas[i])


def exported_graph(scene: str) -> SceneGraph | None:
    """The graph that `export` wrote beside a building: it knows rooms and doors by name, of which habitat's semantic
    descriptor has no word. None for other scenes."""
    written = Path(scene.removesuffix(CONFIG) + ".scene.json")
    return read_graph(written) if scene.endswith(CONFIG) and written.is_file() else None


def graph_of(scene: Any) -> SceneGraph:
    """Rooms and objects of habitat's semantic scene; regions are taken as their boxes, doors are not told apart.

    Objects of no region, as in scenes without any, have room -1.
    """
    regions = {id_of(region): number for number, region in enumerate(scene.regions)}
    rooms = []
    for number, region in enumerate(scene.regions):
        category, box = name_of(region, "room"), region.aabb
        rooms.append(Room(number, category, category, floor_outline(box), float(corners(box)[0, 1])))
    objects = []
    for thing in scene.objects:
        if thing is not None and thing.semantic_id > 0:
            (low, high), name = corners(thing.aabb), name_of(thing, "object")
            room = regions.get(id_of(thing.region), -1) if thing.region is not None else -1
            centre, size = tuple(((low + high) / 2).tolist()), tuple((high - low).tolist())
            objects.append(SceneObject(int(thing.semantic_id), name, name, room, centre, size, 0.0))
    return SceneGraph(tuple(rooms), (), tuple(sorted(objects, key=lambda thing: thing.id)), ())


def id_of(region: Any) -> str:
    """The engine's own name of a region; every access makes another Python object of it."""
    return str(region.id)


def name_of(thing: Any, otherwise: str) -> str:
    """Name of a region's or an object's category."""
    return str(thing.category.name()) if thing.category else otherwise


def corners(box: Any) -> Points:
    """[2, 3] lowest and highest corner of a box: Magnum's Range3D since habitat-sim 0.3, before it a class with
    `center` and `sizes`."""
    if hasattr(box, "min"):
        return np.sort(np.array([box.min, box.max], dtype=float), axis=0)
    centre, half = np.array(box.center, dtype=float), np.abs(np.array(box.sizes, dtype=float)) / 2
    return np.stack([centre - half, centre + half])


def floor_outline(box: Any) -> tuple[tuple[float, float], ...]:
    """The rectangle of a box on the floor."""
    (x0, _, z0), (x1, _, z1) = corners(box).tolist()
    return (x0, z0), (x1, z0), (x1, z1), (x0, z1)
