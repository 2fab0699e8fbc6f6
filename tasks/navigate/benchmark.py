"""`backsight bench navigate`: an agent in habitat-lab's `Env` on R2R-format episodes. Prints its scores.

Without --file the episodes are collected first: forward walks through procedural buildings, told in words.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import replace
from pathlib import Path

from tasks.collect.dataset import collect_into
from tasks.collect.spec import CollectPlan, EpisodeFile, SplitPlan, Stratum
from tasks.errors import DataError
from tasks.navigate import lab
from tasks.navigate.environment import Setting, environment
from tasks.navigate.scores import Score, summary, walk_episodes
from tasks.navigate.walkers import WALKERS, walker
from tasks.predict.networks import open_network
from tasks.report import MEASURES

PER_SCENE = 4
ROOMS = (4, 10)


def main(argv: list[str] | None = None) -> int:
    """Print the scores."""
    parser = argparse.ArgumentParser(description="Walk R2R-format episodes in habitat-lab's Env.")
    parser.add_argument("--episodes", type=int, default=100)
    parser.add_argument("--file", type=Path, help="episode file (R2R-CE, RxR-CE, or our own) instead of a fresh one")
    parser.add_argument("--scenes-dir", default="", help="folder that the file's scene ids are relative to")
    parser.add_argument("--simulator", choices=("embedded", "habitat"), default="embedded")
    parser.add_argument("--scene-dataset", default="default", help="habitat: scene_dataset_config.json")
    parser.add_argument("--agent", choices=[name.replace("_", "-") for name in WALKERS], default="oracle")
    parser.add_argument("--model", default="champion", help="of --agent model: champion, a checkpoint's folder or id")
    parser.add_argument("--steps", type=int, default=500, help="actions after which an episode ends")
    parser.add_argument("--success-distance", type=float, default=3.0, help="metres; R2R-CE's are 3")
    parser.add_argument("--seed", type=int, default=0, help="of the fresh episodes and the random agent")
    parser.add_argument("--json", action="store_true", help="print one JSON object, with every episode")
    args = parser.parse_args(argv)
    lab.prepare()
    with tempfile.TemporaryDirectory() as folder:
        file = args.file or fresh_episodes(Path(folder), args.episodes, args.seed)
        setting = Setting(
            EpisodeFile(path=str(file), scenes_dir=args.scenes_dir),
            simulator=args.simulator,
            scene_dataset=args.scene_dataset,
            rooms=ROOMS,
            success_distance=args.success_distance,
            steps=args.steps,
        )
        predictor = open_network(args.model, None, False).predictor if args.agent == "model" else None
        if predictor:
            side = predictor.config.image_size
            setting = replace(setting, size=(side, side))
        with environment(setting) as env:
            agent = walker(args.agent.replace("-", "_"), env, setting, args.seed, predictor)
            scores = walk_episodes(env, agent, args.episodes)
    show(scores, args.agent, args.json)
    return 0


def fresh_episodes(folder: Path, count: int, seed: int) -> Path:
    """An episode file with `count` walks of 8 to 13 metres through buildings of their own, as R2R-CE's are long."""
    scenes = -(-count // PER_SCENE) + 1
    plan = CollectPlan(
        train=SplitPlan(scenes=scenes, episodes=PER_SCENE),
        val_seen=SplitPlan(scenes=0),
        val_unseen=SplitPlan(scenes=0),
        sealed=SplitPlan(scenes=0),
        strata={Stratum.FORWARD: 1.0},
        steps=80,
        rooms=ROOMS,
    )
    summary = collect_into(folder, plan, seed, 1, lambda _: None)
    if summary.episodes < count:
        raise DataError(f"Only {summary.episodes} of {count} episodes could be made: take another --seed.")
    return folder / "episodes.json.gz"


def show(scores: list[Score], agent: str, as_json: bool) -> None:
    """Print means (and, as JSON, every episode)."""
    found = summary(scores)
    if as_json:
        print(json.dumps({"navigate": {"agent": agent, **found}, "episodes": [vars(score) for score in scores]}))
        return
    print(f"{agent} agent, {found['episodes']:.0f} episodes of {found['shortest']:.1f} m on average")
    for name in MEASURES:
        print(f"{name:18}{found[name]:.3f}")


if __name__ == "__main__":
    raise SystemExit(main())
