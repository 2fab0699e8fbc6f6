"""The closed loop: an agent that follows the model's waypoint maps through the held-out scenes, and who bounds it."""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from model.predict import Predictor
from tasks.bootstrap import interval, resample
from tasks.collect.spec import EpisodeFile
from tasks.errors import UsageError
from tasks.evaluate.spec import EvaluationPlan, NavigationPlan
from tasks.evaluation import MODEL, Figures
from tasks.navigate.agents import Agent, OracleAgent, RandomAgent, StillAgent
from tasks.navigate.environment import Setting, environment
from tasks.navigate.guides import Guide, NetworkGuide, TrueGuide
from tasks.navigate.scores import Score, walk_episode
from tasks.navigate.waypoint import WaypointAgent
from tasks.progress import Progress
from tasks.summary import Estimate

MEASURES = ("success", "spl", "ndtw", "distance_to_goal", "steps")
"""habitat-lab's, and nDTW."""


@dataclass(frozen=True)
class Walked:
    """What every agent made of the same episodes."""

    scores: Mapping[str, Sequence[Score]]
    """Agent -> its walks, in the order of the episodes."""

    def figures(self, plan: EvaluationPlan) -> dict[str, Figures]:
        """Agent -> measure -> mean over episodes, with its interval over scenes."""
        return {agent: means(scores, plan) for agent, scores in self.scores.items()}

    def write(self, path: Path) -> None:
        """One row an agent and episode, as Parquet."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        rows = [{"agent": agent, **asdict(score)} for agent, scores in self.scores.items() for score in scores]
        pq.write_table(pa.Table.from_pylist(rows), path, compression="zstd")


def means(scores: Sequence[Score], plan: EvaluationPlan) -> Figures:
    """Means over the episodes, resampled by scene."""
    names, cluster = np.unique([score.scene for score in scores], return_inverse=True)
    weights = resample(len(names), plan.bootstrap, plan.seed)
    count = weights @ np.bincount(cluster, minlength=len(names))
    found = {}
    for name in MEASURES:
        values = np.array([getattr(score, name) for score in scores], dtype=float)
        drawn = (weights @ np.bincount(cluster, values, len(names))) / count
        low, high = interval(drawn[1:], len(names), plan.confidence) or (None, None)
        found[name] = Estimate(value=float(drawn[0]), low=low, high=high)
    return found


def walk(
    predictor: Predictor, episodes: Path, collected: Mapping[str, Any], plan: EvaluationPlan, folder: Path,
    progress: Progress,
) -> Walked:  # fmt: skip
    """Every agent through the same episodes. `collected` = the plan that the dataset was collected by.

    Raises `UsageError` where habitat-lab is missing, or the split has no episode that is long enough.
    """
    asked = plan.navigation
    file = folder / "episodes.json.gz"
    write_chosen(episodes, plan, file)
    side = predictor.config.image_size
    rooms = collected.get("rooms", (4, 10))
    setting = Setting(
        EpisodeFile(path=str(file)),
        simulator=collected.get("simulator", "embedded"),
        scene_dataset=collected.get("scene_dataset") or "default",
        rooms=(rooms[0], rooms[1]),
        size=(side, side),
        steps=asked.steps,
        success_distance=asked.success_distance,
    )
    with environment(setting) as env:
        count = len(env.episodes)
        with progress.track("walk in a closed loop", count * len(AGENTS), "walks") as track:
            scores: dict[str, list[Score]] = defaultdict(list)
            for name, make in AGENTS.items():
                # An environment goes on where it stands; given its episodes, it begins with the first.
                env.episodes = env.episodes
                agent = make(predictor, env, setting, plan.seed)
                for _ in range(count):
                    scores[name].append(walk_episode(env, agent))
                    track.advance(agent=name)
    return Walked(scores)


def follower(guide: Guide, setting: Setting) -> Agent:
    """The agent that follows a guide's maps."""
    return WaypointAgent(guide, float(np.radians(setting.turn)), setting.forward_step, setting.height)


AGENTS: dict[str, Callable[[Predictor, Any, Setting, int], Agent]] = {
    MODEL: lambda predictor, env, setting, seed: follower(NetworkGuide(predictor), setting),
    "true_maps": lambda predictor, env, setting, seed: follower(TrueGuide(env, setting.height), setting),
    "oracle": lambda predictor, env, setting, seed: OracleAgent(env),
    "random": lambda predictor, env, setting, seed: RandomAgent(seed),
    "still": lambda predictor, env, setting, seed: StillAgent(),
}
"""Who walks: the model, the same agent with true maps (what better maps could gain), the shortest way, two floors."""


def write_chosen(episodes: Path, plan: EvaluationPlan, file: Path) -> None:
    """An episode file with the walks that are asked for: one of every scene first, then the second of every scene."""
    content = json.loads(gzip.decompress(episodes.read_bytes()))
    asked = plan.navigation
    long_enough = [e for e in content["episodes"] if fits(e["info"], plan.split, asked)]
    if not long_enough:
        raise UsageError(
            f"The split {plan.split} has no walk whose goal is {least(asked):g} m away or more: set "
            "evaluate.navigation.success_distance lower, or collect longer walks (collect.steps)."
        )
    chosen = sorted(round_robin(long_enough)[: asked.episodes], key=lambda e: (e["scene_id"], e["episode_id"]))
    file.write_bytes(gzip.compress(json.dumps({**content, "episodes": chosen}).encode(), mtime=0))


def fits(info: Mapping[str, Any], split: str, asked: NavigationPlan) -> bool:
    """Whether an episode is of the split and its goal so far that standing still is no success."""
    return info["split"] == split and info["geodesic_distance"] >= least(asked)


def least(asked: NavigationPlan) -> float:
    """Metres to the goal at least."""
    return 2 * asked.success_distance


def round_robin(episodes: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The first episode of every scene, then the second of every scene, and so on."""
    rank: dict[str, int] = defaultdict(int)

    def ranked() -> Iterator[tuple[int, str, str, dict[str, Any]]]:
        for episode in sorted(episodes, key=lambda e: e["episode_id"]):
            yield rank[episode["scene_id"]], episode["scene_id"], episode["episode_id"], episode
            rank[episode["scene_id"]] += 1

    return [episode for *_, episode in sorted(ranked(), key=lambda entry: entry[:3])]
