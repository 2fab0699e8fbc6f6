"""Whether a walk is what its stratum and its instruction tell."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from tasks.validate.spec import StoryThresholds
from tasks.validate.walks import Walk


def course(pose: NDArray[np.float64], left: NDArray[np.float64]) -> dict[str, float]:
    """Shape of a walk of [N, 4, 4] poses and [N] degrees turned to the left: what tells the strata apart.

    `spin`: most degrees turned one way without leaving the spot · `most_spin`: what turning all the time would give ·
    `back`: metres between both ends · `extent`: metres of the place farthest from the start · `area`: m² enclosed.
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
    }


def is_as_told(stratum: str, course: dict[str, float], t: StoryThresholds) -> bool:
    """Whether a walk has the shape of its stratum; what is none of these goes from somewhere to elsewhere."""
    returns = course["back"] <= t.back < course["extent"]
    match stratum:
        case "look_around":
            return course["spin"] >= min(t.spin, t.spun * course["most_spin"])
        case "revisit":
            return returns and course["area"] <= t.revisit_area
        case "loop":
            return returns and course["area"] >= t.loop_area
        case _:
            return not returns and course["spin"] < t.spin


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

    @classmethod
    def of(cls, scenes: list[dict[str, Any]]) -> Self:
        """All names that the scenes use; longer ones first, so that `coffee table` is not a `table`."""
        names = {str(thing.get("category", "")) for scene in scenes for thing in named(scene)}
        ordered = sorted((re.escape(name) for name in names if name), key=lambda name: (-len(name), name))
        return cls(re.compile(rf"\b({'|'.join(ordered)})\b") if ordered else None)

    def mentions(self, instruction: str) -> list[str]:
        """Categories that an instruction names, in order."""
        return self.words.findall(instruction.lower()) if self.words else []


def named(scene: dict[str, Any]) -> list[dict[str, Any]]:
    """Rooms and objects of a scene."""
    return [*scene.get("rooms", ()), *scene.get("objects", ())]


def grounded(walk: Walk, instruction: str, scene: dict[str, Any], gazetteer: Gazetteer) -> float:
    """Share of the things and rooms that an instruction names which the walk has seen; NaN where it names none."""
    mentions = gazetteer.mentions(instruction)
    if not mentions:
        return float("nan")
    seen = set(np.unique(walk.semantic).tolist())
    things = [thing for thing in scene.get("objects", ()) if thing["id"] in seen]
    rooms = {thing.get("room") for thing in things}
    known = {thing["category"] for thing in things}
    known |= {room["category"] for room in scene.get("rooms", ()) if room["id"] in rooms}
    return sum(mention in known for mention in mentions) / len(mentions)
