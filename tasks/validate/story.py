"""Whether a walk is what its stratum and its instruction tell."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from tasks.validate.spec import StoryThresholds

SEEN = 0.003
"""Share of a frame that an object must fill to count as seen."""
NAMES = ("category", "name")
REACH = 2.3
"""Metres from a thing's side within which a walk is near it."""


def course(pose: NDArray[np.float64], left: NDArray[np.float64]) -> dict[str, float]:
    """Shape of a walk of [N, 4, 4] poses and [N] degrees turned to the left: what tells the strata apart.

    `spin`: most degrees turned one way without leaving the spot · `most_spin`: what turning all the time would give ·
    `back`: metres between both ends · `extent`: metres of the place farthest from the start · `area`: m² enclosed ·
    `retraced`: metres by which the way back lies beside the way out, on average.
    """
    place = pose[:, [0, 2], 3]
    from_start = np.linalg.norm(place - place[0], axis=1)
    x, z = place.T
    return {
        "spin": longest_spin(place, left),
        "most_spin": float(len(left) * np.abs(left[1:]).max(initial=0.0)),
        "back": float(from_start[-1]),
        "extent": float(from_start.max()),
        "area": float(abs(np.dot(x, np.roll(z, -1)) - np.dot(z, np.roll(x, -1))) / 2),
        "retraced": retraced(place, int(from_start.argmax())),
    }


def is_as_told(stratum: str, course: dict[str, float], t: StoryThresholds) -> bool:
    """Whether a walk has the shape of its stratum; what is none of these goes from somewhere to elsewhere."""
    returns = course["back"] <= t.back < course["extent"]
    match stratum:
        case "look_around":
            return course["spin"] >= min(t.spin, t.spun * course["most_spin"])
        case "revisit":
            return returns and course["retraced"] <= t.retraced[1]
        case "loop":
            return returns and course["retraced"] >= t.retraced[0]
        case _:
            return not returns and course["spin"] < t.spin


def retraced(place: NDArray[np.float64], turn: int) -> float:
    """Metres between places after `turn` and the nearest ones up to it, on average; 0 where there are none after."""
    out, home = place[: turn + 1], place[turn + 1 :]
    if not len(home):
        return 0.0
    return float(np.linalg.norm(home[:, None] - out[None], axis=2).min(axis=1).mean())


def longest_spin(place: NDArray[np.float64], left: NDArray[np.float64]) -> float:
    """Most degrees turned one way in a row on the spot."""
    best = run = 0.0
    for moved, turned in zip(np.linalg.norm(np.diff(place, axis=0), axis=1), left[1:], strict=True):
        on_the_spot = moved < 0.02 and turned != 0
        onward = run * turned >= 0
        run = 0.0 if not on_the_spot else run + turned if onward else turned
        best = max(best, abs(run))
    return best


@dataclass(frozen=True)
class Gazetteer:
    """Which words of an instruction name things and rooms, over all scenes of a dataset."""

    words: re.Pattern[str] | None
    places: frozenset[str] = frozenset()
    """Those that name rooms and doors, which are no landmarks."""

    @classmethod
    def of(cls, scenes: list[dict[str, Any]]) -> Self:
        """All names that the scenes use; longer ones first, so that `coffee table` is not a `table`."""
        things = [thing for scene in scenes for thing in named(scene)]
        names = {str(thing.get(key, "")) for thing in things for key in NAMES}
        ordered = sorted((re.escape(name) for name in names if name), key=lambda name: (-len(name), name))
        rooms = {str(room.get(key, "")) for scene in scenes for room in scene.get("rooms", ()) for key in NAMES}
        places = rooms | {name for name in names if "door" in name}
        return cls(re.compile(rf"\b({'|'.join(ordered)})\b") if ordered else None, frozenset(places))

    def mentions(self, instruction: str) -> list[str]:
        """Categories that an instruction names, in order."""
        return self.words.findall(instruction.lower()) if self.words else []


def named(scene: dict[str, Any]) -> list[dict[str, Any]]:
    """Rooms and objects of a scene."""
    return [*scene.get("rooms", ()), *scene.get("objects", ())]


def grounded(sighted: NDArray[np.float64], mentions: list[str], scene: dict[str, Any]) -> float:
    """Share of the things and rooms that an instruction mentions which the walk has seen; NaN where it names none.

    `sighted`: [frames, ids] share of each frame that each object fills.
    """
    if not mentions:
        return float("nan")
    seen = set(np.flatnonzero(sighted.max(axis=0) >= SEEN).tolist())
    things = [thing for thing in scene.get("objects", ()) if thing["id"] in seen]
    rooms = {thing.get("room") for thing in things}
    known = {name for thing in things for name in (thing["category"], thing.get("name"))}
    known |= {room["category"] for room in scene.get("rooms", ()) if room["id"] in rooms}
    return sum(mention in known for mention in mentions) / len(mentions)


def listed(
    sighted: NDArray[np.float64],
    mentions: list[str],
    landmarks: list[int],
    scene: dict[str, Any],
    places: frozenset[str],
) -> float:
    """Whether the things that an instruction mentions are landmarks of its entry, and these were seen: less share."""
    filled = sighted.max(axis=0)
    seen = [0 <= id < len(filled) and filled[id] > 0 for id in landmarks]
    asked = set(landmarks)
    known = {thing.get(key) for thing in scene.get("objects", ()) if thing["id"] in asked for key in NAMES}
    told = [mention in known for mention in mentions if mention not in places]
    return min(sum(some) / len(some) if some else 1.0 for some in (seen, told))


def reached(pose: NDArray[np.float64], mentions: list[str], scene: dict[str, Any]) -> float:
    """Share of the things and rooms that an instruction mentions which [N, 4, 4] poses come near, or enter.

    NaN where it names none, or poses are not finite.
    """
    if not mentions or not np.isfinite(pose).all():
        return float("nan")
    place = pose[:, [0, 2], 3]
    asked = set(mentions)
    near = set()
    things = [thing for thing in scene.get("objects", ()) if {thing["category"], thing.get("name")} & asked]
    if things:
        centre = np.array([thing["centre"] for thing in things])[:, [0, 2]]
        half = np.array([max(thing["size"][0], thing["size"][2]) / 2 for thing in things])
        away = np.linalg.norm(place[:, None] - centre[None], axis=2).min(axis=0)
        for thing, reached in zip(things, away <= REACH + half, strict=True):
            if reached:
                near |= {thing["category"], thing.get("name")}
    for room in scene.get("rooms", ()):
        if room["category"] in asked - near and holds(np.array(room["polygon"]), place).any():
            near.add(room["category"])
    return sum(mention in near for mention in mentions) / len(mentions)


def holds(polygon: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.bool_]:
    """[N] whether a polygon [K, 2] holds points [N, 2] (even-odd rule)."""
    (x0, z0), (x1, z1) = polygon.T[:, :, None], np.roll(polygon, -1, axis=0).T[:, :, None]
    x, z = points.T[:, None]
    crossing = (z0 > z) != (z1 > z)
    left = x < x0 + (z - z0) / np.where(z1 == z0, 1.0, z1 - z0) * (x1 - x0)
    return np.asarray((crossing & left).sum(axis=0) % 2 == 1)
