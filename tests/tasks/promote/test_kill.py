"""Promoters killed at any step, and promoters that meet: one champion at all times, and the ledger is right."""

from __future__ import annotations

import itertools
import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from tasks.errors import BacksightError
from tasks.promote.gate import Ruling
from tasks.promote.ledger import Entry, Ledger
from tasks.promote.promote import promote
from tasks.promote.registry import ModelRegistry
from tasks.promote.signing import trusted_champion
from tasks.stage import execute
from tasks.store import ArtefactStore, RefConflict, open_store
from tests.conditional_proxy import conditional_proxy
from tests.promotions import aliased, night, promotion, publish_checkpoint, publish_evaluation

WRITES = [
    (ArtefactStore, "publish"),
    (ArtefactStore, "set_ref"),
    (ModelRegistry, "register"),
    (ModelRegistry, "point"),
]
"""Everything that others can see of a promotion: blobs and tags are nothing before these are written."""

UNFORESEEN = 70


def forked(work: Callable[[], object], said: Path | None = None) -> int:
    """The id of a process that does some work and leaves with its exit code; what it failed with goes into `said`."""
    child = os.fork()
    if child:
        return child
    code = 0
    try:
        work()
    except BacksightError as error:
        code = error.exit_code
        if said:
            said.write_text(str(error))
    except BaseException:  # noqa: BLE001  the child must never return into pytest
        traceback.print_exc()
        code = UNFORESEEN
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def ending(child: int) -> int:
    """The exit code of a process, negative where a signal ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def killed_before(write: int) -> None:
    """Let so many writes of this process through, and kill it instead of the next."""
    done = itertools.count()

    def fragile(original: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any, **kwargs: Any) -> Any:
            if next(done) == write:
                os.kill(os.getpid(), signal.SIGKILL)
            return original(*args, **kwargs)

        return counted

    for owner, name in WRITES:
        setattr(owner, name, fragile(getattr(owner, name)))


def test_killed_before_any_write_one_champion_stands_and_the_next_run_finishes(
    store: ArtefactStore, registered: str, tracking_uri: str
) -> None:
    error = 0.5
    champion, measured, _ = night(store, registered, error)
    kills = 0
    for write in itertools.count():
        error *= 0.5
        challenger = publish_checkpoint(store, f"challenger {write}")
        evaluation = publish_evaluation(store, challenger, error, seed=write)
        challenge = promotion(registered, evaluation, measured)

        def doomed(challenge: Any = challenge, write: int = write) -> None:
            killed_before(write)
            execute(challenge, promote)

        code = ending(forked(doomed))
        assert aliased(tracking_uri, registered)["champion"] in (champion, challenger)
        assert store.ref("champion", registered) in (champion, challenger)
        if code == 0:
            break
        assert code == -signal.SIGKILL
        kills += 1
        execute(challenge, promote)
        now = aliased(tracking_uri, registered)
        assert now == {"champion": challenger, "previous": champion}
        assert store.ref("champion", registered) == trusted_champion(store, registered) == challenger
        champion, measured = challenger, evaluation
    assert kills >= 12
    entries = [written.entry for written in Ledger(store, registered).entries()]
    assert len({entry.checkpoint for entry in entries}) == len(entries) == kills + 2
    assert {entry.ruling for entry in entries} == {Ruling.PROMOTE}
    versions = MlflowClient(tracking_uri, tracking_uri).search_model_versions(f"name='{registered}'")
    assert {version.tags["checkpoint"] for version in versions} == {entry.checkpoint for entry in entries}


def test_of_ten_promoters_at_once_one_wins_and_nine_say_so(
    store: ArtefactStore, registered: str, tracking_uri: str, tmp_path: Path
) -> None:
    champion, measured, _ = night(store, registered, 0.5)
    challengers = [publish_checkpoint(store, f"runner {number}") for number in range(10)]
    asked = [
        promotion(registered, publish_evaluation(store, challenger, 0.1, seed=number), measured)
        for number, challenger in enumerate(challengers)
    ]
    said = [tmp_path / f"said-{number}" for number in range(10)]

    def run(number: int) -> Callable[[], object]:
        return lambda: execute(asked[number], promote)

    children = [forked(run(number), said[number]) for number in range(10)]
    codes = [ending(child) for child in children]
    assert sorted(codes) == [0, *[1] * 9]
    winner = challengers[codes.index(0)]
    assert aliased(tracking_uri, registered) == {"champion": winner, "previous": champion}
    assert store.ref("champion", registered) == trusted_champion(store, registered) == winner
    for number, code in enumerate(codes):
        if code:
            sentence = said[number].read_text()
            assert f"The champion of {registered} is {winner} by now" in sentence and "promote again" in sentence
    assert [w.entry.checkpoint for w in Ledger(store, registered).entries()] == [winner, champion]


def test_of_ten_machines_that_share_no_lock_one_appends(
    store: ArtefactStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with conditional_proxy(store.settings.endpoint) as (address, _):
        monkeypatch.setenv("BACKSIGHT_S3_ENDPOINT", address)
        verdict = publish_evaluation(open_store(), publish_checkpoint(store, "a"), 0.1)

        def append(number: int) -> Callable[[], object]:
            def work() -> None:
                os.environ["BACKSIGHT_HOME"] = str(tmp_path / f"machine-{number}")
                entry = Entry(
                    verdict=verdict,
                    checkpoint=f"checkpoint/{number:064x}",
                    ruling=Ruling.PROMOTE,
                    by=f"machine-{number}",
                    at="",
                )
                Ledger(open_store(), "shared").append(entry, None)

            return work

        said = [tmp_path / f"said-{number}" for number in range(10)]
        children = [forked(append(number), said[number]) for number in range(10)]
        codes = [ending(child) for child in children]
        assert sorted(codes) == [0, *[RefConflict.exit_code] * 9]
        (written,) = Ledger(open_store(), "shared").entries()
        assert written.entry.by == f"machine-{codes.index(0)}"
        assert all("another process was first" in path.read_text() for path in said if path.exists())
