"""A former champion is back in seconds: ledger, refs, aliases; who and why are kept; and what has no way back."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from mlflow import MlflowClient

from tasks.errors import DataError, UsageError
from tasks.promote.ledger import Act, Ledger
from tasks.promote.promote import promote
from tasks.promote.rollback import roll_back
from tasks.promote.settle import digest
from tasks.promote.spec import Policy, PromoteSpec
from tasks.settings import StoreSettings
from tasks.spec import ManifestId
from tasks.stage import execute
from tasks.store import ArtefactStore, open_store
from tasks.store.blobs import key
from tests.local_stack import LocalStack
from tests.promotions import publish_checkpoint, publish_evaluation

NAME = "drill"


def challenge(
    store: ArtefactStore,
    error: float,
    rival: ManifestId | None = None,
    name: str = NAME,
    seed: int = 0,
    **policy: object,
) -> tuple[ManifestId, ManifestId]:
    """A judged challenger: its checkpoint and its evaluation."""
    checkpoint = publish_checkpoint(store, f"{name} {error}")
    evaluation = publish_evaluation(store, checkpoint, error, seed=seed or round(1000 * error))
    rules = Policy(**{"resamples": 1000, "nights": 1, **policy})
    execute(PromoteSpec(evaluation=evaluation, champion=rival, policy=rules, registered=name), promote)
    return checkpoint, evaluation


@pytest.fixture
def two(store: ArtefactStore) -> tuple[ManifestId, ManifestId]:
    """The champion before and the champion, of a ledger without MLflow."""
    first, evaluation = challenge(store, 0.4)
    return first, challenge(store, 0.2, evaluation)[0]


def test_the_champion_before_is_back_and_the_ledger_says_who_and_why(
    store: ArtefactStore, two: tuple[ManifestId, ManifestId]
) -> None:
    first, second = two
    entry = roll_back(store, NAME, None, "it runs into\n glass doors").entry
    assert store.ref("champion", NAME) == first
    newest = next(Ledger(store, NAME).entries()).entry
    assert newest == entry and (newest.act, newest.champion, newest.former) == (Act.ROLLBACK, first, second)
    assert newest.why == "it runs into glass doors" and "@" in newest.by
    assert datetime.fromisoformat(newest.at).tzinfo == UTC


def test_a_second_rollback_undoes_the_first(store: ArtefactStore, two: tuple[ManifestId, ManifestId]) -> None:
    roll_back(store, NAME, None, "a mistake")
    assert roll_back(store, NAME, None, "it was none").entry.champion == two[1]
    assert [w.entry.number for w in Ledger(store, NAME).entries()] == [3, 2, 1, 0]


def test_any_former_champion_can_be_named_by_its_digest(store: ArtefactStore) -> None:
    first, evaluation = challenge(store, 0.5)
    _, second = challenge(store, 0.25, evaluation)
    challenge(store, 0.1, second)
    assert roll_back(store, NAME, digest(first)[:10], "older but sound").entry.champion == first


def test_what_was_withdrawn_does_not_come_back_by_itself(
    store: ArtefactStore, two: tuple[ManifestId, ManifestId]
) -> None:
    first, second = two
    roll_back(store, NAME, None, "it runs into glass doors")
    again = publish_evaluation(store, first, 0.4, seed=77)
    assert challenge(store, 0.2, again, seed=78)[0] == second
    assert store.ref("champion", NAME) == first
    entry = next(Ledger(store, NAME).entries()).entry
    assert entry.ruling == "promote" and "withdrew this model" in entry.why and "glass doors" in entry.why
    roll_back(store, NAME, digest(second), "the doors are marked now")
    assert store.ref("champion", NAME) == second


def test_a_policy_that_lets_nobody_move_records_the_win_and_keeps_the_champion(store: ArtefactStore) -> None:
    challenge(store, 0.2, people="never")
    entry = next(Ledger(store, NAME).entries()).entry
    assert entry.ruling == "promote" and entry.champion is None and "people: never" in entry.why


def lose_the_files(store: ArtefactStore, checkpoint: ManifestId) -> None:
    store.bucket.remove(key(store.manifest(checkpoint).blobs["weights.safetensors"]))


def nothing(store: ArtefactStore, checkpoint: ManifestId) -> None:
    pass


@pytest.mark.parametrize(
    ("champions", "before", "to", "why", "sentence"),
    [
        (0, nothing, None, "because", "has no champion yet"),
        (1, nothing, None, "because", "no previous one to go back to"),
        (2, nothing, None, " ", "needs its reason"),
        (2, nothing, "abcdef", "because", "was never champion of drill"),
        (2, nothing, "", "because", "fits several champions"),
        (2, nothing, "7", "because", "without MLflow"),
        (2, lose_the_files, None, "because", "Files of checkpoint/"),
    ],
)
def test_what_cannot_be_restored_is_told_in_a_sentence(
    store: ArtefactStore,
    champions: int,
    before: Callable[[ArtefactStore, ManifestId], None],
    to: str | None,
    why: str,
    sentence: str,
) -> None:
    first, rival = None, None
    for error in (0.4, 0.2)[:champions]:
        checkpoint, rival = challenge(store, error, rival)
        first = first or checkpoint
    before(store, first or "")
    head = store.ref("ledger", NAME)
    with pytest.raises((UsageError, DataError), match=sentence) as told:
        roll_back(store, NAME, to, why)
    assert "\n" not in str(told.value)
    assert store.ref("ledger", NAME) == head


def test_the_drill_on_the_local_stack(stack: LocalStack, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in stack.environment().items():
        monkeypatch.setenv(name, value)
    for name, value in stack.settings().items():
        monkeypatch.setenv(name, value)
    store, uri = open_store(StoreSettings.load()), stack.settings()["MLFLOW_TRACKING_URI"]
    first, evaluation = challenge(store, 0.4)
    second, _ = challenge(store, 0.2, evaluation)
    client = MlflowClient(uri, uri)
    begun = time.monotonic()
    done = stack.backsight("rollback", "--model", NAME, "--why", "it runs into glass doors")
    print(f"rollback took {time.monotonic() - begun:.1f} s")
    assert done.returncode == 0, done.stderr
    assert first in done.stdout and second in done.stdout and "glass doors" in done.stdout
    served = client.get_model_version_by_alias(NAME, "champion")
    assert served.tags["checkpoint"] == first
    assert client.get_model_version_by_alias(NAME, "previous").tags["checkpoint"] == second
    with pytest.raises(UsageError, match="has no version 99 in MLflow"):
        roll_back(store, NAME, "99", "try")
    assert roll_back(store, NAME, "2", "the doors are marked now").version == "2"
    assert client.get_model_version_by_alias(NAME, "champion").tags["checkpoint"] == second
