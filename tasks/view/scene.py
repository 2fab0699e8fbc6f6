"""A building by its seed or its file, with a simulator to look into it where that is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tasks.collect.simulator import SceneGraph, Simulator


@dataclass(frozen=True)
class Scene:
    """What is to be drawn."""

    title: str
    graph: SceneGraph
    simulator: Simulator | None


def scene_of(building: str, rooms: tuple[int, int], render: bool) -> Scene:
    """The building of a seed (`7` or `b7` a home, `h7` a hall, `d7` two floors) or of a scene file.

    The plan of a seed needs no renderer. `rooms`: fewest and most of a building that is made.
    Raises UsageError for what is neither.
    """
    from tasks.collect.embedded.imported import is_file
    from tasks.collect.embedded.simulator import EmbeddedSimulator, building_of, scene_id

    name = scene_id(int(building)) if building.isdigit() else building
    if not render and not is_file(name):
        return Scene(name, building_of(name, rooms).graph, None)
    simulator = EmbeddedSimulator(rooms)
    simulator.load(name)
    return Scene(Path(name).name, simulator.graph, simulator if render else None)
