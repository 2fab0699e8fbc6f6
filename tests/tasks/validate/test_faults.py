"""Each planted fault is caught for its reason; clean data passes; the other episodes stay untouched."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path

import pytest

from tasks.validate.quality import Quality
from tests.tasks.validate.conftest import examined
from tests.tasks.validate.faults import FAULTS, Fault
from tests.tasks.validate.recordings import Collection, Recording

SCENE_WIDE = ("leak between splits",)
"""Faults that cost other episodes their place too, and so are planted alone."""


@dataclass(frozen=True)
class Planted:
    """A collection with one fault in each of many episodes, and what validation said of it."""

    episodes: dict[str, str]
    """Fault -> episode."""
    all_episodes: set[str]
    quality: Quality


def plant(collection: Collection, pristine: Collection, names: list[str]) -> dict[str, str]:
    """Plant each fault into a training episode of its own; the pickiest faults choose first."""
    free = [r for r in collection.recordings if r.split == "train"]
    planted = {}
    for name in sorted(names, key=lambda name: FAULTS[name].stratum is None):
        victim = next(r for r in reversed(free) if fits(FAULTS[name], r))
        FAULTS[name].plant(victim, pristine)
        free.remove(victim)
        planted[name] = victim.episode
    return planted


def fits(fault: Fault, recording: Recording) -> bool:
    return fault.stratum in (None, recording.stratum)


@pytest.fixture(scope="module")
def planted(pristine: Collection, tmp_path_factory: pytest.TempPathFactory) -> Planted:
    collection = copy.deepcopy(pristine)
    episodes = plant(collection, pristine, [name for name in FAULTS if name not in SCENE_WIDE])
    quality = examined(collection, tmp_path_factory.mktemp("planted") / "dataset")
    return Planted(episodes, {r.episode for r in collection.recordings}, quality)


@pytest.mark.parametrize("name", [name for name in FAULTS if name not in SCENE_WIDE])
def test_a_planted_fault_is_caught_for_its_reason(planted: Planted, name: str) -> None:
    reasons = planted.quality.rejected.get(planted.episodes[name], [])
    assert any(FAULTS[name].reason in reason for reason in reasons), reasons


def test_episodes_without_a_fault_are_kept(planted: Planted) -> None:
    assert planted.quality.rejected.keys() == set(planted.episodes.values())
    assert planted.quality.accepted == len(planted.all_episodes) - len(planted.episodes)


def test_so_many_faults_are_below_the_gate(planted: Planted) -> None:
    assert not planted.quality.passed
    assert (
        f"{len(planted.episodes)} of {len(planted.all_episodes)} episodes were rejected" in planted.quality.reasons[0]
    )


def test_clean_data_passes_whole(collection: Collection, tmp_path: Path) -> None:
    quality = examined(collection, tmp_path / "dataset")
    assert quality.rejected == {} and quality.passed and quality.reasons == []
    assert quality.accepted == quality.episodes == len(collection.recordings)
    assert [check for check in quality.checks if check.failed and check.severity == "reject"] == []
    assert quality.statistics["episodes.in_place"]["least"] > 0.97


def test_a_leak_between_splits_costs_the_scene(collection: Collection, pristine: Collection, tmp_path: Path) -> None:
    (name,) = SCENE_WIDE
    (victim,) = plant(collection, pristine, [name]).values()
    scene = next(r.scene for r in pristine.recordings if r.episode == victim)
    quality = examined(collection, tmp_path / "dataset")
    assert quality.rejected.keys() == {r.episode for r in pristine.recordings if r.scene == scene}
    assert all(any(FAULTS[name].reason in reason for reason in reasons) for reasons in quality.rejected.values())


def test_views_that_leak_under_another_name_are_found(collection: Collection, tmp_path: Path) -> None:
    source = next(r for r in collection.recordings if r.split == "train")
    victim = next(r for r in collection.recordings if r.split == "val_unseen")
    for kind in ("rgb", "depth", "semantic"):
        getattr(victim, kind)[4:8] = getattr(source, kind)[4:8]
    quality = examined(collection, tmp_path / "dataset")
    for episode in (source.episode, victim.episode):
        assert "frames of it are also in another split" in quality.rejected[episode]


def test_a_truncated_shard_costs_the_episodes_that_are_cut(collection: Collection, tmp_path: Path) -> None:
    from tasks.validate.examine import examine
    from tasks.validate.spec import Thresholds
    from tests.tasks.validate.conftest import dataset_in
    from tests.tasks.validate.recordings import write_collection

    write_collection(tmp_path / "dataset", collection)
    shard = tmp_path / "dataset" / "shards" / "000.tar"
    shard.write_bytes(shard.read_bytes()[: shard.stat().st_size * 3 // 4])
    quality, _ = examine(dataset_in(tmp_path / "dataset", collection.plan), Thresholds(), 1, lambda count: None)
    in_shard = {r.episode for r in collection.recordings[:8]}
    assert quality.rejected and quality.rejected.keys() < in_shard
    assert all("a picture cannot be read back whole from its shard" in r for r in quality.rejected.values())
