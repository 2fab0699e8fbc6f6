"""habitat-lab's own `Env` with its VLN task and measures, over either of our simulators."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from tasks.collect.given import chosen_episodes
from tasks.collect.spec import EpisodeFile
from tasks.navigate import lab

SUCCESS = 3.0
"""Metres from the goal at which R2R-CE and RxR-CE count a stop as success."""
BASE = "benchmark/nav/vln_r2r.yaml"
"""habitat-lab's configuration of R2R in continuous environments."""


@dataclass(frozen=True)
class Setting:
    """What an environment consists of."""

    source: EpisodeFile
    simulator: Literal["embedded", "habitat"] = "embedded"
    scene_dataset: str = "default"
    """habitat: path of the scene_dataset_config.json."""
    rooms: tuple[int, int] = (4, 10)
    """embedded: of buildings named b<seed>."""
    size: tuple[int, int] = (64, 64)
    hfov: float = 90.0
    """Degrees."""
    height: float = 1.25
    """Of the camera above the floor, metres."""
    pitch: float = 0.0
    """Degrees, up is positive."""
    forward_step: float = 0.25
    turn: int = 15
    """Degrees."""
    steps: int = 500
    """Most actions of an episode."""
    success_distance: float = SUCCESS


def open_env(setting: Setting) -> Any:
    """A `habitat.core.env.Env`; its observations are rgb, depth, instruction and camera, its metrics those of VLN-CE.

    Raises UsageError without habitat-lab, DataError for a file that is no episode file.
    """
    lab.prepare()
    register(setting.rooms)
    from habitat.core.env import Env

    config = configuration(setting)
    if own_loader(setting.source):
        return Env(config)
    from tasks.navigate.lab_dataset import GivenDataset

    return Env(config, GivenDataset(setting.source))


def own_loader(source: EpisodeFile) -> bool:
    """Whether habitat-lab's own loader of R2R files reads this one, all of it, as it is."""
    plain = not (source.scenes or source.languages or source.roles)
    episodes = chosen_episodes(source)
    return plain and Path(source.path).suffix == ".gz" and all(episode.kind == "R2R" for episode in episodes)


def register(rooms: tuple[int, int]) -> None:
    """Tell habitat-lab of our simulators, sensors and measure; again with other `rooms` replaces them."""
    from habitat.core.registry import registry

    from tasks.navigate import lab_measures, lab_sensors, lab_simulator

    embedded = type("EmbeddedLabSimulator", (lab_simulator.EmbeddedLabSimulator,), {"rooms": rooms})
    registry.register_simulator(embedded, name="Backsight-embedded-v0")
    registry.register_simulator(lab_simulator.HabitatLabSimulator, name="Backsight-habitat-v0")
    registry.register_sensor(lab_sensors.ColourSensor, name="BacksightRGBSensor")
    registry.register_sensor(lab_sensors.MetricDepthSensor, name="BacksightDepthSensor")
    registry.register_sensor(lab_sensors.ObjectSensor, name="BacksightSemanticSensor")
    registry.register_sensor(lab_sensors.PoseSensor, name="BacksightPoseSensor")
    registry.register_measure(lab_measures.NormalisedWarping, name="BacksightNDTW")


def configuration(setting: Setting) -> Any:
    """habitat-lab's configuration: its R2R benchmark with our simulator, camera, files and nDTW."""
    from habitat.config import read_write
    from habitat.config.default import get_config
    from habitat.config.default_structured_configs import LabSensorConfig

    from tasks.navigate.lab_measures import NormalisedWarpingConfig

    config = get_config(BASE)
    with read_write(config):
        habitat = config.habitat
        habitat.environment.max_episode_steps = setting.steps
        iterate = habitat.environment.iterator_options
        iterate.cycle, iterate.shuffle, iterate.group_by_scene = False, False, True
        habitat.dataset.data_path = str(Path(setting.source.path).resolve())
        habitat.dataset.scenes_dir = setting.source.scenes_dir
        simulator = habitat.simulator
        simulator.type = f"Backsight-{setting.simulator}-v0"
        simulator.scene_dataset = setting.scene_dataset
        simulator.forward_step_size, simulator.turn_angle = setting.forward_step, setting.turn
        sensors = simulator.agents.main_agent.sim_sensors
        for name, kind in (("rgb_sensor", "BacksightRGBSensor"), ("depth_sensor", "BacksightDepthSensor")):
            sensor = sensors[name]
            sensor.type, (sensor.width, sensor.height), sensor.hfov = kind, setting.size, round(setting.hfov)
            sensor.position = [0.0, setting.height, 0.0]
            sensor.orientation = [float(np.radians(setting.pitch)), 0.0, 0.0]
        sensors.depth_sensor.normalize_depth, sensors.depth_sensor.max_depth = False, 65.0
        task = habitat.task
        task.lab_sensors.camera = LabSensorConfig(type="BacksightPoseSensor")
        task.measurements.success.success_distance = setting.success_distance
        task.measurements.ndtw = NormalisedWarpingConfig()
    return config


@contextlib.contextmanager
def environment(setting: Setting) -> Iterator[Any]:
    """`open_env`, closed again at the end."""
    env = open_env(setting)
    try:
        yield env
    finally:
        env.close()
