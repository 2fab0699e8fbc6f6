"""How rooms fill a footprint: cut from one block, along a hallway, or along two hallways at a right angle."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tasks.collect.embedded.rooms import Rect, shared_edge, snap


def treemap(rng: np.random.Generator, areas: list[float]) -> list[Rect]:
    """Cells of the given areas, cut from one rectangle by halving the list again and again."""
    total = sum(areas)
    width = np.sqrt(total * rng.uniform(1.0, 1.7))
    order = [int(i) for i in rng.permutation(len(areas))]
    cells: dict[int, Rect] = {}
    cut(rng, Rect(0.0, 0.0, snap(width), snap(total / width)), order, areas, cells)
    return [cells[i] for i in range(len(areas))]


def cut(rng: np.random.Generator, rect: Rect, order: list[int], areas: list[float], cells: dict[int, Rect]) -> None:
    """Fill `cells` for the rooms in `order` by cutting `rect` across its longer side, in proportion to the areas."""
    if len(order) == 1:
        cells[order[0]] = rect
        return
    total = sum(areas[i] for i in order)
    shares = np.cumsum([areas[i] for i in order]) / total
    at = int(np.argmin(np.abs(shares[:-1] - 0.5))) + 1
    share = float(shares[at - 1])
    if rect.width * rng.uniform(0.9, 1.1) >= rect.depth:
        x = snap(rect.x0 + rect.width * share)
        halves = replace(rect, x1=x), replace(rect, x0=x)
    else:
        z = snap(rect.z0 + rect.depth * share)
        halves = replace(rect, z1=z), replace(rect, z0=z)
    cut(rng, halves[0], order[:at], areas, cells)
    cut(rng, halves[1], order[at:], areas, cells)


def spine(rng: np.random.Generator, areas: list[float]) -> list[Rect]:
    """A hallway (room 0) along x with a band of rooms on either side; the plan is turned by chance."""
    others = [int(i) + 1 for i in rng.permutation(len(areas) - 1)]
    depths = [snap(rng.uniform(3.2, 4.7)) for _ in range(2)]
    if len(others) > 8:
        depths = [snap(depth + 0.8) for depth in depths]
    cells = corridor(rng, 0, others, areas, snap(rng.uniform(1.25, 1.9)), depths)
    extend_end_room(rng, cells, others)
    return turned_by_chance(rng, [cells[i] for i in range(len(areas))])


def turned_by_chance(rng: np.random.Generator, cells: list[Rect]) -> list[Rect]:
    """The cells, or the cells with x and z exchanged."""
    return cells if rng.random() < 0.5 else [Rect(cell.z0, cell.x0, cell.z1, cell.x1) for cell in cells]


def corridor(
    rng: np.random.Generator, hallway: int, others: list[int], areas: list[float], hall: float, depths: list[float]
) -> dict[int, Rect]:
    """Cells of a hallway of width `hall` along x from 0, and of rooms in two bands of the given depths."""
    north: list[int] = []
    south: list[int] = []
    for i in others:
        (north if sum(areas[j] for j in north) <= sum(areas[j] for j in south) else south).append(i)
    cells: dict[int, Rect] = {}
    length = sum(areas[i] for i in others) / sum(depths)
    ends = []
    for members, depth, sign in ((north, depths[0], -1.0), (south, depths[1], 1.0)):
        ends.append(band(rng, members, areas, depth, hall, sign, length, cells))
    cells[hallway] = Rect(0.0, -hall / 2, max(ends), hall / 2)
    return cells


def wings(rng: np.random.Generator, areas: list[float]) -> list[Rect]:
    """Two hallways (rooms 0 and 1) that meet at a right angle, the second across the end of the first."""
    others = [int(i) + 2 for i in rng.permutation(len(areas) - 2)]
    total, first = sum(areas[i] for i in others), list[int]()
    while sum(areas[i] for i in first) < 0.45 * total:
        first.append(others.pop())
    depths = [snap(rng.uniform(3.4, 4.6)) for _ in range(4)]
    hall, cross = snap(rng.uniform(1.45, 1.9)), snap(rng.uniform(1.45, 1.9))
    cells = corridor(rng, 0, first, areas, hall, depths[:2])
    end, north, south = cells[0].x1, -(hall / 2 + depths[0]), hall / 2 + depths[1]
    # The far side of the second hallway runs along all of it, the near side only beyond the first wing.
    far: list[int] = []
    near: list[int] = []
    for i in others:
        reach = north + sum(areas[j] for j in far) / depths[2], south + sum(areas[j] for j in near) / depths[3]
        (far if reach[0] <= reach[1] else near).append(i)
    reached = south
    for members, depth, sign, start in ((far, depths[2], 1.0, north), (near, depths[3], -1.0, south)):
        local: dict[int, Rect] = {}
        length = sum(areas[i] for i in members) / depth
        reached = max(reached, start + (band(rng, members, areas, depth, cross, sign, length, local) if members else 0))
        middle = end + cross / 2
        for i, cell in local.items():
            cells[i] = Rect(cell.z0, cell.x0, cell.z1, cell.x1).moved(middle, start)
    cells[1] = Rect(end, snap(north), snap(end + cross), snap(reached))
    return turned_by_chance(rng, [cells[i] for i in range(len(areas))])


def band(
    rng: np.random.Generator,
    members: list[int],
    areas: list[float],
    depth: float,
    hall: float,
    sign: float,
    length: float,
    cells: dict[int, Rect],
) -> float:
    """Put columns of one or two rooms along one side of the hallway; returns where the band ends."""
    columns: list[list[int]] = []
    for i in members:
        small = areas[i] < 7.5
        if small and columns and len(columns[-1]) == 1 and areas[columns[-1][0]] < 9.0:
            columns[-1].append(i)
        else:
            columns.append([i])
    stretch = (length / (sum(areas[i] for i in members) / depth)) ** rng.uniform(0.4, 1.0)
    x = 0.0
    for column in columns:
        width = max(snap(sum(areas[i] for i in column) / depth * stretch), 1.9)
        edge = hall / 2
        for i in column:
            share = depth if len(column) == 1 else snap(depth * areas[i] / sum(areas[j] for j in column))
            share = snap(min(max(share, 1.7), depth - 1.7)) if len(column) == 2 else share
            far = snap(hall / 2 + depth) if i == column[-1] else snap(edge + share)
            low, high = sorted((sign * edge, sign * far))
            cells[i] = Rect(snap(x), low, snap(x + width), high)
            edge = far
        x = snap(x + width)
    return x


def extend_end_room(rng: np.random.Generator, cells: dict[int, Rect], others: list[int]) -> None:
    """By chance let the last room of one band take the hallway's end, so that the hallway leads into it."""
    hall = cells[0]
    ends = [i for i in others if cells[i].x1 >= hall.x1 - 1e-6 and cells[i].depth > 3.0 and cells[i].width > 2.6]
    ends = [i for i in ends if abs(abs(cells[i].z0 + cells[i].z1) / 2 - cells[i].depth / 2 - hall.depth / 2) < 0.05]
    if not ends or hall.width < 7.0 or rng.random() < 0.35:
        return
    i = ends[int(rng.integers(len(ends)))]
    room = cells[i]
    cells[i] = replace(room, z0=min(room.z0, hall.z0), z1=max(room.z1, hall.z1))
    cells[0] = replace(hall, x1=room.x0)
    for j in others:
        crowded = j != i and cells[j].x1 > room.x0 + 0.05 and shared_edge(cells[j], cells[0]) is None
        if crowded and shared_edge(cells[j], cells[i]) is None:
            cells[i], cells[0] = room, hall
            return


LAYOUTS = (treemap, spine, wings)
"""By the number of hallways, which come first among the rooms."""
