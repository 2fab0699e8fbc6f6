"""Instructions say only what is so: landmarks that were seen, rooms that were entered, turns that were taken."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.collect.embedded.building import build
from tasks.collect.embedded.furniture.wishes import WISHES
from tasks.collect.embedded.simulator import EmbeddedSimulator
from tasks.collect.embedded.style import FABRICS
from tasks.collect.episodes import Episode, record
from tasks.collect.instructions import chinese, chinese_name, english
from tasks.collect.route import Step, landmarks, sightings, tell, turns
from tasks.collect.simulator import Observation, Room, SceneGraph, SceneObject
from tasks.collect.spec import CollectPlan, Stratum
from tasks.collect.vocabulary import CHINESE, CHINESE_COLOURS
from tasks.collect.walking import Action, Stance

STRATA = (Stratum.FORWARD, Stratum.LOOK_AROUND, Stratum.REVISIT, Stratum.LOOP)


@pytest.fixture(scope="module")
def episodes(simulator: EmbeddedSimulator) -> list[Episode]:
    rejected: Counter[str] = Counter()
    found = [
        record(simulator, CollectPlan(), 0, f"walk-{stratum}-{i}", stratum, rejected)
        for stratum in STRATA
        for i in range(4)
    ]
    return [episode for episode in found if episode is not None]


def test_every_walk_is_told_in_both_languages(episodes: list[Episode]) -> None:
    assert len(episodes) >= 15
    for episode in episodes:
        assert episode.instructions["en"].endswith(".") and "None" not in episode.instructions["en"]
        assert episode.instructions["en"].isascii()
        assert episode.instructions["zh"].endswith("。")
        assert not any(c.isascii() and c.isalpha() for c in episode.instructions["zh"])
    assert len({episode.instructions["en"] for episode in episodes}) >= 12
    assert {episode.style for episode in episodes} == {"plain", "terse", "rich"}


def test_landmarks_named_were_seen(simulator: EmbeddedSimulator, episodes: list[Episode]) -> None:
    names = {thing.id: thing.name for thing in simulator.graph.objects}
    all_names = sorted(set(names.values()), key=len, reverse=True)
    mentioned = 0
    for episode in episodes:
        seen = {names[int(i)] for frame in episode.frames for i in np.unique(frame.semantic) if i}
        text = episode.instructions["en"].lower()
        for name in all_names:
            if f"the {name}" in text and name not in ("door", "doorway"):
                assert name in seen, (name, text)
                text = text.replace(name, "")
                mentioned += 1
        assert {names[i] for i in episode.named} <= seen
    assert mentioned >= len(episodes) / 2


ROOMS = tuple(
    Room(i, kind, kind, ((x, -5), (x + 5, -5), (x + 5, 5), (x, 5))) for i, kind, x in ((0, "study", -5), (1, "gym", 0))
)
STYLES = ("plain", "terse", "rich")


def thing(number: int, x: float, z: float) -> SceneObject:
    return SceneObject(
        number, "chair", f"{sorted(CHINESE_COLOURS)[number]} chair", int(x > 0), (x, 0.5, z), (1, 1, 1), 0.0
    )


@given(
    places=st.lists(st.tuples(st.floats(-5, 5), st.floats(-5, 5)), min_size=1, max_size=8),
    steps=st.lists(st.sampled_from(["forward", "left", "right"]), min_size=8, max_size=40),
    stratum=st.sampled_from(STRATA),
    seed=st.integers(0, 999),
)
def test_of_any_walk_only_what_was_seen_is_named_and_what_is_passed_was_seen_before(
    places: list[tuple[float, float]], steps: list[Action], stratum: Stratum, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    objects = tuple(thing(i + 1, *place) for i, place in enumerate(places))
    track, position, heading = [], np.array([rng.uniform(-3, 3), 0.0, rng.uniform(-3, 3)]), 0.0
    for action in (*steps, "stop"):
        track.append((Stance(position, heading), action))
        heading += {"left": 0.5, "right": -0.5}.get(action, 0.0)
        position = position - [0.4 * np.sin(heading), 0, 0.4 * np.cos(heading)] if action == "forward" else position
    blank = Observation(np.zeros((8, 8, 3), np.uint8), np.ones((8, 8), np.float32), np.zeros((8, 8), np.uint16))
    frames = [replace(blank, semantic=rng.integers(0, 3 * len(objects), (8, 8)).astype(np.uint16)) for _ in track]
    frames = [replace(f, semantic=np.where(f.semantic > len(objects), 0, f.semantic)) for f in frames]
    frames = [frame if rng.random() < 0.3 else blank for frame in frames]
    told, seen = tell(SceneGraph(ROOMS, (), objects, ()), track, frames, stratum), sightings(frames)
    assert landmarks(told) <= set().union(*seen)
    for step in told:
        if step.kind == "pass" and step.landmark is not None:
            assert step.landmark.id in set().union(*seen[: step.frame])
    named = {o.name for o in objects if o.id in landmarks(told)}
    for style in STYLES:
        text = english(told, style, rng)
        assert {o.name for o in objects if o.name in text} <= named and ".." not in text and " ," not in text
        assert chinese(told, style, rng).endswith("。")


def test_rooms_named_were_visited(simulator: EmbeddedSimulator, episodes: list[Episode]) -> None:
    categories = {room.category for room in simulator.graph.rooms}
    for episode in episodes:
        visited = {
            room.category
            for stance in episode.stances
            if (room := simulator.graph.room_at(stance.position[0], stance.position[2])) is not None
        }
        text = episode.instructions["en"].lower()
        assert {category for category in categories if f"the {category}" in text} <= visited


def test_all_that_buildings_hold_has_a_chinese_name() -> None:
    for seed in range(12):
        for thing in build(seed, (8, 10)).graph.objects:
            name = chinese_name(thing.name)
            if thing.category not in ("wall", "floor", "ceiling"):
                assert name and not any(c.isascii() for c in name), thing.name
    assert set(WISHES) <= set(CHINESE)
    assert set(FABRICS) <= set(CHINESE_COLOURS)


def test_turns_are_gathered_and_named() -> None:
    track: list[tuple[Stance, Action]] = []
    heading = 0.0
    for action in (
        "forward",
        "left",
        "left",
        "left",
        "forward",
        "forward",
        "forward",
        "forward",
        "right",
        "forward",
        "stop",
    ):
        track.append((Stance(np.zeros(3), heading), action))  # type: ignore[arg-type]
        heading += {"left": 1, "right": -1}.get(action, 0) * np.radians(30)
    assert [(step.frame, step.side) for step in turns(track)] == [(1, "left")]
    around = [(Stance(np.zeros(3), -i * np.radians(30)), "right") for i in range(6)]
    back = turns([*around, (Stance(np.zeros(3), -np.pi), "stop")])  # type: ignore[list-item]
    assert [step.side for step in back] == ["around"]


@pytest.mark.parametrize("seed", range(6))
def test_nothing_is_told_as_if_it_were_told_twice(seed: int) -> None:
    chair = thing(1, 1.0, 1.0)
    steps = [
        Step("turn", 0, "left"), Step("pass", 3, "left", chair), Step("turn", 5, "left"),
        Step("enter", 6, room="bedroom", through="door"), Step("enter", 9, room="bedroom", through="door"),
        Step("back", 12), Step("enter", 13, room="bedroom", through="door"), Step("stop", 14, room="bedroom"),
    ]  # fmt: skip
    terse, told = (
        english(steps, "terse", np.random.default_rng(seed)),
        chinese(steps, "terse", np.random.default_rng(seed)),
    )
    assert terse.lower().count("left") == 1 and told.count("左") == 1
    assert terse.count("the next bedroom") == 1 and terse.count("the bedroom") == 2 and terse.endswith(" there.")
    assert told.count("另一间卧室") == 1 and told.endswith("停下。")
    plain = english(steps, "plain", np.random.default_rng(seed)).lower()
    assert plain.count("turn left") + plain.count("take a left") == 2, "what lies between is told, so both turns are"


@pytest.mark.parametrize("style", STYLES)
def test_phrasings_differ_by_seed_but_not_in_what_they_say(style: str) -> None:
    steps = [Step("turn", 0, "left"), Step("enter", 4, room="kitchen", through="door"), Step("stop", 9, room="kitchen")]
    assert all(english(steps, style, np.random.default_rng(s)).lower().count("kitchen") == 1 for s in range(20))
    texts = {english(steps, style, np.random.default_rng(seed)) for seed in range(20)}
    assert len(texts) >= 4
    assert all("left" in text.lower() and "kitchen" in text for text in texts)
    assert all("厨房" in chinese(steps, style, np.random.default_rng(seed)) for seed in range(5))
