"""From the champion's newest evaluation in training scenes to the keys of the night that walks to its failures."""

from __future__ import annotations

import pytest

from flows.retraining import MINED, hard_settings
from tasks.collect.schedule import scenes_of, shards_of
from tasks.collect.spec import HardView, Split, Stratum
from tasks.preset import load_preset
from tasks.store import ArtefactStore, Manifest

SMOKE = "tests/presets/smoke.yaml"


def test_a_night_mines_only_where_it_is_asked_to_and_something_is_known(store: ArtefactStore) -> None:
    asked = load_preset(SMOKE, {"monitor.mining.share": 0.25, "monitor.mining.scenes": 2})
    assert hard_settings(store, asked) == {}, "nothing was evaluated yet"
    store.set_ref("latest", MINED, "evaluation/" + "0" * 64)
    assert hard_settings(store, asked) == {}, "what was evaluated is gone"
    mined = store.publish(Manifest(kind="evaluation", blobs={"metrics.json": store.put_blob(b"{}")}))
    store.set_ref("latest", MINED, mined)
    assert hard_settings(store, load_preset(SMOKE)) == {}, "not asked for"
    found = hard_settings(store, asked)
    assert found["collect.mined_from"] == mined and found["collect.mined_scenes"] == 2


@pytest.mark.parametrize("share", [0.1, 0.25, 0.5])
def test_the_share_is_that_of_all_training_walks(store: ArtefactStore, share: float) -> None:
    mined = store.publish(Manifest(kind="evaluation", blobs={"metrics.json": store.put_blob(b"{}")}))
    store.set_ref("latest", MINED, mined)
    changed = {"monitor.mining.share": share, "collect.train.scenes": 90, "collect.strata.loop": 0.4}
    night = load_preset(SMOKE, {**changed, **hard_settings(store, load_preset(SMOKE, changed))})
    plan = night.collect.model_copy(
        update={"hard": (HardView(scene=scenes_of(night.collect, 3, Split.TRAIN)[0], position=(0, 0, 0)),)}
    )
    shards = [shard for shard in shards_of(plan, 3) if shard.split is Split.TRAIN]
    strata = [errand.stratum for shard in shards for visit in shard.visits for errand in visit.errands]
    assert strata.count(Stratum.HARD) / len(strata) == pytest.approx(share, abs=0.005)
    assert len(strata) - strata.count(Stratum.HARD) == 180, "the usual walks are as many as ever"
