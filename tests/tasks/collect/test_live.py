"""What a collection tells of its walks while it runs."""

from __future__ import annotations

import math

import numpy as np
import pytest

from flows.live import LiveQuality
from tasks.collect.live import LiveCollection, Walked, telling, walked
from tasks.collect.simulator import Observation
from tasks.progress import Track
from tests.tasks.collect.conftest import Collected


def frame(depth: float, grey: int = 102, holes: int = 0) -> Observation:
    """A flat wall so many metres away; the first `holes` of 16 pixels have no depth."""
    distances = np.full(16, depth, np.float32)
    distances[:holes] = 0
    return Observation(np.full((4, 4, 3), grey, np.uint8), distances.reshape(4, 4), np.ones((4, 4), np.uint16))


def test_a_walks_figures_are_of_its_frames() -> None:
    walk = walked("b1-train-0", "loop", [frame(1.0), frame(3.0, holes=8)], replaced=2)
    assert (walk.frames, walk.replaced, walk.stratum) == (2, 2, "loop")
    assert walk.depth == pytest.approx((16 * 1 + 8 * 3) / 24)
    assert walk.known == pytest.approx(24 / 32) and walk.light == pytest.approx(0.4)
    blind = walked("b1-train-1", "loop", [frame(0.0)], replaced=0)
    assert blind.known == 0 and math.isnan(blind.depth)


def test_running_figures_tell_the_pace_and_which_strata_are_hard_to_walk() -> None:
    live = LiveCollection()
    assert live.hear(walked("a", "forward", [frame(2.0)] * 30, 0), 10.0) == {
        "depth": pytest.approx(2.0),
        "known_depth": 1.0,
        "light": pytest.approx(0.4),
        "frames_a_second": 3.0,
        "kept": 1.0,
    }
    told = live.hear(walked("b", "loop", [frame(2.0)] * 20, 3), 20.0)
    assert told["frames_a_second"] == 2.5 and told["kept"] == pytest.approx(2 / 5)
    assert told["kept_loop"] == pytest.approx(1 / 4) and "kept_forward" not in told
    given_up = live.hear(walked("c", "loop", [], 8), 30.0)
    assert "depth" not in given_up and given_up["kept_loop"] == pytest.approx(1 / 12)
    assert live.hear(Walked("known already"), 31.0) == {}


def test_the_progress_tells_the_figures_beside_the_episode() -> None:
    clock = iter([4.0, 8.0])
    track = Track("collect", 2, "episodes", lambda track, last: None, lambda: next(clock))
    tell = telling(track)
    tell(walked("a", "forward", [frame(2.0)] * 12, 0))
    tell(walked("b", "revisit", [frame(2.5)] * 12, 1))
    assert track.done == 2 and track.detail["episode"] == "b"
    assert (track.detail["frames_a_second"], track.detail["depth"]) == (3.0, pytest.approx(2.5))
    assert track.detail["kept_revisit"] == 0.5


def test_a_blind_or_dark_walk_among_sound_ones_is_unusual_and_sound_ones_are_not() -> None:
    live, quality, draw = LiveCollection(), LiveQuality(), np.random.default_rng(0)
    for number in range(40):
        sound = walked(str(number), "forward", [frame(draw.uniform(1.5, 3), int(draw.integers(90, 130)))] * 9, 0)
        quality.hear(live.hear(sound, 0.1 * (number + 1)), f"walk {number}")
    assert not any(figure.unusual for figure in quality.figures.values())
    quality.hear(live.hear(walked("dark", "forward", [frame(2.0, grey=2, holes=15)] * 9, 0), 4.1), "walk 40")
    assert {name for name, figure in quality.figures.items() if figure.unusual} == {"light", "known_depth"}


def test_every_collected_walk_tells_of_itself(collected: Collected) -> None:
    recorded = [walk for walk in collected.told if walk.frames]
    assert len(recorded) == collected.summary.episodes
    assert sum(walk.frames for walk in recorded) == collected.summary.frames
    assert sum(walk.replaced for walk in collected.told) == sum(collected.summary.rejected.values())
    assert all(0.3 < walk.depth < 10 and walk.known > 0.9 and 0.05 < walk.light < 0.95 for walk in recorded)
