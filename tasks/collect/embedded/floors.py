"""The floor that navigation starts from: drawn from a plan, or read from the files of an exported building."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from tasks.collect.embedded.building import Building
from tasks.collect.embedded.duplex_grid import DuplexGrid
from tasks.collect.embedded.navigation import CELL, NavigationGrid
from tasks.collect.embedded.plans import WALL
from tasks.collect.embedded.rooms import FloorPlan, Rect
from tasks.collect.embedded.stairs import Stairs
from tasks.errors import DataError

FLOOR_GREY, FREE_GREY = 128, 255
"""In the image of a grid: floor where an agent's body does not fit, and floor where its centre may stand."""


Grid = NavigationGrid | DuplexGrid


def grid_of(building: Building) -> Grid:
    """Where one can stand in a building, on one floor or on two."""
    if (above := building.upstairs) is None:
        return grid_of_plan(building.plan, building.obstacles)
    low, high = building.plan.bounds, above.plan.bounds
    both = Rect(min(low.x0, high.x0), min(low.z0, high.z0), max(low.x1, high.x1), max(low.z1, high.z1))
    lower = grid_of_plan(building.plan, building.obstacles, both)
    return DuplexGrid(lower, grid_of_plan(above.plan, above.obstacles, both), above.stairs)


def grid_of_plan(plan: FloorPlan, obstacles: tuple[Rect, ...], within: Rect | None = None) -> NavigationGrid:
    """The rooms' floors, joined by doors, less what stands on them; over the rectangle `within` (the plan's own)."""
    bounds = (within or plan.bounds).grown(CELL)
    shape = (int(np.ceil(bounds.depth / CELL)), int(np.ceil(bounds.width / CELL)))
    floor = np.zeros(shape, dtype=np.uint8)
    for room in plan.rooms:
        fill(floor, bounds, room.cell.grown(-WALL / 2), 1)
    for door in plan.doors:
        (x0, z0), (x1, z1) = door.ends
        gap = Rect(x0, z0 - WALL, x1, z1 + WALL) if door.axis == "x" else Rect(x0 - WALL, z0, x1 + WALL, z1)
        fill(floor, bounds, gap, 1)
    for thing in obstacles:
        fill(floor, bounds, thing, 0)
    return NavigationGrid(floor, bounds.x0, bounds.z0)


def fill(floor: NDArray[np.uint8], bounds: Rect, rect: Rect, value: int) -> None:
    """Set the cells of a rectangle: floor (1) where a cell's centre lies in it, obstacle (0) where it touches one."""
    low = np.array([rect.z0 - bounds.z0, rect.x0 - bounds.x0]) / CELL
    high = np.array([rect.z1 - bounds.z0, rect.x1 - bounds.x0]) / CELL
    if value:
        first, last = np.ceil(low - 0.5 - 1e-6), np.ceil(high - 0.5 - 1e-6)
    else:
        first, last = np.floor(low + 1e-6), np.ceil(high - 1e-6)
    (row, column), (end_row, end_column) = np.maximum(first, 0).astype(int), np.maximum(last, 0).astype(int)
    floor[row:end_row, column:end_column] = value


def write_grid(grid: Grid, image: Path) -> None:
    """An image (x to the right, z down; black = no floor) and, beside it, a JSON file with its place and scale.

    Of two floors the upper one has an image of its own, `<name>.upper.png`, and the JSON tells of the stairs.
    """
    lower = grid.lower if isinstance(grid, DuplexGrid) else grid
    place: dict[str, Any] = {"cell": CELL, "x0": lower.x0, "z0": lower.z0}
    if isinstance(grid, DuplexGrid):
        cv2.imwrite(str(upper_image(image)), grey_of(grid.upper))
        place["stairs"] = asdict(grid.stairs)
    cv2.imwrite(str(image), grey_of(lower))
    image.with_suffix(".json").write_text(json.dumps(place, sort_keys=True) + "\n")


def upper_image(image: Path) -> Path:
    """Where the upper floor's image stands."""
    return image.with_name(f"{image.stem}.upper.png")


def grey_of(grid: NavigationGrid) -> NDArray[np.uint8]:
    """[rows, columns] a floor as a picture."""
    return np.where(grid.free, FREE_GREY, np.where(grid.floor > 0, FLOOR_GREY, 0)).astype(np.uint8)


def read_grid(image: Path) -> Grid:
    """The grid that `write_grid` wrote. Raises DataError naming the file where it is missing or not such an image."""
    try:
        place = json.loads(image.with_suffix(".json").read_text())
        lower = read_floor(image, place)
        if "stairs" not in place:
            return lower
        well = Rect(**place["stairs"].pop("well"))
        return DuplexGrid(lower, read_floor(upper_image(image), place), Stairs(well, **place["stairs"]))
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise DataError(f"The navigation grid {image} cannot be read ({error}): export the building again.") from error


def read_floor(image: Path, place: dict[str, Any]) -> NavigationGrid:
    """One floor of a grid."""
    grey = cv2.imdecode(np.frombuffer(image.read_bytes(), np.uint8), cv2.IMREAD_GRAYSCALE)
    if grey is None or place.get("cell") != CELL:
        raise DataError(f"The navigation grid {image} is no image of cells of {CELL} m: export the building again.")
    return NavigationGrid((grey > 0).astype(np.uint8), place["x0"], place["z0"])
