"""How much procedural buildings differ: rooms, areas, objects, surfaces over many seeds, as a table."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tasks.collect.embedded.building import Building
from tasks.collect.embedded.materials import NAMES
from tasks.collect.embedded.simulator import building_of, scene_id


@dataclass
class Variety:
    """Counts over buildings."""

    rooms: list[int] = field(default_factory=list)
    """Rooms of each building."""
    areas: dict[str, list[float]] = field(default_factory=dict)
    """Square metres by category of room."""
    objects: Counter[str] = field(default_factory=Counter)
    """Objects by category."""
    furnished: list[int] = field(default_factory=list)
    """Pieces of furniture of each building."""
    paints: Counter[str] = field(default_factory=Counter)
    walls: Counter[str] = field(default_factory=Counter)
    floors: Counter[str] = field(default_factory=Counter)
    looks: set[tuple[Any, ...]] = field(default_factory=set)
    """Distinct rooms by paint, wall and floor."""
    styled: int = 0

    def add(self, building: Building) -> None:
        """Count one building."""
        plan, graph = building.plan, building.graph
        self.rooms.append(len(plan.rooms))
        for room, style in zip(plan.rooms, building.styles, strict=True):
            self.areas.setdefault(room.category, []).append(room.cell.area)
            self.paints[style.paint] += 1
            self.walls[NAMES[style.wall_layer]] += 1
            self.floors[NAMES[style.floor_layer]] += 1
            self.looks.add((style.paint, style.wall_layer, style.accent_layer, style.floor_layer, style.floor))
            self.styled += 1
        self.objects.update(thing.category for thing in graph.objects)
        surfaces = ("wall", "floor", "ceiling", "door", "doorway", "window", "ceiling lamp")
        self.furnished.append(sum(thing.category not in surfaces for thing in graph.objects))

    def report(self) -> dict[str, Any]:
        """The counts as figures."""
        return {
            "buildings": len(self.rooms),
            "rooms": spread(self.rooms),
            "furniture": spread(self.furnished),
            "square_metres": {name: spread(values) for name, values in sorted(self.areas.items())},
            "categories": len(self.objects),
            "objects": dict(self.objects.most_common()),
            "paint_entropy_bits": entropy(self.paints),
            "wall_entropy_bits": entropy(self.walls),
            "floor_entropy_bits": entropy(self.floors),
            "distinct_looks_share": round(len(self.looks) / self.styled, 3),
        }


def spread(values: list[Any]) -> list[float]:
    """Least, quartiles and most."""
    return [round(float(v), 1) for v in np.quantile(values, [0, 0.25, 0.5, 0.75, 1])]


def entropy(counts: Counter[str]) -> float:
    """Of a distribution, in bits: 2 to its power is the number of equally frequent kinds that vary as much."""
    share = np.array(list(counts.values())) / counts.total()
    return round(float(-(share * np.log2(share)).sum()), 2)


def variety(buildings: int, rooms: tuple[int, int]) -> Variety:
    """The counts over seeds 0 to `buildings` - 1. Raises UsageError for rooms that no building has."""
    found = Variety()
    for seed in range(buildings):
        found.add(building_of(scene_id(seed), rooms))
    return found


def as_table(report: dict[str, Any]) -> str:
    """The report for people."""
    lines = []
    for name, value in report.items():
        rows = value.items() if isinstance(value, dict) else [("", value)]
        lines += [f"{name:22} {key:18} {figure}" for key, figure in rows]
    return "\n".join(lines)
