"""Public episode files (VLN-CE's R2R and RxR, and our own `episodes.json.gz`): instruction, start, goal and path.

The files carry no version; what they hold tells. R2R_VLNCE_v1 to v1-3: `instruction_vocab` beside `episodes`, each
instruction a text with tokens. RxR_VLNCE_v0: no vocabulary, each instruction with its language, `instruction_id` and
annotator, `info.role` guide or follower. Fields as in Krantz et al., "Beyond the Nav-Graph", and habitat-lab's loader.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from tasks.collect.spec import EpisodeFile
from tasks.errors import DataError

Place = tuple[float, float, float]

EPISODE_FIELDS = {
    "episode_id", "trajectory_id", "scene_id", "scene_dataset_config", "additional_obj_config_paths", "start_position",
    "start_rotation", "start_room", "shortest_paths", "goals", "reference_path", "instruction", "info",
}  # fmt: skip
R2R_FIELDS = {"instruction_text", "instruction_tokens"}
RXR_FIELDS = R2R_FIELDS | {
    "instruction_id", "language", "annotator_id", "edit_distance", "timed_instruction", "split",
}  # fmt: skip
KNOWN_VERSIONS = {"v0", "v1", "v1-1", "v1-2", "v1-3", "v2", "v3"}
"""Only files that others made anew name one at all."""


@dataclass(frozen=True)
class GivenEpisode:
    """One episode of a file. Metres, y up."""

    id: str
    scene: str
    """As the file names it."""
    start: Place
    heading: float
    """Radians; 0 looks along -z, positive is to the left."""
    goal: Place
    radius: float
    path: tuple[Place, ...]
    """Reference path from start to goal."""
    text: str
    language: str
    """`en`, `en-US`, `hi-IN` ..."""
    role: str = ""
    """RxR: guide or follower."""
    chinese: str = ""
    """Our own files: the same instruction in Chinese."""
    kind: str = "R2R"
    """R2R or RxR."""


class Malformed(DataError):
    """A file that is not what it should be, named with the field."""

    def __init__(self, path: Path, field: str, what: str) -> None:
        super().__init__(
            f"The episode file {path} is malformed or of an unknown version: {field} {what}; give an R2R_VLNCE v1 to "
            "v1-3, an RxR_VLNCE v0, or an episodes.json.gz that collect wrote."
        )


def chosen_episodes(source: EpisodeFile) -> tuple[GivenEpisode, ...]:
    """The episodes that a plan asks of a file, in the file's order, their scenes under the simulator's names.

    Raises DataError where the file changed since the plan was made, is malformed, or none of its episodes is wanted.
    """
    path = Path(source.path)
    wanted = []
    for episode in read_episodes(path, source.sha256):
        listed = not source.scenes or episode.scene in source.scenes
        spoken = not source.languages or episode.language in source.languages
        if listed and spoken and (not source.roles or episode.role in source.roles):
            wanted.append(episode)
    if not wanted:
        raise DataError(
            f"The episode file {path} has no episode of the scenes, languages and roles asked for; "
            "see `scenes`, `languages` and `roles` under collect.episode_files."
        )
    return tuple(wanted)


@lru_cache(maxsize=8)
def read_episodes(path: Path, sha256: str | None = None) -> tuple[GivenEpisode, ...]:
    """All episodes of a file, `.json.gz` or `.json`. Raises DataError naming the file and the field that is wrong."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"The episode file {path} cannot be read: {error}.") from error
    if sha256 and hashlib.sha256(data).hexdigest() != sha256:
        raise DataError(f"The episode file {path} is not the one of the plan: its sha256 is not {sha256[:12]}....")
    content = parsed(path, data)
    if not isinstance(content, dict) or not isinstance(content.get("episodes"), list):
        raise Malformed(path, "episodes", "is missing, or no list")
    version = content.get("version")
    if version is not None and str(version) not in KNOWN_VERSIONS:
        raise Malformed(path, "version", f"is {version!r}")
    if not content["episodes"]:
        raise DataError(f"The episode file {path} holds no episodes.")
    return tuple(episode_of(Fields(path, f"episodes[{i}]", entry)) for i, entry in enumerate(content["episodes"]))


def parsed(path: Path, data: bytes) -> Any:
    """The JSON value in a file that may be gzipped."""
    try:
        return json.loads(gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data)
    except (ValueError, EOFError, OSError, zlib.error) as error:
        raise DataError(f"The episode file {path} is no (gzipped) JSON: {error}.") from error


@dataclass(frozen=True)
class Fields:
    """An object within a file, which knows its own place in it for error sentences."""

    path: Path
    place: str
    values: Any

    def __post_init__(self) -> None:
        if not isinstance(self.values, dict):
            raise Malformed(self.path, self.place, "is no object")

    def get(self, name: str, kind: type | tuple[type, ...], what: str) -> Any:
        """A field that must be there and of a type."""
        value = self.values.get(name)
        if not isinstance(value, kind) or isinstance(value, bool):
            raise self.wrong(name, f"is missing, or {what}")
        return value

    def inner(self, name: str) -> Fields:
        """An object among the fields."""
        return Fields(self.path, f"{self.place}.{name}", self.values.get(name))

    def only(self, known: set[str]) -> None:
        """Refuse fields that no known version has."""
        if foreign := sorted(self.values.keys() - known):
            raise self.wrong(foreign[0], "is a field that no known version has")

    def point(self, name: str, value: Any) -> Place:
        """Three finite numbers."""
        numbers = self.numbers(name, value, 3)
        return numbers[0], numbers[1], numbers[2]

    def numbers(self, name: str, value: Any, count: int) -> list[float]:
        """So many finite numbers."""
        fits = isinstance(value, list) and len(value) == count
        if not fits or not all(isinstance(v, int | float) and math.isfinite(v) for v in value):
            raise self.wrong(name, f"is missing, or not {count} finite numbers")
        return [float(v) for v in value]

    def wrong(self, name: str, what: str) -> Malformed:
        """The error about a field."""
        return Malformed(self.path, f"{self.place}.{name}", what)


def episode_of(entry: Fields) -> GivenEpisode:
    """One entry of `episodes`."""
    entry.only(EPISODE_FIELDS)
    told = entry.inner("instruction")
    rxr = "language" in told.values or "instruction_id" in told.values
    told.only(RXR_FIELDS if rxr else R2R_FIELDS)
    info: Mapping[str, Any] = entry.values.get("info") or {}
    goals = entry.get("goals", list, "no list (a test split has no goals: collect from train or a val split)")
    if not goals:
        raise entry.wrong("goals", "is empty")
    goal = Fields(entry.path, f"{entry.place}.goals[0]", goals[0])
    steps = entry.get("reference_path", list, "no list")
    if len(steps) < 2:
        raise entry.wrong("reference_path", "has fewer than two points")
    text = told.get("instruction_text", str, "no text").strip()
    if not text:
        raise told.wrong("instruction_text", "is empty")
    return GivenEpisode(
        id=str(entry.get("episode_id", (str, int), "no name or number")),
        scene=entry.get("scene_id", str, "no text"),
        start=entry.point("start_position", entry.values.get("start_position")),
        heading=heading_of(entry),
        goal=goal.point("position", goal.values.get("position")),
        radius=float(goal.values.get("radius") or 3.0),
        path=tuple(entry.point(f"reference_path[{i}]", step) for i, step in enumerate(steps)),
        text=text,
        language=told.get("language", str, "no text") if rxr else str(info.get("language", "en")),
        role=str(info.get("role", "")),
        chinese=str(info.get("instruction_zh", "")),
        kind="RxR" if rxr else "R2R",
    )


def heading_of(entry: Fields) -> float:
    """The heading in `start_rotation`, a unit quaternion `[x, y, z, w]` that keeps the agent upright."""
    x, y, z, w = entry.numbers("start_rotation", entry.values.get("start_rotation"), 4)
    if abs(math.hypot(x, y, z, w) - 1) > 1e-2:
        raise entry.wrong("start_rotation", "is no unit quaternion [x, y, z, w]")
    if math.hypot(x, z) > 2e-2:
        raise entry.wrong("start_rotation", "tilts the agent: it must be a turn about the y axis, as [x, y, z, w]")
    return 2 * math.atan2(y, w)
