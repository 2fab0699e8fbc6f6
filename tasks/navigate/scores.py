"""Walks agents through an environment's episodes, and sums up how they did."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from tasks.navigate.agents import Agent


@dataclass(frozen=True)
class Score:
    """One episode's outcome, as habitat-lab's measures have it."""

    episode: str
    scene: str
    steps: int
    success: float
    spl: float
    ndtw: float
    distance_to_goal: float
    """Metres, geodesic."""
    shortest: float
    """Metres, geodesic, from start to goal."""


def walk_episode(env: Any, agent: Agent) -> Score:
    """One episode to its end: `stop`, or the most steps that the environment allows."""
    observations = env.reset()
    agent.reset()
    shortest, steps = float(env.get_metrics()["distance_to_goal"]), 0
    while not env.episode_over:
        observations = env.step(agent.act(observations))
        steps += 1
    metrics, episode = env.get_metrics(), env.current_episode
    return Score(
        episode=str(episode.episode_id),
        scene=str(episode.scene_id),
        steps=steps,
        shortest=shortest,
        **{name: float(metrics[name]) for name in ("success", "spl", "ndtw", "distance_to_goal")},
    )


def walk_episodes(env: Any, agent: Agent, count: int) -> list[Score]:
    """The first `count` episodes, or all where there are fewer."""
    return [walk_episode(env, agent) for _ in range(min(count, len(env.episodes)))]


def summary(scores: list[Score]) -> dict[str, float]:
    """Means over episodes; `shortest` and `steps` tell how long they were."""
    rows = [asdict(score) for score in scores]
    names = ("success", "spl", "ndtw", "distance_to_goal", "shortest", "steps")
    return {"episodes": len(rows)} | {name: float(np.mean([row[name] for row in rows])) for name in names}
