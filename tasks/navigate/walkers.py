"""Who walks in a closed loop, by name: one that follows a model's maps, and those that bound what it can reach."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.errors import UsageError
from tasks.navigate.agents import Agent, OracleAgent, RandomAgent, StillAgent
from tasks.navigate.environment import Setting
from tasks.navigate.guides import Guide, NetworkGuide, TrueGuide
from tasks.navigate.waypoint import WaypointAgent

if TYPE_CHECKING:
    from model.predict import Predictor

WALKERS = ("model", "true_maps", "oracle", "random", "still")
"""The model's follower, the same agent with true maps (what better maps could gain), the shortest way, two floors."""


def walker(name: str, env: Any, setting: Setting, seed: int, predictor: Predictor | None = None) -> Agent:
    """The agent of that name; `UsageError` where the model's is asked for without a model."""
    if name == "model":
        if predictor is None:
            raise UsageError("The agent that follows a model's maps needs a model: name one.")
        return follower(NetworkGuide(predictor), setting)
    if name == "true_maps":
        return follower(TrueGuide(env, setting.height), setting)
    if name == "oracle":
        return OracleAgent(env)
    return RandomAgent(seed) if name == "random" else StillAgent()


def follower(guide: Guide, setting: Setting) -> Agent:
    """The agent that follows a guide's maps."""
    return WaypointAgent(guide, float(np.radians(setting.turn)), setting.forward_step, setting.height)
