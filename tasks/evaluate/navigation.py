"""The closed loop: an agent that follows the model's waypoint maps through the held-out scenes, and who bounds it."""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from model.data.views import in_turns
from model.predict import Predictor
from tasks.collect.spec import EpisodeFile
from tasks.errors import UsageError
from tasks.evaluate.spec import EvaluationPlan, NavigationPlan
from tasks.evaluation import Figures
from tasks.navigate.environment import Setting, environment
from tasks.navigate.scores import Score, walk_episode
from tasks.navigate.walkers import WALKERS, walker
from tasks.progress import Progress
from tasks.report import MEASURES
from tasks.summary import by_scene


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
    draws = by_scene(np.array([score.scene for score in scores]), plan.bootstrap, plan.confidence, plan.seed)
    return {name: draws.mean(np.array([getattr(score, name) for score in scores], dtype=float)) for name in MEASURES}


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
        with progress.track("walk in a closed loop", count * len(WALKERS), "walks") as track:
            scores: dict[str, list[Score]] = defaultdict(list)
            for name in WALKERS:
                # An environment goes on where it stands; given its episodes, it begins with the first.
                env.episodes = env.episodes
                agent = walker(name, env, setting, plan.seed, predictor)
                for _ in range(count):
                    scores[name].append(walk_episode(env, agent))
                    track.advance(agent=name)
    return Walked(scores)


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
    # In the order of their names, so that the choice does not hang on that of the file.
    long_enough.sort(key=lambda e: e["episode_id"])
    turns = in_turns([e["scene_id"] for e in long_enough])[: asked.episodes]
    chosen = sorted((long_enough[turn] for turn in turns), key=lambda e: (e["scene_id"], e["episode_id"]))
    file.write_bytes(gzip.compress(json.dumps({**content, "episodes": chosen}).encode(), mtime=0))


def fits(info: Mapping[str, Any], split: str, asked: NavigationPlan) -> bool:
    """Whether an episode is of the split and its goal so far that standing still is no success."""
    return info["split"] == split and info["geodesic_distance"] >= least(asked)


def least(asked: NavigationPlan) -> float:
    """Metres to the goal at least."""
    return 2 * asked.success_distance
