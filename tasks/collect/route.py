"""What happened on a walk, as steps that can be told: rooms entered, turns, landmarks seen and passed, the end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from tasks.collect.simulator import Observation, SceneGraph, SceneObject
from tasks.collect.spec import Stratum
from tasks.collect.walking import Action, Stance

Kind = Literal["turn", "enter", "climb", "pass", "walk", "spin", "back", "loop", "stop"]

DULL = {"floor", "ceiling", "wall", "ceiling lamp", "door", "doorway", "radiator", "wall cupboard", "rug", "stairs"}
"""Categories that are everywhere, and so lead nobody."""
LEAST_SHARE = 0.006
"""Share of a frame's pixels that an object must fill to count as seen."""
STOREY = 1.3
"""Metres of height that make another floor: half a storey."""
FLOOR_SPAN = (-0.3, 2.75)
"""Metres below and above a stance between which things are on its floor; storeys are higher."""
NEAR = 1.7
"""Metres within which an object is passed, or stood at."""


@dataclass(frozen=True)
class Step:
    """One thing to tell; `side` is left, right, around, up, down or empty."""

    kind: Kind
    frame: int
    side: str = ""
    landmark: SceneObject | None = None
    room: str = ""
    through: str = ""
    """`enter`: door or doorway."""


def sightings(frames: list[Observation]) -> list[set[int]]:
    """Ids of the objects seen in each frame."""
    seen = []
    for frame in frames:
        counts = np.bincount(frame.semantic.ravel())
        seen.append({int(i) for i in np.flatnonzero(counts >= LEAST_SHARE * frame.semantic.size) if i > 0})
    return seen


def tell(
    graph: SceneGraph, track: list[tuple[Stance, Action]], frames: list[Observation], stratum: Stratum
) -> list[Step]:
    """The steps of a recorded walk in order of time."""
    seen = sightings(frames)
    stances = [stance for stance, _ in track]
    objects = {o.id: o for o in graph.objects if o.category not in DULL}
    steps = [*entries(graph, stances), *climbs(stances), *passes(objects, stances, seen)]
    steps += special(track, stratum) or turns(track)
    steps = sorted(steps, key=lambda step: step.frame)
    return [*thinned(steps), ending(graph, objects, stances, seen, stratum)]


def entries(graph: SceneGraph, stances: list[Stance]) -> list[Step]:
    """Each change of room, with what was walked through."""
    names = {o.id: o.category for o in graph.objects}
    steps, current = [], None
    for i, stance in enumerate(stances):
        room = graph.room_at(*stance.position[[0, 2, 1]])
        if room is None or room == current:
            continue
        # Up or down one staircase is told as a climb.
        if current is not None and room.polygon != current.polygon:
            doors = [d for d in graph.doors if set(d.rooms) == {current.id, room.id}]
            steps.append(Step("enter", i, room=room.category, through=names[doors[0].id] if doors else "doorway"))
        current = room
    return steps


def climbs(stances: list[Stance]) -> list[Step]:
    """Each time that the walk goes from one floor to another, where it begins to rise or fall."""
    height = np.array([stance.position[1] for stance in stances])
    steps, level, way = [], float(height[0]), 0.0
    for i, y in enumerate(height.tolist()):
        if abs(y - level) > STOREY:
            begin = int(np.flatnonzero(np.abs(height[:i] - level) < 0.1)[-1])
            way = 1.0 if y > level else -1.0
            steps.append(Step("climb", begin, "up" if way > 0 else "down"))
            level = y
        elif (y - level) * way > 0:
            # Still on the stairs: the floor that the walk stands on is where they end.
            level = y
    return steps


def passes(objects: dict[int, SceneObject], stances: list[Stance], seen: list[set[int]]) -> list[Step]:
    """Objects that were seen ahead and then left behind at the side."""
    steps = []
    for number, thing in objects.items():
        first = next((i for i, ids in enumerate(seen) if number in ids), None)
        if first is None:
            continue
        away = np.array([distance_to(s, thing) for s in stances])
        nearest = int(np.argmin(away))
        if first < nearest < len(stances) - 3 and away[nearest] < NEAR and nearest > 2:
            steps.append(Step("pass", nearest, side_of(stances[nearest], thing), thing))
    return steps


def distance_to(stance: Stance, thing: SceneObject) -> float:
    """Metres along the floor to a thing; inf to one on another floor."""
    x, y, z = thing.centre - stance.position
    return float(np.hypot(x, z)) if FLOOR_SPAN[0] < y < FLOOR_SPAN[1] else np.inf


def side_of(stance: Stance, thing: SceneObject) -> str:
    """On which hand a thing lies."""
    dx, dz = thing.centre[0] - stance.position[0], thing.centre[2] - stance.position[2]
    across = dx * np.cos(stance.heading) - dz * np.sin(stance.heading)
    return "right" if across > 0 else "left"


def turns(track: list[tuple[Stance, Action]]) -> list[Step]:
    """Changes of heading of 50 degrees and more, gathered from turns that lie within three actions of each other."""
    steps, first, last, angle = [], -1, -10, 0.0
    for i, (stance, action) in enumerate(track):
        if action in ("left", "right"):
            if i - last > 3:
                steps.append((first, angle))
                first, angle = i, 0.0
            angle += track[i + 1][0].heading - stance.heading
            last = i
    steps.append((first, angle))
    return [
        Step("turn", frame, "around" if abs(angle) > np.radians(140) else "left" if angle > 0 else "right")
        for frame, angle in steps
        if abs(angle) >= np.radians(50)
    ]


def special(track: list[tuple[Stance, Action]], stratum: Stratum) -> list[Step]:
    """What makes a stratum: the spin, the way back, the round."""
    if stratum is Stratum.LOOK_AROUND:
        start, length = longest_spin([action for _, action in track])
        return [Step("spin", start, track[start][1])] if length else []
    if stratum is Stratum.REVISIT:
        home = track[0][0].position
        away = [float(np.linalg.norm(stance.position - home)) for stance, _ in track]
        return [Step("back", int(np.argmax(away)))]
    if stratum is Stratum.LOOP:
        return [Step("loop", 0)]
    return []


def longest_spin(actions: list[Action]) -> tuple[int, int]:
    """Where the longest run of equal turns begins, and how long it is."""
    best, start = (0, 0), 0
    for i, action in enumerate(actions):
        if i and action != actions[i - 1]:
            start = i
        if action in ("left", "right") and i - start + 1 > best[1]:
            best = (start, i - start + 1)
    return best


def thinned(steps: list[Step]) -> list[Step]:
    """At most one landmark between two other steps, none twice; no turn twice in a row, or just where a room begins."""
    kept: list[Step] = []
    entered = [step.frame for step in steps if step.kind == "enter"]
    for step in steps:
        named = {s.landmark.name for s in kept if s.landmark}
        if step.kind == "pass" and (
            (kept and kept[-1].kind == "pass") or step.landmark is None or step.landmark.name in named
        ):
            continue
        if step.kind == "turn" and step.frame > 0 and any(abs(step.frame - frame) <= 1 for frame in entered):
            continue
        if step.kind == "turn" and kept and (kept[-1].kind, kept[-1].side) == ("turn", step.side):
            continue
        kept.append(step)
    return kept


def ending(
    graph: SceneGraph, objects: dict[int, SceneObject], stances: list[Stance], seen: list[set[int]], stratum: Stratum
) -> Step:
    """Where to stop: at the start again, at something in view at the end, or just in the room."""
    last = len(stances) - 1
    if stratum in (Stratum.REVISIT, Stratum.LOOP):
        return Step("stop", last, "start")
    place = stances[last].position
    room = graph.room_at(*place[[0, 2, 1]])
    near = [
        (distance_to(stances[last], objects[i]), i)
        for i in set().union(*seen[-3:])
        if i in objects and (room is None or objects[i].room == room.id)
    ]
    landmark = objects[min(near)[1]] if near and min(near)[0] < NEAR + 0.5 else None
    return Step("stop", last, landmark=landmark, room=room.category if room else "")


def landmarks(steps: list[Step]) -> set[int]:
    """Ids of all objects that the steps name."""
    return {step.landmark.id for step in steps if step.landmark}
