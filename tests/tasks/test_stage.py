"""A stage runs once for a key, is found again, and fails in one sentence."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest
from pydantic import Field

from tasks.errors import DataError, UsageError
from tasks.spec import ManifestId, Outcome, StageResult, StageSpec, code_version, free, stage_key
from tasks.stage import StageContext, StageOutcome, cached, execute, main
from tasks.store import ArtefactStore, Manifest
from tasks.store.blobs import key as blob_key


class CountSpec(StageSpec):
    """Writes numbers."""

    task: ClassVar[str] = "count"
    stage: Literal["count"] = "count"
    upto: int = Field(3, gt=0)
    source: ManifestId | None = None
    workers: int = free(2)


runs: list[CountSpec] = []


def count(spec: CountSpec, context: StageContext) -> StageOutcome:
    runs.append(spec)
    written = context.scratch / "numbers.txt"
    with context.progress.track("counting", spec.upto, "numbers") as track:
        written.write_text("\n".join(map(str, range(spec.upto))))
        track.advance(spec.upto)
    blob = context.store.put_blob(written)
    id = context.store.publish(Manifest(kind="numbers", blobs={"numbers.txt": blob}, inputs=spec.inputs()))
    return StageOutcome({"numbers": id}, {"count": float(spec.upto)})


@pytest.fixture(autouse=True)
def forget_runs() -> None:
    runs.clear()


def test_the_second_time_is_a_hit(store: ArtefactStore, home: Path) -> None:
    first, second = execute(CountSpec(), count), execute(CountSpec(), count)
    assert len(runs) == 1
    assert (first.outcome, second.outcome) == (Outcome.SUCCEEDED, Outcome.CACHED)
    assert second.outputs == first.outputs and second.metrics == {"count": 3.0} and second.seconds == first.seconds
    assert store.read(store.manifest(first.outputs["numbers"]).blobs["numbers.txt"]) == b"0\n1\n2"
    assert list((home / "scratch").iterdir()) == []


def test_what_changes_the_outcome_changes_the_key(store: ArtefactStore) -> None:
    given = Manifest(kind="dataset")
    store.publish(given)
    base = execute(CountSpec(), count).key
    assert execute(CountSpec(upto=4), count).key != base
    assert execute(CountSpec(seed=1), count).key != base
    assert execute(CountSpec(source=given.id), count).key != base
    assert execute(CountSpec(workers=9), count).key == base
    assert len(runs) == 4


def test_the_code_is_part_of_the_key(monkeypatch: pytest.MonkeyPatch, store: ArtefactStore, tmp_path: Path) -> None:
    (tmp_path / "tasks" / "count").mkdir(parents=True)
    source = tmp_path / "tasks" / "count" / "work.py"
    source.write_text("one")
    before = code_version("count", tmp_path)
    source.write_text("two")
    assert before != code_version("count", tmp_path)
    assert stage_key(CountSpec(), "a") != stage_key(CountSpec(), "b")
    execute(CountSpec(), count)
    monkeypatch.setenv("BACKSIGHT_CODE_VERSION", "sha256:new-image")
    assert execute(CountSpec(), count).outcome is Outcome.SUCCEEDED


def test_force_does_the_work_again(store: ArtefactStore) -> None:
    execute(CountSpec(), count)
    assert execute(CountSpec(), count, force=True).outcome is Outcome.SUCCEEDED
    assert execute(CountSpec(), count).outcome is Outcome.CACHED
    assert len(runs) == 2


def test_a_hit_on_lost_outputs_is_no_hit(store: ArtefactStore) -> None:
    first = execute(CountSpec(), count)
    store.bucket.remove(blob_key(store.manifest(first.outputs["numbers"]).blobs["numbers.txt"]))
    assert cached(store, CountSpec()) is None
    assert execute(CountSpec(), count).outcome is Outcome.SUCCEEDED
    assert execute(CountSpec(), count).outcome is Outcome.CACHED


def test_the_first_of_two_counts(store: ArtefactStore) -> None:
    rival: list[StageResult] = []

    def overtaken(spec: CountSpec, context: StageContext) -> StageOutcome:
        rival.append(execute(spec, count))
        other = store.publish(Manifest(kind="numbers", meta={"late": True}))
        return StageOutcome({"numbers": other})

    result = execute(CountSpec(), overtaken)
    assert result.outputs == rival[0].outputs == execute(CountSpec(), count).outputs


def test_a_failure_publishes_nothing_and_cleans_up(store: ArtefactStore, home: Path) -> None:
    def fail(spec: CountSpec, context: StageContext) -> StageOutcome:
        (context.scratch / "half").write_text("half")
        raise DataError("Shard 3 is truncated.")

    with pytest.raises(DataError, match="Shard 3"):
        execute(CountSpec(), fail)
    assert store.bucket.names("") == [] and list((home / "scratch").iterdir()) == []


def test_a_metric_that_is_no_number_is_refused(store: ArtefactStore) -> None:
    with pytest.raises(DataError, match="measured no number for kld"):
        execute(CountSpec(), lambda spec, context: StageOutcome({}, {"kld": float("nan"), "ap": 0.5}))
    assert store.refs("stage") == {}


def call(tmp_path: Path, spec: Any, *options: str, work: Any = count) -> tuple[int, StageResult | None]:
    path, result = tmp_path / "spec.json", tmp_path / "result.json"
    path.write_text(spec if isinstance(spec, str) else json.dumps(spec))
    code = main(CountSpec, work, ["--spec", str(path), "--result", str(result), *options])
    return code, StageResult.model_validate_json(result.read_text()) if result.exists() else None


def test_main_writes_the_result(store: ArtefactStore, tmp_path: Path) -> None:
    code, result = call(tmp_path, {"upto": 2})
    assert code == 0 and result and result.outcome is Outcome.SUCCEEDED and set(result.outputs) == {"numbers"}
    assert call(tmp_path, {"upto": 2})[1].outcome is Outcome.CACHED  # type: ignore[union-attr]
    assert call(tmp_path, {"upto": 2}, "--force")[1].outcome is Outcome.SUCCEEDED  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"uptu": 2}, "spec.json: uptu: there is no such key; did you mean upto."),
        ({"upto": -1}, "spec.json: upto: should be greater than 0, not -1."),
        ({"source": "nonsense"}, "spec.json: source: String should match pattern"),
        ('{"upto": 2', "spec.json: Invalid JSON"),
    ],
)
def test_a_wrong_spec_is_one_sentence(
    store: ArtefactStore, tmp_path: Path, capsys: pytest.CaptureFixture[str], spec: Any, said: str
) -> None:
    code, result = call(tmp_path, spec)
    lines = capsys.readouterr().err.splitlines()
    assert code == 2 and result and result.outcome is Outcome.FAILED
    assert len(lines) == 1 and lines[0] == f"error: {result.error}" and said in lines[0]


def test_a_missing_spec_is_named(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(CountSpec, count, ["--spec", str(tmp_path / "none.json")]) == 2
    assert "none.json: No such file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (DataError("Shard 3 is\n truncated."), 1, "error: Shard 3 is truncated."),
        (UsageError("No such preset."), 2, "error: No such preset."),
        (OSError(28, "No space left on device", "/data/x"), 1, "error: The disk that holds /data/x is full"),
        (
            ZeroDivisionError("division by zero"),
            1,
            "error: count failed in a way that nobody foresaw (ZeroDivisionError",
        ),
    ],
)
def test_a_failure_is_the_last_line(
    store: ArtefactStore, tmp_path: Path, capsys: pytest.CaptureFixture[str], error: Exception, code: int, said: str
) -> None:
    def fail(spec: CountSpec, context: StageContext) -> StageOutcome:
        raise error

    assert call(tmp_path, {}, work=fail)[0] == code
    err = capsys.readouterr().err
    assert err.splitlines()[-1].startswith(said) and "Traceback" not in err
    call(tmp_path, {}, "--debug", work=fail)
    assert "Traceback" in capsys.readouterr().err


def test_an_unforeseen_failure_keeps_its_traceback(store: ArtefactStore, tmp_path: Path, home: Path) -> None:
    call(tmp_path, {}, work=lambda spec, context: 1 / 0)
    assert "ZeroDivisionError" in (home / "logs" / "count-traceback.txt").read_text()


SLEEPER = """
import sys, time
from tests.tasks.test_stage import CountSpec
from tasks.stage import main
def work(spec, context):
    (context.scratch / "half").write_text("half")
    print("working", flush=True)
    time.sleep(60)
sys.exit(main(CountSpec, work, sys.argv[1:]))
"""


def test_a_terminated_stage_cleans_up(store: ArtefactStore, tmp_path: Path, home: Path) -> None:
    spec = tmp_path / "spec.json"
    spec.write_text("{}")
    child = subprocess.Popen([sys.executable, "-c", SLEEPER, "--spec", str(spec)], stdout=subprocess.PIPE, text=True)
    assert child.stdout and child.stdout.readline() == "working\n"
    started = time.monotonic()
    os.kill(child.pid, signal.SIGTERM)
    assert child.wait(timeout=30) == 128 + signal.SIGTERM and time.monotonic() - started < 30
    assert list((home / "scratch").iterdir()) == [] and store.bucket.names("") == []
