"""One stage as a flow run carries it out: key, cache, launch, bars, outcome."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from prefect import get_run_logger
from prefect.artifacts import create_markdown_artifact
from prefect.client.orchestration import get_client
from prefect.runtime import flow_run
from prefect.states import Cancelled, Completed, Failed, State

from flows.board import Board, result_markdown
from flows.labels import StageFacts
from flows.launch import Ending, Handle, Job, JobState, Launcher
from flows.launch.choose import handed_on, launcher_of, resources_of
from flows.launch.cluster_api import Unreachable
from flows.launch.settings import LaunchSettings, Profile
from flows.links import mlflow_page
from flows.parameters import Settings
from flows.plan import PRODUCT, Stage, stage_spec
from flows.references import note_latest, resolve
from flows.this_run import this_run
from tasks.errors import BacksightError
from tasks.preset import load_preset
from tasks.spec import StageResult, StageSpec
from tasks.stage import cached, key_of
from tasks.store import ArtefactStore, open_store


@dataclass(frozen=True)
class StageRequest:
    """What a flow run of a stage was asked."""

    stage: Stage
    preset: str
    changed: Settings
    seed: int
    inputs: Mapping[str, str | None]
    """Manifest ids or `latest`, by parameter."""
    force: bool


def run_stage(request: StageRequest) -> State[Any]:
    """Carry a stage out and answer the flow run's final state; a failure carries the stage's own sentence."""
    try:
        return _carried_out(request)
    except BacksightError as error:
        get_run_logger().error("%s", error)
        return Failed(message=str(error))


def _carried_out(request: StageRequest) -> State[Any]:
    store, log = open_store(), get_run_logger()
    preset = load_preset(request.preset, request.changed)
    inputs = resolve(store, request.stage, request.inputs, preset)
    spec = stage_spec(request.stage, preset, request.seed, inputs)
    known = None if request.force else cached(store, spec)
    if known is not None:
        log.info("%s is known under key %s: nothing is launched.", request.stage, known.key[:12])
        _ask_people(request.stage, known)
        _tell(request.stage, known, 0.0)
        return Completed(message=f"known under key {known.key[:12]}: nothing was launched")
    ending = launched(spec, request.preset, request.force, store)
    if ending.state is JobState.CANCELLED:
        return Cancelled(message=ending.diagnosis)
    if ending.state is not JobState.SUCCEEDED or ending.result is None:
        log.error("%s", ending.diagnosis)
        return Failed(message=ending.diagnosis)
    note_latest(store, request.stage, ending.result.outputs[PRODUCT[request.stage]])
    _ask_people(request.stage, ending.result)
    _tell(request.stage, ending.result, ending.seconds)
    return Completed(message=f"{ending.result.outcome} in {ending.seconds:.1f} s")


def launched(spec: StageSpec, preset: str, force: bool, store: ArtefactStore) -> Ending:
    """The end of the task that does a stage's work, shown on the current flow run while it runs."""
    log, settings = get_run_logger(), LaunchSettings.load()
    launcher = launcher_of(settings, store)
    job = Job(
        f"{spec.stage}-{key_of(spec)[:16]}",
        spec,
        force,
        environment=handed_on(settings),
        resources=resources_of(settings, preset, spec),
        owner=str(flow_run.id),
    )
    handle = launcher.start(job)
    board = Board(spec.stage, log.info, log.warning)
    try:
        for report in launcher.follow(handle):
            board.show(report)
    except Unreachable:
        raise  # nothing is known, so nothing is ended: a rerun finds the job again
    except BaseException:
        if settings.profile is not Profile.CLUSTER or _is_cancelled():
            launcher.cancel(handle)
        raise
    return _known_end(launcher, handle)


def _is_cancelled() -> bool:
    """Whether this flow run was asked to end. One whose pod is moved leaves its job running, and finds it again."""
    state = this_run().state
    return state is not None and (state.is_cancelling() or state.is_cancelled())


def _ask_people(stage: Stage, result: StageResult) -> None:
    """Where a winner waits for a person, put the question on Prefect's page."""
    if stage is not Stage.PROMOTE:
        return
    from flows.promotion import ask_if_needed

    if until := ask_if_needed(open_store(), result.outputs["verdict"]):
        get_run_logger().info("The winner waits for a person's approval until %s: see the flow run `approval`.", until)


def _known_end(launcher: Launcher, handle: Handle) -> Ending:
    ending = launcher.ending(handle)
    if ending is None:
        raise BacksightError(f"The job {handle.name} was followed to its end and still runs: see its launcher's logs.")
    return ending


def _tell(stage: Stage, result: StageResult, seconds: float) -> None:
    """Show the outcome on Prefect's page, and leave it on the flow run for the night that waits for it."""
    link = mlflow_page(result.run_id)
    facts = {"outcome": str(result.outcome), "seconds": f"{seconds:.1f}", "key": result.key, **result.outputs}
    title = f"{stage}: {result.outcome}"
    page = result_markdown(title, facts, result.metrics, link)
    create_markdown_artifact(page, key=f"{stage}-result", description=title)
    with get_client(sync_client=True) as client:
        client.update_flow_run_labels(flow_run.id, StageFacts(result.key, seconds).labels())
