"""The closed loop: who walks, which episodes, and what the agent that follows maps does with what it sees."""

from __future__ import annotations

import gzip
import importlib.util
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from tasks.collect.dataset import collect_into
from tasks.collect.spec import CollectPlan, SplitPlan, Stratum
from tasks.collect.walking import Stance
from tasks.errors import UsageError
from tasks.evaluate.evaluate import evaluate
from tasks.evaluate.navigation import write_chosen
from tasks.evaluate.spec import EvaluateSpec, EvaluationPlan, NavigationPlan
from tasks.evaluation import read_evaluation
from tasks.navigate.guides import Sign
from tasks.navigate.obstacles import Obstacles
from tasks.navigate.waypoint import WaypointAgent, spot
from tasks.spec import ManifestId
from tasks.stage import execute
from tasks.store import ArtefactStore, Manifest
from tests.published import NETWORK, checkpoint

INSTALLED = importlib.util.find_spec("habitat") is not None
needs_lab = pytest.mark.skipif(not INSTALLED, reason="habitat-lab is not installed: run `make habitat`")
PLAN = EvaluationPlan(
    views=6, keyframes=3, batch=6, baseline_views=6, bootstrap=100, navigation=NavigationPlan(episodes=2, steps=120)
)


def homes(store: ArtefactStore, folder: Path) -> ManifestId:
    """Walks through procedural buildings, published as `validate` would."""
    one, none = SplitPlan(scenes=1, episodes=2), SplitPlan(scenes=0)
    unseen = SplitPlan(scenes=1, episodes=2)
    plan = CollectPlan(
        train=one, val_seen=none, val_unseen=unseen, sealed=none, size=(32, 32), steps=40, rooms=(4, 5),
        strata={Stratum.FORWARD: 1.0},
    )  # fmt: skip
    summary = collect_into(folder / "homes", plan, 3, 1, lambda _: None)
    root = folder / "homes"
    blobs = {str(p.relative_to(root)): store.put_blob(p) for p in sorted(root.rglob("*")) if p.is_file()}
    meta = {**asdict(summary), "quality": {"passed": True, "reasons": [], "rejected": 0}}
    return store.publish(Manifest(kind="dataset", blobs=blobs, meta=meta))


@needs_lab
def test_an_evaluation_walks_when_it_is_asked_to(store: ArtefactStore, tmp_path: Path) -> None:
    model = checkpoint(store, tmp_path, NETWORK)
    asked = EvaluateSpec(dataset=homes(store, tmp_path), checkpoint=model, plan=PLAN)
    result = execute(asked, evaluate)
    evaluation = read_evaluation(store, result.outputs["evaluation"])
    walked = evaluation.navigation
    assert list(walked) == ["model", "true_maps", "oracle", "random", "still"]
    assert walked["oracle"]["success"].value == 1.0 and walked["still"]["success"].value == 0.0
    # Pictures of 32 px and 120 actions: one of the two walks does not arrive.
    assert walked["true_maps"]["success"].value >= 0.5
    assert walked["true_maps"]["spl"].value > walked["still"]["spl"].value == 0.0
    assert walked["still"]["steps"].value == 1.0
    assert result.metrics["navigation.success"] == walked["model"]["success"].value
    blobs = store.manifest(result.outputs["evaluation"]).blobs
    table = pq.read_table(store.fetch(blobs["navigation.parquet"])).to_pandas()
    assert len(table) == 10 and set(table.groupby("agent").size()) == {2}
    same = [tuple(rows["episode"]) for _, rows in table.groupby("agent")]
    assert len(set(same)) == 1, "all agents walk the same episodes"
    page = store.read(blobs["report.html"]).decode()
    assert "Walking in a closed loop" in page and "follows the true maps" in page
    assert "follows this model&#x27;s maps" in page
    assert "maps of the next waypoint lead" in store.read(blobs["model_card.md"]).decode()


def file_of(folder: Path, metres: float) -> Path:
    """Three episodes in each of two scenes, and one of another split."""
    entries = [
        {
            "scene_id": scene,
            "episode_id": f"{scene}-{i}",
            "info": {"split": "val_unseen", "geodesic_distance": metres + i},
        }
        for scene in ("b2", "b1")
        for i in range(3)
    ]
    entries.append({"scene_id": "b9", "episode_id": "x", "info": {"split": "sealed", "geodesic_distance": 9.0}})
    path = folder / "all.json.gz"
    path.write_bytes(gzip.compress(json.dumps({"episodes": entries, "instruction_vocab": {}}).encode()))
    return path


def test_episodes_are_of_the_split_over_all_scenes_and_far_enough_to_mean_something(tmp_path: Path) -> None:
    chosen = tmp_path / "chosen.json.gz"
    write_chosen(file_of(tmp_path, 1.5), PLAN, chosen)
    names = [e["episode_id"] for e in json.loads(gzip.decompress(chosen.read_bytes()))["episodes"]]
    assert names == ["b1-1", "b2-1"], "one of each scene; the first are too near"
    with pytest.raises(UsageError, match="no walk whose goal is 2 m away"):
        write_chosen(file_of(tmp_path, -3.0), PLAN, chosen)


def observed(place: tuple[float, float, float] = (0.0, 1.0, 0.0), heading: float = 0.0) -> dict:
    """A level camera with a field of view of 90 degrees that looks along -z (heading: to the left) over a floor.

    A wall stands 5 m ahead.
    """
    pose = np.diag([1.0, -1.0, -1.0, 1.0])
    c, s = np.cos(heading), np.sin(heading)
    pose[:3, :3] = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]) @ pose[:3, :3]
    pose[:3, 3] = place
    rows = (np.arange(16) + 0.5 - 8) / 8
    depth = np.where(rows > 0.2, 1.0 / np.maximum(rows, 0.2), 5.0)[:, None, None] * np.ones((1, 16, 1))
    intrinsics = np.array([[8.0, 0, 8], [0, 8.0, 8], [0, 0, 1]])
    return {"depth": depth.astype(np.float32), "camera": {"pose": pose, "intrinsics": intrinsics}}


def at(row: int, column: int) -> np.ndarray:
    goal = np.zeros((16, 16), dtype=np.float32)
    goal[row, column] = 1
    return goal


def test_a_cell_on_the_floor_is_a_place_on_the_floor_and_one_above_it_no_farther_than_the_wall() -> None:
    bearing, metres = spot(at(12, 8), observed(), 1.0)
    depth = 8 / 4.5
    assert bearing == pytest.approx(np.arctan2(0.5, 8)) and metres == pytest.approx(np.hypot(1, 0.5 / 8) * depth)
    bearing, metres = spot(at(4, 0), observed(), 1.0)
    assert bearing == pytest.approx(-np.arctan2(7.5, 8)) and metres == pytest.approx(5 * np.hypot(1, 7.5 / 8))


def test_what_hides_the_feet_of_a_body_does_not_make_it_near() -> None:
    seen = observed()
    seen["depth"][9, 8] = 0.6
    assert spot(at(9, 8), seen, 1.0)[1] > 4
    seen["depth"][:] = 0.6
    assert spot(at(9, 8), seen, 1.0)[1] < 0.7, "there is nothing but a wall to walk against"


class Said:
    """A guide that says what it was given, the last for ever."""

    def __init__(self, *signs: Sign) -> None:
        self.signs = list(signs)

    def reset(self) -> None: ...

    def see(self, observations: dict) -> None: ...

    def read(self) -> Sign:
        return self.signs.pop(0) if len(self.signs) > 1 else self.signs[0]


def sign(goal: np.ndarray | None = None, turn: int = 0) -> Sign:
    none = goal is None
    return Sign(
        np.zeros((16, 16), np.float32) if goal is None else goal, float(none), np.eye(3, dtype=np.float32)[turn]
    )


def moves(guide: Said, count: int, walks: bool = True) -> list[str]:
    agent = WaypointAgent(guide, np.radians(15), 0.25, 1.0)
    return [agent.act(observed((0.0, 1.0, -0.25 * i * walks))) for i in range(count)]


def test_it_turns_to_the_waypoint_and_walks_to_it() -> None:
    assert moves(Said(sign(at(10, 15)), sign(at(10, 0)), sign(at(10, 8))), 4) == [
        "turn_right",
        "move_forward",
        "move_forward",
        "move_forward",
    ], "what it has turned to is not turned away from again"
    assert moves(Said(sign(at(10, 0)), sign(at(10, 0)), sign(at(10, 7))), 3) == ["turn_left"] * 2 + ["move_forward"]


def test_the_last_stretch_is_walked_without_looking() -> None:
    guide = Said(sign(at(15, 8)), sign(turn=1))
    assert moves(guide, 5) == [*["move_forward"] * 4, "turn_right"], "1.07 m are four steps of 0.25"


def test_it_stops_where_only_what_is_near_shows_itself_again_and_again() -> None:
    assert moves(Said(sign(at(15, 8))), 9) == [*["move_forward"] * (4 + 2 + 1 + 1), "stop"]
    far = [sign(at(15, 8)), sign(at(15, 8)), sign(at(15, 8)), sign(at(10, 8))]
    assert moves(Said(*far, *far), 16) == ["move_forward"] * 16, "a farther waypoint shows that the way goes on"


def test_it_looks_for_the_waypoint_to_one_side_and_gives_up_after_a_whole_turn() -> None:
    assert moves(Said(sign(turn=1), sign(turn=0)), 3) == ["turn_right"] * 3
    assert moves(Said(sign(turn=0)), 25) == [*["turn_left"] * 24, "stop"]


def test_it_goes_round_what_it_has_walked_against() -> None:
    agent = WaypointAgent(Said(sign(at(10, 8))), np.radians(15), 0.25, 1.0)
    stance, taken, bumps = Stance(np.array([0.0, 0.0, 0.0]), 0.0), [], 0
    while stance.position[2] > -2.0 and len(taken) < 60:
        taken.append(agent.act(observed((stance.position[0], 1.0, stance.position[2]), stance.heading)))
        turn = {"turn_left": 1, "turn_right": -1}.get(taken[-1], 0) * np.radians(15)
        step = 0.25 * (taken[-1] == "move_forward") * np.array([-np.sin(stance.heading), 0, -np.cos(stance.heading)])
        ahead = stance.position + step
        # A post that is lower than the picture shows: a metre ahead, half a metre wide to the left, less to the right.
        hit = -1.3 < ahead[2] < -1.0 and -0.5 < ahead[0] < 0.2
        bumps += hit
        stance = Stance(stance.position if hit else ahead, stance.heading + turn)
    assert stance.position[2] <= -2.0 and 1 <= bumps <= 4, taken
    assert abs(stance.position[0]) < 1.0


def test_what_it_has_seen_it_walks_round_without_feeling_its_way() -> None:
    seen = observed()
    post = (np.abs(np.arange(16) - 7.5) < 4)[None, :, None] & np.ones((16, 1, 1), bool)
    seen["depth"] = np.where(post, np.float32(1.0), seen["depth"])
    obstacles = Obstacles(1.0)
    obstacles.see(seen)
    way = obstacles.way(Stance(np.array([0.0, 1.0, 0.0]), 0.0), np.array([0.0, 1.0, -3.0]), 0.25, np.radians(15))
    assert way is not None and max(map(abs, way)) >= 2, "a post of a metre's width stands a metre ahead"
    place, heading = np.zeros(3), 0.0
    for turns in way:
        heading += turns * np.radians(15)
        place = place + 0.25 * np.array([-np.sin(heading), 0.0, -np.cos(heading)])
        assert not (abs(place[0]) < 0.5 and -1.15 < place[2] < -0.85)
    assert np.hypot(place[0], place[2] + 3.0) <= 2.0
    free = Obstacles(1.0)
    free.see(observed())
    ahead = free.way(Stance(np.array([0.0, 1.0, 0.0]), 0.0), np.array([0.0, 1.0, -3.0]), 0.25, np.radians(15))
    assert ahead == [0, 0, 0, 0]
