"""Runs one stage: looks its key up, else does the work, publishes the outcome once, and records it."""

from __future__ import annotations

import argparse
import math
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from tasks import files
from tasks.errors import BacksightError, DataError, UsageError
from tasks.explain import explain
from tasks.progress import Progress, open_progress
from tasks.settings import home
from tasks.spec import ManifestId, Outcome, StageResult, StageSpec, code_version, stage_key
from tasks.store import ANY, AnyValue, ArtefactStore, Manifest, RefConflict, open_store
from tasks.tracking import TrackedRun, open_run

Spec = TypeVar("Spec", bound=StageSpec)


@dataclass(frozen=True)
class StageOutcome:
    """What the work of a stage gives back."""

    outputs: dict[str, ManifestId]
    """Name -> artefact that the work has published."""
    metrics: dict[str, float] = field(default_factory=dict)
    pictures: tuple[Path, ...] = ()
    """Files in the scratch folder that MLflow is to keep."""


@dataclass(frozen=True)
class StageContext:
    """What the work of a stage may use."""

    store: ArtefactStore
    progress: Progress
    run: TrackedRun
    scratch: Path
    """An empty folder, removed afterwards."""


Work = Callable[[Spec, StageContext], StageOutcome]


def execute(spec: Spec, work: Work[Spec], force: bool = False) -> StageResult:
    """The outcome of a stage: from the store where its key is known, by doing the work otherwise.

    `force` does the work in any case and lets its outcome take the place of the known one. Execution is at least once,
    publication once: of two processes that do the same work at once the first to finish is the one that counts.
    """
    store = open_store()
    if not force and (known := cached(store, spec)):
        return known
    key = key_of(spec)
    before = store.ref("stage", key)
    run = open_run(spec.stage, tags={"backsight.key": key, "backsight.task": spec.task})
    try:
        result = _work(spec, work, key, store, run)
    except Exception as error:
        run.fail(error=str(error))
        raise
    except BaseException:
        run.fail("KILLED")
        raise
    run.end()
    return _published(store, spec, result, ANY if force else before)


def cached(store: ArtefactStore, spec: StageSpec) -> StageResult | None:
    """The outcome that the store knows for this spec and this code; `None` = none, or parts of it are gone."""
    return known_under(store, key_of(spec))


def known_under(store: ArtefactStore, key: str) -> StageResult | None:
    """The outcome that the store knows under a stage's key; `None` = none, or parts of it are gone."""
    record = store.ref("stage", key)
    if record is None or not store.complete(record):
        return None
    known = StageResult.model_validate(store.manifest(record).meta["result"])
    if not all(store.complete(id) for id in known.outputs.values()):
        return None
    store.keep_ref("stage", key, record)
    return known.model_copy(update={"outcome": Outcome.CACHED})


def record_hit(spec: StageSpec, result: StageResult, parent: str | None = None) -> None:
    """Note in MLflow, under `parent`, that a stage was not run again because its outcome was known."""
    tags = {"backsight.key": result.key, "backsight.cached": result.run_id or "yes"}
    run = open_run(spec.stage, parent, tags)
    run.metrics(result.metrics)
    run.end()


def key_of(spec: StageSpec) -> str:
    """The stage's key under the code of this process."""
    return stage_key(spec, code_version(spec.task))


def _work(spec: Spec, work: Work[Spec], key: str, store: ArtefactStore, run: TrackedRun) -> StageResult:
    run.params(spec.identity())
    for name, id in spec.inputs().items():
        run.dataset(id, context=name)
    scratch_root = home() / "scratch"
    scratch_root.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix=f"{spec.stage}-", dir=scratch_root) as scratch:
        outcome = work(spec, StageContext(store, open_progress(), run, Path(scratch)))
        if lost := sorted(name for name, value in outcome.metrics.items() if not math.isfinite(value)):
            raise DataError(
                f"The stage {spec.stage} measured no number for {', '.join(lost)}: its outcome is not kept."
            )
        for picture in outcome.pictures:
            run.file(picture, "pictures")
    seconds = round(time.monotonic() - started, 3)
    run.metrics({**outcome.metrics, "seconds": seconds})
    run.tags({f"backsight.output.{name}": id for name, id in outcome.outputs.items()})
    return StageResult(
        stage=spec.stage,
        key=key,
        outcome=Outcome.SUCCEEDED,
        outputs=outcome.outputs,
        metrics=outcome.metrics,
        seconds=seconds,
        run_id=run.id,
    )


def _published(
    store: ArtefactStore, spec: StageSpec, result: StageResult, before: str | AnyValue | None
) -> StageResult:
    meta = {"task": spec.task, "spec": spec.identity(), "result": result.model_dump(mode="json")}
    record = store.publish(Manifest(kind="stage", inputs=spec.inputs(), meta=meta))
    try:
        store.set_ref("stage", result.key, record, expected=before)
    except RefConflict:
        # Another process did the same work and was first: its outcome is the one that all others will see.
        return cached(store, spec) or result
    return result


def main(
    spec_type: type[Spec],
    work: Work[Spec],
    argv: list[str] | None = None,
    first: Callable[[Spec, bool], bool] = lambda spec, force: True,
) -> int:
    """`python -m tasks.<name> --spec spec.json [--result result.json] [--force] [--debug]`; gives the exit code.

    A failure is one line `error: ...`, the last on stderr, and a result file with the outcome `failed`. `first` is done
    before the work, given the spec and `force`; where it answers False, others go on with it and nothing is answered.
    """
    options = _parser(spec_type).parse_args(argv)
    signal.signal(signal.SIGTERM, _leave)
    started = time.monotonic()
    try:
        spec = read_spec(spec_type, options.spec)
        if not first(spec, options.force):
            return 0
        result = execute(spec, work, options.force)
    except Exception as error:  # noqa: BLE001 - the border of the process: every failure becomes a sentence
        said, code = _sentence(error, spec_type.task)
        if options.debug:
            traceback.print_exc()
        seconds = round(time.monotonic() - started, 3)
        result = StageResult(stage=spec_type.task, key="", outcome=Outcome.FAILED, seconds=seconds, error=said)
        _answer(result, options.result)
        print(f"error: {said}", file=sys.stderr, flush=True)
        return code
    _answer(result, options.result)
    return 0


def read_spec(spec_type: type[Spec], path: Path) -> Spec:
    """The spec in a JSON file; a `UsageError` names the file, the key and what is wrong with it."""
    try:
        return spec_type.read(path)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}; give the path of a spec with --spec.") from error
    except ValidationError as error:
        raise UsageError(explain(error, str(path), spec_type)) from error


def _parser(spec_type: type[StageSpec]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        f"python -m tasks.{spec_type.task}", description=f"Run the stage {spec_type.task}."
    )
    parser.add_argument("--spec", type=Path, required=True, help="JSON file that says what is to be done")
    parser.add_argument("--result", type=Path, help="where to write the JSON result (default: stdout)")
    parser.add_argument("--force", action="store_true", help="do the work even where its outcome is known")
    parser.add_argument("--debug", action="store_true", help="show the traceback of a failure")
    return parser


def _answer(result: StageResult, path: Path | None) -> None:
    if path is None:
        print(result.model_dump_json(), flush=True)
    else:
        files.write(path, result.model_dump_json(indent=1).encode())


def _sentence(error: Exception, task: str) -> tuple[str, int]:
    if isinstance(error, BacksightError):
        return " ".join(str(error).split()), error.exit_code
    if isinstance(error, OSError) and error.errno in files.FULL:
        return f"The disk that holds {error.filename or home()} is full: free some space there.", 1
    kept = home() / "logs" / f"{task}-traceback.txt"
    files.write(kept, "".join(traceback.format_exception(error)).encode())
    said = " ".join(f"{type(error).__name__}: {error}".split())[:300]
    return f"{task} failed in a way that nobody foresaw ({said}): the traceback is in {kept}.", 1


def _leave(signum: int, frame: object) -> None:
    # As an exception, so that the scratch folder goes and the run is closed as killed.
    raise SystemExit(128 + signum)
