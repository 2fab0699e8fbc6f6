"""The records that a floor plan consists of: rectangles, openings in walls, rooms. Metres, (x, z), snapped to 5 cm."""

from __future__ import annotations

from dataclasses import dataclass, replace

GRID = 0.05


def snap(value: float) -> float:
    """The nearest multiple of 5 cm (rounded so that equal lengths are equal floats)."""
    return round(round(float(value) / GRID) * GRID, 4)


@dataclass(frozen=True)
class Opening:
    """A piece of a wall that runs along an axis: an edge, or a hole in it (door, window)."""

    axis: str
    """`x`: the wall runs along x, at z = `at`; `z`: along z, at x = `at`."""
    at: float
    low: float
    high: float
    bottom: float = 0.0
    top: float = 0.0
    rooms: tuple[int, int] = (-1, -1)
    """Indices of the rooms on both sides; -1 = outside."""
    leaf: bool = False
    """Whether a door leaf hangs in it."""

    @property
    def length(self) -> float:
        """Metres along the wall."""
        return self.high - self.low

    @property
    def ends(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Both ends as (x, z)."""
        if self.axis == "x":
            return (self.low, self.at), (self.high, self.at)
        return (self.at, self.low), (self.at, self.high)

    @property
    def middle(self) -> tuple[float, float]:
        """(x, z) halfway."""
        (x0, z0), (x1, z1) = self.ends
        return (x0 + x1) / 2, (z0 + z1) / 2

    def moved(self, dx: float, dz: float) -> Opening:
        """The same opening elsewhere."""
        along, across = (dx, dz) if self.axis == "x" else (dz, dx)
        return replace(self, at=snap(self.at + across), low=snap(self.low + along), high=snap(self.high + along))


@dataclass(frozen=True)
class Rect:
    """An axis-aligned rectangle."""

    x0: float
    z0: float
    x1: float
    z1: float

    @property
    def width(self) -> float:
        """Extent along x."""
        return self.x1 - self.x0

    @property
    def depth(self) -> float:
        """Extent along z."""
        return self.z1 - self.z0

    @property
    def area(self) -> float:
        """Square metres."""
        return self.width * self.depth

    @property
    def centre(self) -> tuple[float, float]:
        """(x, z)."""
        return (self.x0 + self.x1) / 2, (self.z0 + self.z1) / 2

    @property
    def corners(self) -> tuple[tuple[float, float], ...]:
        """The four corners in order."""
        return (self.x0, self.z0), (self.x1, self.z0), (self.x1, self.z1), (self.x0, self.z1)

    def grown(self, by: float) -> Rect:
        """Wider by `by` on all four sides (negative: smaller)."""
        return Rect(self.x0 - by, self.z0 - by, self.x1 + by, self.z1 + by)

    def moved(self, dx: float, dz: float) -> Rect:
        """The same rectangle elsewhere."""
        return Rect(snap(self.x0 + dx), snap(self.z0 + dz), snap(self.x1 + dx), snap(self.z1 + dz))

    def overlaps(self, other: Rect) -> bool:
        """Whether both share some area."""
        return self.x0 < other.x1 and other.x0 < self.x1 and self.z0 < other.z1 and other.z0 < self.z1

    def holds(self, other: Rect) -> bool:
        """Whether `other` lies within."""
        return self.x0 <= other.x0 and other.x1 <= self.x1 and self.z0 <= other.z0 and other.z1 <= self.z1

    def sides(self) -> tuple[Opening, Opening, Opening, Opening]:
        """The four sides as edges: low z, high z, low x, high x."""
        return (
            Opening("x", self.z0, self.x0, self.x1),
            Opening("x", self.z1, self.x0, self.x1),
            Opening("z", self.x0, self.z0, self.z1),
            Opening("z", self.x1, self.z0, self.z1),
        )


@dataclass(frozen=True)
class RoomPlan:
    """A room: what it is for, and the cell of the plan that it fills (up to the middle of its walls)."""

    category: str
    cell: Rect


@dataclass(frozen=True)
class FloorPlan:
    """One floor of a building."""

    rooms: tuple[RoomPlan, ...]
    doors: tuple[Opening, ...]
    windows: tuple[Opening, ...]
    entrance: Opening | None
    """The closed front door in an outer wall."""
    height: float
    """Metres from floor to ceiling."""

    @property
    def bounds(self) -> Rect:
        """The rectangle around all cells."""
        cells = [room.cell for room in self.rooms]
        return Rect(
            min(c.x0 for c in cells), min(c.z0 for c in cells), max(c.x1 for c in cells), max(c.z1 for c in cells)
        )


def shared_edge(a: Rect, b: Rect) -> Opening | None:
    """The piece of wall that two cells have in common, if any."""
    for axis, at, low, high in (
        ("z", a.x1 if abs(a.x1 - b.x0) < 1e-6 else a.x0, max(a.z0, b.z0), min(a.z1, b.z1)),
        ("x", a.z1 if abs(a.z1 - b.z0) < 1e-6 else a.z0, max(a.x0, b.x0), min(a.x1, b.x1)),
    ):
        touching = at in ((b.x0, b.x1) if axis == "z" else (b.z0, b.z1))
        facing = (
            (a.x1 <= b.x0 + 1e-6 or b.x1 <= a.x0 + 1e-6)
            if axis == "z"
            else (a.z1 <= b.z0 + 1e-6 or b.z1 <= a.z0 + 1e-6)
        )
        if touching and facing and high - low > 1e-6:
            return Opening(axis, at, low, high)
    return None
