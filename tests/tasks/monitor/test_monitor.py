"""The stage from published data to a logged decision, and its clear outcome for everything that cannot be compared."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.errors import UsageError
from tasks.monitor.events import Action, Rule, Window
from tasks.monitor.log import DecisionLog, Logged
from tasks.monitor.monitor import monitor
from tasks.monitor.page import explain
from tasks.monitor.performance import measured
from tasks.monitor.policy import TriggerPolicy
from tasks.monitor.spec import DriftPlan, MonitorPlan, MonitorSpec
from tasks.spec import ManifestId, Outcome
from tasks.stage import execute
from tasks.store import ArtefactStore, Manifest
from tests import box_world
from tests.box_world import write_dataset
from tests.promotions import publish_evaluation
from tests.published import checkpoint

PASSED = {"passed": True, "reasons": [], "rejected": 0}
POLICY = TriggerPolicy(votes=1, windows=1, alpha=0.05, metric="kld", minimum_episodes=10)
PLAN = MonitorPlan(drift=DriftPlan(scenes=8, views=2, permutations=199), trigger=POLICY)
SCENES = 16


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Rendered rooms as they are, and the same rooms in a quarter of the light."""
    folder = tmp_path_factory.mktemp("worlds")
    usual = write_dataset(folder / "usual", {"train": SCENES}, episodes=1, frames=6)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(box_world, "PALETTE", box_world.PALETTE // 4)
        dark = write_dataset(folder / "dark", {"train": SCENES}, episodes=1, frames=6)
    return {"usual": usual, "dark": dark}


def published(
    store: ArtefactStore, world: Path, scenes: range, quality: dict | None = PASSED, **how: object
) -> ManifestId:
    """Some rooms of a world as `validate` would publish them; `drop` leaves a column out."""
    index = pq.read_table(world / "index.parquet")
    wanted = [f"box-{number:03d}" for number in scenes]
    index = index.filter(pa.compute.is_in(index.column("scene"), value_set=pa.array(wanted, pa.string())))
    if how.get("drop"):
        index = index.drop_columns([str(how["drop"])])
    path = world.parent / "index.parquet"
    pq.write_table(index, path)
    names = ["scenes.json", "episodes.json.gz", *(f"shards/{shard.name}" for shard in (world / "shards").iterdir())]
    blobs = {"index.parquet": store.put_blob(path), **{name: store.put_blob(world / name) for name in names}}
    return store.publish(Manifest(kind="dataset", blobs=blobs, meta={"quality": quality} if quality else {}))


def watched(store: ArtefactStore, at: float = 1e9, **fields: object) -> Logged:
    result = execute(MonitorSpec(at=at, plan=PLAN, **fields), monitor)  # type: ignore[arg-type]
    return DecisionLog(store, "backsight").read(result.outputs["decision"])


def test_another_night_of_the_same_world_is_quiet_and_a_changed_one_that_costs_is_not(
    store: ArtefactStore, worlds: dict[str, Path], tmp_path: Path
) -> None:
    champion = checkpoint(store, tmp_path)
    reference = published(store, worlds["usual"], range(8))
    baseline = publish_evaluation(store, champion, 0.2)
    inputs = {"checkpoint": champion, "reference": reference, "baseline": baseline}
    same = published(store, worlds["usual"], range(8, SCENES))
    quiet = watched(store, dataset=same, evaluation=baseline, **inputs)
    assert quiet.decision.rule is Rule.QUIET, explain(quiet)

    dark = published(store, worlds["dark"], range(8, SCENES))
    harmless = watched(store, 1e9 + 9e4, dataset=dark, evaluation=baseline, **inputs)
    assert harmless.decision.rule is Rule.PROPOSED, explain(harmless)

    worse = publish_evaluation(store, champion, 0.3, seed=1)
    last = published(store, worlds["dark"], range(SCENES))
    settings = {"preset": "tiny", "overrides": {"collect.buildings": "halls"}}
    fired = watched(store, 1e9 + 18e4, dataset=last, evaluation=worse, **inputs, **settings)
    assert (fired.decision.action, fired.decision.rule) == (Action.RETRAIN, Rule.CONFIRMED), explain(fired)
    event = fired.decision.event
    assert isinstance(event, Window) and event.about in ("pictures", "embeddings")
    assert event.episodes == 8, "episodes that the champion has learnt from are not new"
    assert fired.facts["overrides"] == {"collect.buildings": "halls"}
    told = explain(fired)
    assert "pictures.brightness" in told and f"read     dataset: {last}" in told
    assert [logged.number for logged in DecisionLog(store, "backsight").entries()] == [2, 1, 0]


def test_the_same_look_again_is_a_hit(store: ArtefactStore, worlds: dict[str, Path]) -> None:
    spec = MonitorSpec(at=1e9, dataset=published(store, worlds["usual"], range(4)), plan=PLAN)
    first = execute(spec, monitor)
    assert execute(spec, monitor).outcome is Outcome.CACHED
    assert execute(spec, monitor, force=True).outputs == first.outputs, "a forced repetition is told once"


FAILED = {"passed": False, "reasons": ["all 40 episodes were rejected"], "rejected": 40}


def test_bad_or_empty_data_asks_for_collection(store: ArtefactStore, worlds: dict[str, Path]) -> None:
    rejected = watched(store, dataset=published(store, worlds["usual"], range(4), FAILED))
    assert (rejected.decision.action, rejected.decision.rule) == (Action.COLLECT, Rule.QUALITY)
    assert rejected.decision.reason == "all 40 episodes were rejected"
    empty = watched(store, 1e9 + 9e4, dataset=published(store, worlds["usual"], range(0)))
    assert (empty.decision.action, empty.decision.rule) == (Action.COLLECT, Rule.QUALITY)
    assert "lists no frames" in empty.decision.reason
    with pytest.raises(UsageError, match="has not been validated"):
        watched(store, dataset=published(store, worlds["usual"], range(4), None))


def test_what_cannot_be_compared_is_decided_in_a_sentence(
    store: ArtefactStore, worlds: dict[str, Path], tmp_path: Path
) -> None:
    champion = checkpoint(store, tmp_path)
    whole, one = published(store, worlds["usual"], range(8)), published(store, worlds["usual"], range(8, 9))
    cases = [
        ({"dataset": whole}, "there is no champion yet"),
        ({"dataset": whole, "checkpoint": champion}, "does not say which data it learnt from"),
        (
            {"dataset": whole, "checkpoint": champion, "reference": f"dataset/{'0' * 64}"},
            "training data cannot be read",
        ),
        (
            {
                "dataset": whole,
                "checkpoint": champion,
                "reference": published(store, worlds["usual"], range(4), drop="stratum"),
            },
            "training data cannot be read: The dataset's index",
        ),
        (
            {"dataset": one, "checkpoint": champion, "reference": whole},
            "the newest data cannot be compared: it has walks",
        ),
        (
            {"dataset": whole, "checkpoint": champion, "reference": one},
            "training data cannot be compared: it has walks",
        ),
    ]
    for number, (fields, said) in enumerate(cases):
        name = f"model-{number}"
        result = execute(MonitorSpec(at=1e9 + number, plan=PLAN, registered=name, **fields), monitor)  # type: ignore[arg-type]
        decision = DecisionLog(store, name).read(result.outputs["decision"]).decision
        assert (decision.action, decision.rule) == (Action.NONE, Rule.NOT_COMPARED)
        assert said in decision.reason, decision.reason


def test_a_loss_is_paired_on_equal_views_and_signed_so_that_more_is_worse(store: ArtefactStore, tmp_path: Path) -> None:
    champion = checkpoint(store, tmp_path)
    before, after = publish_evaluation(store, champion, 0.2, seed=0), publish_evaluation(store, champion, 0.3, seed=0)
    loss = measured(store, after, before, "kld", 0)
    assert loss.value == pytest.approx(0.5, abs=0.01) and loss.error < 0.01
    assert measured(store, after, before, "cc", 0).value > 0.02
    assert measured(store, before, before, "kld", 0).value == 0
    unpaired = measured(store, publish_evaluation(store, champion, 0.3, seed=5), before, "kld", 0)
    assert np.isfinite(unpaired.error) and unpaired.error > loss.error
