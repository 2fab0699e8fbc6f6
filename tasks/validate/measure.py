"""Measures all walks of a dataset, shard by shard over worker processes: one row a frame, one row an episode."""

from __future__ import annotations

import mmap
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from isal import isal_zlib
from numpy.typing import NDArray

from tasks.validate import colours, consistency, likeness, motion, pictures, places, story
from tasks.validate.pictures import Columns
from tasks.validate.reading import Dataset, Rows
from tasks.validate.spec import Thresholds
from tasks.validate.walks import Walk, read_walk

WALKS_A_JOB = 4
"""Few: whoever ends last is waited for."""
Print = tuple[int, int]
"""What tells two pictures apart: hash of how it looks, checksum of its pixels."""
STRIDE = 1.05
"""Steps from its start at which a walk that comes back may end."""
MOVED = 0.005
"""Metres or degrees; below it a camera stands still."""
_jobs: list[Job] = []
"""Of a worker process."""


@dataclass(frozen=True)
class Job:
    """Some walks of one shard, with all that a worker needs to measure them."""

    shard: Path
    walks: tuple[Rows, ...]
    scenes: dict[str, dict[str, Any]]
    gazetteer: story.Gazetteer
    landmarks: dict[str, list[int]]
    """Episode -> ids of the objects that its instruction names, where its entry tells them."""
    size: tuple[int, int]
    thresholds: Thresholds


@dataclass
class Measures:
    """What was measured, in plain numbers; NaN = could not be, for a reason that another column tells."""

    frames: dict[str, Columns] = field(default_factory=dict)
    """Episode -> one value a frame."""
    episodes: list[dict[str, Any]] = field(default_factory=list)
    prints: dict[str, set[Print]] = field(default_factory=dict)
    """Episode -> prints of its pictures and depths: equal views of two episodes were recorded once."""
    marks: dict[str, likeness.Marks] = field(default_factory=dict)
    """Episode -> hashes of its frames, alike where views are alike."""
    palettes: dict[str, colours.Palette] = field(default_factory=dict)
    """Episode -> mean colours of what it sees."""

    def add(self, other: Measures) -> None:
        """Take in what another worker measured."""
        self.frames |= other.frames
        self.episodes += other.episodes
        self.prints |= other.prints
        self.marks |= other.marks
        self.palettes |= other.palettes


def measure(
    dataset: Dataset,
    thresholds: Thresholds,
    workers: int,
    advance: Callable[[int], None],
    meanwhile: Callable[[], None] | None = None,
) -> Measures:
    """All walks of the dataset; `advance` is called with the number of episodes that were done.

    `meanwhile` is done here once the other processes run, before this one measures, too.
    """
    jobs = jobs_of(dataset, thresholds)
    found = Measures()
    for done in done_jobs(jobs, workers, meanwhile or (lambda: None)):
        found.add(done)
        advance(len(done.episodes))
    return found


def done_jobs(jobs: list[Job], workers: int, meanwhile: Callable[[], None]) -> Iterator[Measures]:
    """What the jobs found, as they end; this process is one of the workers."""
    others = min(workers, len(jobs)) - 1
    if others == 0:
        meanwhile()
        yield from map(measure_job, jobs)
        return
    # OpenCV's threads do not survive a fork, and a child that then asks for them waits for ever: end them before it.
    cv2.setNumThreads(1)
    # Forked: to start anew, and to be handed the jobs, would cost each process a tenth of what it has to do.
    with ProcessPoolExecutor(others, mp_context=get_context("fork"), initializer=begin, initargs=(jobs,)) as pool:
        handed = deque(pool.submit(measure_numbered, number) for number in range(len(jobs)))
        meanwhile()
        # They begin with the first, this one takes back the last that none of them has begun.
        while handed and handed[-1].cancel():
            handed.pop()
            yield measure_job(jobs.pop())
            while handed and handed[0].done():
                yield handed.popleft().result()
        yield from (one.result() for one in handed)


def begin(jobs: list[Job]) -> None:
    """Set up a worker process: it was forked with the jobs in its memory, and is told which ones are its own."""
    global _jobs
    _jobs = jobs


def measure_numbered(number: int) -> Measures:
    """Measure the walks of a job in a worker process."""
    return measure_job(_jobs[number])


def jobs_of(dataset: Dataset, thresholds: Thresholds) -> list[Job]:
    """The dataset cut into pieces of one shard each."""
    thresholds = fitted(thresholds, dataset.step)
    gazetteer = story.Gazetteer.of(list(dataset.scenes.values()))
    jobs = []
    for shard, walks in dataset.walks_by_shard().items():
        for start in range(0, len(walks), WALKS_A_JOB):
            some = tuple(walks[start : start + WALKS_A_JOB])
            scenes = {
                name: dataset.scenes[name] for name in {rows["scene"][0] for rows in some} & dataset.scenes.keys()
            }
            landmarks = landmarks_of(dataset, some)
            jobs.append(Job(dataset.shards[shard], some, scenes, gazetteer, landmarks, dataset.size, thresholds))
    return jobs


def fitted(thresholds: Thresholds, step: float) -> Thresholds:
    """The thresholds for an agent of such steps, in metres: with long ones it comes no nearer to its start than one."""
    back = max(thresholds.story.back, STRIDE * step)
    return thresholds.model_copy(update={"story": thresholds.story.model_copy(update={"back": back})})


def landmarks_of(dataset: Dataset, walks: tuple[Rows, ...]) -> dict[str, list[int]]:
    """What the entries of some walks tell, -1 for what is no id; nothing where the instruction comes from elsewhere."""
    told: dict[str, list[int]] = {}
    for name in (rows["episode"][0] for rows in walks):
        landmarks = dataset.info(name).get("landmarks")
        if isinstance(landmarks, list) and not dataset.is_given(name):
            told[name] = [id if isinstance(id, int) else -1 for id in landmarks]
    return told


def measure_job(job: Job) -> Measures:
    """Measure the walks of one job."""
    found = Measures()
    boxes = {name: places.Boxes.of(scene) for name, scene in job.scenes.items()}
    with job.shard.open("rb") as file:
        # An empty file cannot be mapped; its walks are unreadable like those of any other truncated one.
        whole = job.shard.stat().st_size > 0
        shard = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if whole else b"")
        for rows in job.walks:
            measure_walk(read_walk(shard, rows, job.size), rows, job, boxes, found)
    return found


def measure_walk(walk: Walk, rows: Rows, job: Job, boxes: dict[str, places.Boxes], found: Measures) -> None:
    """Add the rows of one walk to `found`; `boxes`: of each scene of the job."""
    name = rows["scene"][0]
    scene = job.scenes.get(name, {})
    sighted = pictures.sightings(walk)
    seen = {**pictures.light(walk), **pictures.depths(walk), **pictures.labels(sighted, known_ids(scene))}
    moved = motion.steps(walk.pose)
    frames: Columns = {
        "frame": np.array(rows["frame"], float),
        "intact": walk.intact.astype(float),
        **only_where(walk.intact, seen),
        **motion.poses(walk.pose),
        **moved,
        **motion.acted(walk, moved, job.thresholds.poses.still),
    }
    marks = likeness.marks(walk)
    prints = prints_of(walk, marks)
    found.frames[walk.episode] = frames
    found.episodes.append({
        "episode": walk.episode,
        "frozen": frozen(walk, frames, prints),
        **of_the_walk(walk, frames, rows, sighted, scene, job),
        **(consistent(walk, frames, boxes.get(name), job.thresholds) if is_sound(walk, frames) else {}),
    })  # fmt: skip
    found.prints[walk.episode] = telling(walk, frames, prints)
    found.marks[walk.episode] = marks
    found.palettes[walk.episode] = colours.palette(walk)


def of_the_walk(
    walk: Walk, frames: Columns, rows: Rows, sighted: NDArray[np.float64], scene: dict[str, Any], job: Job
) -> dict[str, Any]:
    """Columns of the episode's row."""
    t = job.thresholds
    forward = np.array([action == "forward" for action in ("", *walk.actions[:-1])])
    instruction = rows["instruction"][0] or ""
    mentions, landmarks = job.gazetteer.mentions(instruction), job.landmarks.get(walk.episode)
    # What could not be read was not seen.
    landmarks = landmarks if walk.intact.all() else None
    return {
        "length": len(walk.pose),
        **pictures.texture(walk),
        "stuck": float(frames["stuck"][forward].mean()) if forward.any() else 0.0,
        "acted": mean(frames["action_fits"][1:]),
        "ends": float(walk.actions.index("stop") == len(walk.actions) - 1 if "stop" in walk.actions else False),
        **(pictures.of_the_sensor(walk) if walk.intact.all() else {}),
        "words": len(instruction.split()),
        "grounded": story.grounded(sighted, mentions, scene),
        "reached": story.reached(walk.pose, mentions, scene),
        "listed": story.listed(sighted, mentions, landmarks, scene, job.gazetteer.places)
        if landmarks is not None
        else float("nan"),
        **told(walk, frames, rows["stratum"][0], t),
    }


def consistent(walk: Walk, frames: Columns, boxes: places.Boxes | None, t: Thresholds) -> dict[str, float]:
    """Agreement of the frames with each other and with the scene."""
    return {
        **consistency.compare(walk, t.world.near, t.world.share, float(frames["contrast"].mean())),
        "in_place": places.in_place(walk, boxes, t.world.slack) if boxes else float("nan"),
    }


def told(walk: Walk, frames: Columns, stratum: str, t: Thresholds) -> dict[str, float]:
    """Shape of the walk, and whether it is that of its stratum; nothing where poses are not finite."""
    if not frames["pose_finite"].all():
        return {}
    course = story.course(walk.pose, frames["left"])
    return {**course, "as_told": float(story.is_as_told(stratum, course, t.story))}


def is_sound(walk: Walk, frames: Columns) -> bool:
    """Whether geometry can be done with the walk at all; where not, the checks of frames and poses have told why."""
    pinholes = np.isfinite(walk.intrinsics).all() and (walk.intrinsics[:, [0, 1], [0, 1]] > 0).all()
    rigid = (np.nan_to_num(frames["pose_rigid_error"], nan=np.inf) < 0.1).all()
    return bool(len(walk.pose) > 1 and walk.intact.all() and pinholes and rigid)


def known_ids(scene: dict[str, Any]) -> frozenset[int]:
    """Ids that may stand in the semantic picture."""
    return frozenset(thing["id"] for thing in [*scene.get("objects", ()), *scene.get("doors", ())])


def prints_of(walk: Walk, marks: likeness.Marks) -> list[tuple[Print, Print]]:
    """Of every frame's picture and depth."""
    sums = [[isal_zlib.crc32(image) for image in images] for images in (walk.rgb, walk.depth)]
    looks = marks.T.tolist()
    pictures, depths = (list(zip(look, check, strict=True)) for look, check in zip(looks, sums, strict=True))
    return list(zip(pictures, depths, strict=True))


def frozen(walk: Walk, frames: Columns, prints: list[tuple[Print, Print]]) -> float:
    """Share of frames that are the one before to the bit, in picture or depth, although the pose changed or was to.

    A frame of whose picture some rows alone are those of the one before counts as much as they fill of it.
    """
    if len(walk.pose) < 2:
        return 0.0
    whole = [mine[0] == last[0] or mine[1] == last[1] for last, mine in pairwise(prints)]
    repeated = np.maximum(whole, pictures.repeated(walk.grey))
    moved = (frames["step"][1:] > MOVED) | (frames["turn"][1:] > MOVED)
    # A wall may hold up a step, but nothing a turn.
    moved |= np.isin(walk.actions[:-1], ("left", "right"))
    return float((repeated * (moved & walk.intact[1:] & walk.intact[:-1])).mean())


def telling(walk: Walk, frames: Columns, prints: list[tuple[Print, Print]]) -> set[Print]:
    """The prints of pictures and depths; blank frames look alike everywhere and are left out."""
    told = walk.intact & (frames["contrast"] > 1) & (frames["farthest"] > frames["nearest"])
    return {one for i in np.flatnonzero(told) for one in prints[i]}


def only_where(condition: NDArray[np.bool_], columns: Columns) -> Columns:
    """The columns, NaN where the condition does not hold."""
    return {name: np.where(condition, values, np.nan) for name, values in columns.items()}


def mean(values: NDArray[np.float64]) -> float:
    """Mean of what is not NaN; NaN where all is."""
    return float(kept.mean()) if (kept := values[~np.isnan(values)]).size else float("nan")
