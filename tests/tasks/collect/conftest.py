"""One simulator and one small dataset for all tests of the stage."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tasks.collect.dataset import Summary, collect_into
from tasks.collect.embedded.simulator import EmbeddedSimulator
from tasks.collect.live import Walked
from tasks.collect.spec import CollectPlan, SplitPlan

SMALL = CollectPlan(
    train=SplitPlan(scenes=2, episodes=4),
    val_seen=SplitPlan(scenes=1, episodes=1),
    val_unseen=SplitPlan(scenes=1, episodes=2),
    sealed=SplitPlan(scenes=1, episodes=1),
    scenes_per_shard=1,
    rooms=(4, 5),
    steps=24,
)


@dataclass(frozen=True)
class Collected:
    """A dataset in a folder."""

    folder: Path
    summary: Summary
    told: list[Walked]


@pytest.fixture(scope="session")
def simulator() -> Iterator[EmbeddedSimulator]:
    simulator = EmbeddedSimulator((4, 8))
    simulator.load("b12")
    yield simulator
    simulator.close()


@pytest.fixture(scope="session")
def collected(tmp_path_factory: pytest.TempPathFactory) -> Collected:
    folder, told = tmp_path_factory.mktemp("collected"), list[Walked]()
    summary = collect_into(folder, SMALL, 3, 2, told.append)
    return Collected(folder, summary, told)
