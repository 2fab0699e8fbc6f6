"""Each planted fault is caught for its reason; clean data passes; the other episodes stay untouched."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path

import pytest

from tasks.validate.examine import examine
from tasks.validate.quality import Quality
from tasks.validate.spec import Thresholds
from tests.tasks.validate.conftest import dataset_in, examined
from tests.tasks.validate.faults import FAULTS
from tests.tasks.validate.recordings import Collection, write_collection

SCENE_WIDE = ("leak between splits",)
"""Faults that cost other episodes their place too, and so are planted alone."""
BY_OTHERS = ("swapped channels", "rotated channels")
"""Faults that are seen by comparison with the other walks, so that most of these must be sound."""
OF_SCENES = ("things moved", "things renamed", "rooms of another", "without doors", "walls of another")
"""Faults of what is told of a scene, which all its walks have."""
SIDES = ("sides swapped",)
"""Seen by nothing."""
BY_MANY = ("gamma twice", "pale", "linear light", "instruction cut off", "inverted colours",
           "tinted pictures", "instruction of another", "gibberish", "loop told as revisit",
           "revisit told as loop")  # fmt: skip
"""Faults that show, or always show, in large collections alone: `backsight bench faults` has 500 walks for them."""
ALONE = (*SCENE_WIDE, *OF_SCENES, *SIDES, *BY_OTHERS, *BY_MANY, "near leak", "truncated shard")
SHARED = {
    "it repeats another episode",
    "it shows what another episode shows",
    "frames of it are also in another split",
    "an episode of another split shows what it shows",
}
"""What sound walks are told whose pictures, depth or poses were planted into others."""
TOGETHER = [name for name in FAULTS if name not in ALONE]


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
        victim = next(r for r in reversed(free) if FAULTS[name].fits(r, pristine))
        FAULTS[name].plant(victim, pristine)
        free.remove(victim)
        planted[name] = victim.episode
    return planted


@pytest.fixture(scope="module")
def quarters(pristine: Collection, tmp_path_factory: pytest.TempPathFactory) -> list[Planted]:
    """Every fourth fault in one collection, and so on."""
    found = []
    for names in (TOGETHER[begin::4] for begin in range(4)):
        collection = copy.deepcopy(pristine)
        episodes = plant(collection, pristine, names)
        quality = examined(collection, tmp_path_factory.mktemp("planted") / "dataset")
        found.append(Planted(episodes, {r.episode for r in collection.recordings}, quality))
    return found


@pytest.mark.parametrize("name", TOGETHER)
def test_a_planted_fault_is_caught_for_its_reason(quarters: list[Planted], name: str) -> None:
    planted = next(part for part in quarters if name in part.episodes)
    reasons = planted.quality.rejected.get(planted.episodes[name], [])
    assert any(FAULTS[name].reason in reason for reason in reasons), reasons


def test_episodes_without_a_fault_are_kept(quarters: list[Planted]) -> None:
    for planted in quarters:
        beside = planted.quality.rejected.keys() - set(planted.episodes.values())
        assert all(set(planted.quality.rejected[episode]) <= SHARED for episode in beside)
        assert planted.quality.accepted == len(planted.all_episodes) - len(planted.episodes) - len(beside)


def test_so_many_faults_are_below_the_gate(quarters: list[Planted]) -> None:
    for planted in quarters:
        assert not planted.quality.passed
        told = f"{len(planted.quality.rejected)} of {len(planted.all_episodes)} episodes were rejected"
        assert told in planted.quality.reasons[0]


@pytest.mark.parametrize("name", ["things moved", "rooms of another"])
def test_a_scene_that_is_told_wrong_costs_its_walks(
    collection: Collection, pristine: Collection, tmp_path: Path, name: str
) -> None:
    (victim,) = plant(collection, pristine, [name]).values()
    scene = next(r.scene for r in pristine.recordings if r.episode == victim)
    quality = examined(collection, tmp_path / "dataset")
    assert quality.rejected.keys() == {r.episode for r in pristine.recordings if r.scene == scene}
    assert all(any(FAULTS[name].reason in reason for reason in reasons) for reasons in quality.rejected.values())


@pytest.mark.parametrize("name", BY_OTHERS)
def test_colours_are_compared_with_those_of_equal_things_elsewhere(
    collection: Collection, pristine: Collection, tmp_path: Path, name: str
) -> None:
    (victim,) = plant(collection, pristine, [name]).values()
    quality = examined(collection, tmp_path / "dataset")
    assert quality.rejected.keys() == {victim}
    assert any(FAULTS[name].reason in reason for reason in quality.rejected[victim])


def test_a_held_out_walk_that_shows_training_views_is_out_with_its_source_alone(
    collection: Collection, pristine: Collection, tmp_path: Path
) -> None:
    victim = next(r for r in collection.recordings if FAULTS["near leak"].fits(r, pristine))
    FAULTS["near leak"].plant(victim, pristine)
    quality = examined(collection, tmp_path / "dataset")
    told = {name for name, reasons in quality.rejected.items() if any(FAULTS["near leak"].reason in r for r in reasons)}
    assert victim.episode in told and len(told) == 2


def test_a_slightly_changed_copy_is_out_and_its_original_warned_of(
    collection: Collection, pristine: Collection, tmp_path: Path
) -> None:
    (victim,) = plant(collection, pristine, ["near copy"]).values()
    quality = examined(collection, tmp_path / "dataset")
    assert quality.rejected.keys() == {victim}
    (warned,) = [check for check in quality.checks if check.column == "alike_later"]
    assert warned.severity == "warn" and warned.failed == 1 and victim not in warned.examples


def test_an_empty_shard_costs_its_episodes(collection: Collection, tmp_path: Path) -> None:
    write_collection(tmp_path / "dataset", collection)
    (tmp_path / "dataset" / "shards" / "000.tar").write_bytes(b"")
    quality, _ = examine(dataset_in(tmp_path / "dataset", collection.plan), Thresholds(), 1, lambda count: None)
    assert quality.rejected.keys() == {r.episode for r in collection.recordings[:8]}


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
    write_collection(tmp_path / "dataset", collection)
    shard = tmp_path / "dataset" / "shards" / "000.tar"
    shard.write_bytes(shard.read_bytes()[: shard.stat().st_size * 3 // 4])
    quality, _ = examine(dataset_in(tmp_path / "dataset", collection.plan), Thresholds(), 1, lambda count: None)
    in_shard = {r.episode for r in collection.recordings[:8]}
    assert quality.rejected and quality.rejected.keys() < in_shard
    assert all("a picture cannot be read back whole from its shard" in r for r in quality.rejected.values())
