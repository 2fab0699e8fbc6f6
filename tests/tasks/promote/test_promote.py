"""Promotion from published evaluations to ledger, refs and aliases: once, in order, and finished after any crash."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import mlflow
import numpy as np
import pytest
from mlflow import MlflowClient

from tasks.errors import BacksightError, DataError, UsageError
from tasks.evaluate.evaluate import load_predictor
from tasks.promote.ledger import Ledger
from tasks.promote.promote import promote
from tasks.promote.settle import digest, read_verdict
from tasks.spec import Outcome
from tasks.stage import execute
from tasks.store import ArtefactStore
from tests.promotions import aliased, night, promotion, publish_checkpoint, publish_evaluation
from tests.published import checkpoint
from tests.score_books import plan_rows


def test_the_first_model_that_beats_the_slot_mean_is_champion(
    store: ArtefactStore, registered: str, tracking_uri: str
) -> None:
    checkpoint, _, result = night(store, registered, 0.2)
    assert result.metrics["promoted"] == 1
    assert store.ref("champion", registered) == checkpoint
    assert store.ref("verdict", digest(checkpoint)) == result.outputs["verdict"]
    assert aliased(tracking_uri, registered) == {"champion": checkpoint}
    verdict = read_verdict(store, result.outputs["verdict"])
    assert verdict.rival == "the slot_mean baseline" and verdict.champion is None


def test_the_first_model_that_does_not_beat_it_is_no_champion(store: ArtefactStore, registered: str) -> None:
    checkpoint, _, result = night(store, registered, 1.5)
    assert result.metrics["promoted"] == 0
    assert store.ref("champion", registered) is None
    assert store.ref("verdict", digest(checkpoint)) == result.outputs["verdict"]


def test_better_replaces_worse_stays_and_the_ledger_tells_both(
    store: ArtefactStore, registered: str, tracking_uri: str
) -> None:
    first, first_evaluation, _ = night(store, registered, 0.4)
    second, second_evaluation, _ = night(store, registered, 0.1, first_evaluation)
    third, _, last = night(store, registered, 0.6, second_evaluation)
    assert last.metrics["promoted"] == 0
    assert aliased(tracking_uri, registered) == {"champion": second, "previous": first, "challenger": third}
    entries = [written.entry for written in Ledger(store, registered).entries()]
    assert [e.number for e in entries] == [2, 1, 0]
    assert [e.checkpoint for e in entries] == [third, second, first]
    assert [e.champion for e in entries] == [second, second, first]
    assert [e.ruling.value for e in entries] == ["keep", "promote", "promote"]


def test_a_version_carries_what_it_was_made_of(store: ArtefactStore, registered: str, tracking_uri: str) -> None:
    checkpoint, _, result = night(store, registered, 0.2)
    (version,) = MlflowClient(tracking_uri, tracking_uri).search_model_versions(f"name='{registered}'")
    assert version.tags["checkpoint"] == checkpoint
    assert version.tags["verdict"] == "promote"
    assert version.tags["verdict_id"] == result.outputs["verdict"]
    assert version.tags["dataset"] == f"dataset/{'0' * 64}"
    artifacts = Path(mlflow.artifacts.download_artifacts(version.source, tracking_uri=tracking_uri))
    assert (artifacts / "data/checkpoint/weights.safetensors").read_text() == f"weights of {registered} 0.2"
    assert (artifacts / "code/model/batch.py").exists()


def test_the_champion_loads_by_its_alias_and_answers_like_the_checkpoint(
    store: ArtefactStore, registered: str, tracking_uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = checkpoint(store, tmp_path)
    execute(promotion(registered, publish_evaluation(store, id, 0.2)), promote)
    draw = np.random.default_rng(0)
    views = {
        "rgb": draw.integers(0, 256, (2, 3, 32, 32, 3), dtype=np.uint8),
        "depth": draw.uniform(1, 4, (2, 3, 32, 32)).astype(np.float32),
        "pose": np.tile(np.eye(4), (2, 3, 1, 1)),
        "intrinsics": np.tile([[16.0, 0, 16], [0, 16, 16], [0, 0, 1]], (2, 3, 1, 1)),
        "instruction": np.array(["walk past the sofa and stop", "stop"]),
    }
    monkeypatch.setattr(sys, "path", list(sys.path))
    champion = mlflow.pyfunc.load_model(f"models:/{registered}@champion")
    answer = champion.predict(views)
    assert answer["heatmap"].shape == (2, 2, 8, 8) and answer["turn"].shape == (2, 3)
    np.testing.assert_allclose(answer["heatmap"].sum((-1, -2)) + answer["none"], 1, atol=1e-5)
    own = load_predictor(store, id).answer(**views)
    for name in own:
        np.testing.assert_allclose(answer[name], own[name], atol=1e-6, err_msg=name)
    assert champion.metadata.signature.inputs.input_names() == list(views)
    assert champion.metadata.signature.outputs.input_names() == list(answer)
    assert champion.predict(champion.input_example)["heatmap"].shape == (2, 1, 8, 8)
    version = MlflowClient(tracking_uri, tracking_uri).get_model_version_by_alias(registered, "champion")
    assert version.description.startswith("# Model card") and "KLD all gain over" in version.description


def test_the_verdict_is_kept_with_the_run(store: ArtefactStore, registered: str, tracking_uri: str) -> None:
    _, _, result = night(store, registered, 0.2)
    kept = [
        Path(mlflow.artifacts.download_artifacts(f"runs:/{result.run_id}/{name}", tracking_uri=tracking_uri))
        for name in ("verdict.md", "verdict.json", "verdict.html")
    ]
    assert kept[0].read_text().startswith(f"# promote: {registered}")
    assert json.loads(kept[1].read_text())["registered"] == registered
    page = kept[2].read_text()
    assert page.count("<svg") == 2 and "needed for a promotion" in page and "worst stratum" in page
    assert "http" not in page.replace("http://www.w3.org", "")


def test_the_same_promotion_again_changes_nothing(store: ArtefactStore, registered: str, tracking_uri: str) -> None:
    _, evaluation, first = night(store, registered, 0.2)
    again = execute(promotion(registered, evaluation), promote)
    forced = execute(promotion(registered, evaluation), promote, force=True)
    assert again.outcome is Outcome.CACHED
    assert first.outputs == again.outputs == forced.outputs
    assert len(list(Ledger(store, registered).entries())) == 1
    assert len(MlflowClient(tracking_uri, tracking_uri).search_model_versions(f"name='{registered}'")) == 1


def test_without_mlflow_the_ledger_and_the_refs_still_tell(
    store: ArtefactStore, registered: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    checkpoint, _, result = night(store, registered, 0.2)
    assert result.run_id is None
    assert store.ref("champion", registered) == checkpoint


def test_mlflow_that_comes_later_is_brought_up_to_date(
    store: ArtefactStore, registered: str, tracking_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    first, evaluation, _ = night(store, registered, 0.2)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking_uri)
    second, _, _ = night(store, registered, 0.5, evaluation)
    assert aliased(tracking_uri, registered) == {"champion": first, "challenger": second}


def test_a_champion_that_was_not_measured_is_asked_for(store: ArtefactStore, registered: str) -> None:
    champion, _, _ = night(store, registered, 0.2)
    with pytest.raises(UsageError, match=f"has a champion, {champion}: evaluate it"):
        night(store, registered, 0.1)


def test_a_verdict_against_a_deposed_champion_does_not_count(store: ArtefactStore, registered: str) -> None:
    first, evaluation, _ = night(store, registered, 0.4)
    second, _, _ = night(store, registered, 0.2, evaluation)
    with pytest.raises(BacksightError, match=f"is {second} by now, but the challenger was judged against {first}"):
        night(store, registered, 0.1, evaluation)
    assert store.ref("champion", registered) == second


def test_the_champion_measured_again_stays_champion(store: ArtefactStore, registered: str) -> None:
    champion, evaluation, _ = night(store, registered, 0.4)
    again = publish_evaluation(store, champion, 0.4, seed=5)
    result = execute(promotion(registered, again, evaluation), promote)
    assert store.ref("champion", registered) == champion
    assert len(list(Ledger(store, registered).entries())) == 1
    assert result.metrics["promoted"] in (0, 1)


@pytest.mark.parametrize(
    ("changed", "said"), [({"grid": 32}, "different presets"), ({"labels": "2"}, "labels '2' and the champion against")]
)
def test_another_preset_or_label_version_is_refused_with_its_reason(
    store: ArtefactStore, registered: str, changed: dict, said: str
) -> None:
    champion, evaluation, _ = night(store, registered, 0.4)
    other = publish_evaluation(store, publish_checkpoint(store, "other"), 0.1, **changed)
    result = execute(promotion(registered, other, evaluation), promote)
    verdict = read_verdict(store, result.outputs["verdict"])
    assert verdict.decision.ruling.value == "refuse"
    assert said in verdict.decision.reason
    assert store.ref("champion", registered) == champion


def test_too_few_scenes_crown_nobody(store: ArtefactStore, registered: str) -> None:
    evaluation = publish_evaluation(store, publish_checkpoint(store, "few"), 0.1, plan=plan_rows(scenes=2))
    result = execute(promotion(registered, evaluation), promote)
    assert read_verdict(store, result.outputs["verdict"]).decision.ruling.value == "inconclusive"
    assert store.ref("champion", registered) is None


def test_an_artefact_of_another_kind_is_told(store: ArtefactStore, registered: str) -> None:
    checkpoint = publish_checkpoint(store, "no evaluation")
    with pytest.raises(DataError, match="is a checkpoint, not an evaluation"):
        execute(promotion(registered, checkpoint), promote)


@pytest.mark.parametrize("how", ["moved", "removed"])
def test_an_alias_moved_or_removed_by_hand_is_put_back_and_said(
    store: ArtefactStore, registered: str, tracking_uri: str, capsys: pytest.CaptureFixture[str], how: str
) -> None:
    first, evaluation, _ = night(store, registered, 0.4)
    second, second_evaluation, _ = night(store, registered, 0.1, evaluation)
    client = MlflowClient(tracking_uri, tracking_uri)
    version = client.search_model_versions(f"name='{registered}' and tag.checkpoint='{first}'")[0].version
    if how == "moved":
        client.set_registered_model_alias(registered, "champion", version)
    else:
        client.delete_registered_model_alias(registered, "champion")
    night(store, registered, 0.6, second_evaluation)
    assert aliased(tracking_uri, registered)["champion"] == second
    assert f"was {how} by hand" in capsys.readouterr().err


def test_a_broken_chain_is_refused(store: ArtefactStore, registered: str) -> None:
    night(store, registered, 0.4)
    ledger = Ledger(store, registered)
    head = ledger.head()
    assert head is not None
    store.set_ref("ledger", registered, head.entry.verdict)
    with pytest.raises(DataError, match="the chain is broken there"):
        ledger.head()
