"""The night as a flow run carries it out: each stage from the cache or as a child, then the report."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from prefect import get_run_logger
from prefect.artifacts import create_image_artifact, create_markdown_artifact, create_table_artifact
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.runtime import flow_run
from prefect.states import Cancelled, Completed, Failed, State

from flows.board import slug
from flows.children import Child, run_child
from flows.labels import NightFacts, StageFacts
from flows.links import flow_run_page
from flows.parameters import Settings
from flows.pictures import Picture, pictures_of
from flows.plan import PRODUCT, Night, Step, night_seed
from flows.record import Line, NightRecord, Turn
from flows.references import champion, known_verdict
from flows.report import NightReport, cost, read_report
from flows.retraining import book, close_quietly, hard_settings
from flows.this_run import due_at, this_run
from tasks.errors import BacksightError
from tasks.preset import Preset, load_preset
from tasks.spec import ManifestId, StageSpec
from tasks.stage import cached, key_of, record_hit
from tasks.store import ArtefactStore, open_store
from tasks.tracking import PARENT_VARIABLE, TrackedRun, attach, open_run

MOST_IMAGES = 12
"""Pictures that become Prefect artifacts of their own; MLflow holds all."""


@dataclass(frozen=True)
class NightRequest:
    """What a flow run of a night was asked."""

    preset: str
    seed: int | None
    changed: Settings
    force: bool


class StageEndedBadly(BacksightError):
    """A child did not succeed; the message is its own sentence."""

    def __init__(self, step: Step, child: FlowRun) -> None:
        state = child.state
        said = (state.message if state else None) or "it left no message"
        super().__init__(f"{step.name} failed: {said}")
        self.cancelled = child.state_type is StateType.CANCELLED


def run_night(request: NightRequest) -> State[Any]:
    """Carry a night out and answer the flow run's final state; a failure carries the stage's own sentence."""
    try:
        return NightRun(request).carry_out()
    except BacksightError as error:
        get_run_logger().error("%s", error)
        cancelled = isinstance(error, StageEndedBadly) and error.cancelled
        return Cancelled(message=str(error)) if cancelled else Failed(message=str(error))


@dataclass
class NightRun:
    """One flow run's night: the outer world that the pure plan (`flows.plan.Night`) is carried out in."""

    request: NightRequest
    lines: list[Line] = field(default_factory=list)

    @cached_property
    def store(self) -> ArtefactStore:
        """The artefact store."""
        return open_store()

    @cached_property
    def run(self) -> FlowRun:
        """This flow run, as the server knew it at the start."""
        return this_run()

    @cached_property
    def asked_at(self) -> datetime:
        """When the night was to begin."""
        return due_at(self.run)

    @property
    def preset_name(self) -> str:
        """The preset's name, also where a path was given."""
        return Path(self.request.preset).stem

    @property
    def before(self) -> NightFacts:
        """What an earlier try of this flow run left."""
        return NightFacts.read(self.run.labels)

    @cached_property
    def seed(self) -> int:
        """The seed that was asked for, or that an earlier try of this flow run had, or the date."""
        given = (self.request.seed, self.before.seed, night_seed(self.asked_at))
        return next(seed for seed in given if seed is not None)

    @cached_property
    def tracked(self) -> TrackedRun:
        """The night's MLflow run; a retried flow run goes on with the one that it had."""
        if self.before.mlflow_run:
            return attach(self.before.mlflow_run)
        tags = {
            "backsight.night": str(flow_run.id),
            "backsight.preset": self.request.preset,
            "backsight.seed": str(self.seed),
        }
        opened = open_run(f"night {self.preset_name} {self.seed}", tags=tags)
        self._label(NightFacts(self.seed, opened.id))
        return opened

    def carry_out(self) -> State[Any]:
        """All steps, then the report."""
        preset = load_preset(self.request.preset, self.request.changed)
        if hard := hard_settings(self.store, preset):
            self.request = replace(self.request, changed={**hard, **self.request.changed})
            preset = load_preset(self.request.preset, self.request.changed)
        booking, reason = book(self.store, preset.monitor.trigger, self.run)
        if booking is None:
            get_run_logger().info("This night does not begin: %s.", reason)
            return Completed(message=f"not begun: {reason}")
        try:
            return self._carried_out(preset)
        finally:
            close_quietly(booking, self.lines, preset.training.ranks, get_run_logger().warning)

    def _carried_out(self, preset: Preset) -> State[Any]:
        night = Night(preset, self.seed, champion(self.store))
        get_run_logger().info("Night of preset %s, seed %d.", self.preset_name, self.seed)
        try:
            while step := night.next_step():
                line = self._take(night, step)
                self.lines.append(line)
                night = night.after(step, line.product)
            report = self._report()
        except BacksightError:
            self.tracked.fail()
            raise
        except BaseException:
            self.tracked.fail("KILLED")
            raise
        self.tracked.end()
        return Completed(message=cost(report.record))

    def _take(self, night: Night, step: Step) -> Line:
        """One step: its known product, or a child's."""
        log = get_run_logger()
        if step.name == "promote" and night.challenger_is_champion:
            verdict = known_verdict(self.store, night.products["joint"])
            if verdict:
                log.info("promote: the challenger is the champion already, its verdict is known.")
                return Line(step=step.name, turn=Turn.KNOWN, seconds=0, key="", product=verdict, run_id=None)
        spec = night.spec(step)
        known = None if self.request.force else cached(self.store, spec)
        if known is not None:
            log.info("%s: known under key %s, nothing is launched.", step.name, known.key[:12])
            record_hit(spec, known, parent=self.tracked.id)
            return self._line(step, Turn.KNOWN, spec, 0.0)
        return self._line(step, Turn.RAN, spec, self._launch(night, step, spec))

    def _launch(self, night: Night, step: Step, spec: StageSpec) -> float:
        """Run a step as a child; the lifetime of its task in seconds."""
        log, key = get_run_logger(), key_of(spec)
        log.info("%s: launched under key %s.", step.name, key[:12])
        parameters = {
            "preset": self.request.preset,
            "seed": self.seed,
            "overrides": self.request.changed,
            "force": self.request.force,
            **night.inputs(step),
        }
        environment = {PARENT_VARIABLE: self.tracked.id} if self.tracked.id else {}
        name = f"{step.name} {self.preset_name} {self.seed}"
        child = run_child(Child(step.stage, name, parameters, f"{flow_run.id}:{step.name}:{key}", environment))
        if child.state_type is not StateType.COMPLETED:
            raise StageEndedBadly(step, child)
        facts = StageFacts.read(child.labels)
        if facts is None or facts.key != key:
            raise BacksightError(
                f"{step.name} did its work under another key than the night asked for: the code was changed meanwhile, "
                "so run the night again."
            )
        log.info("%s: done in %.1f s.", step.name, facts.seconds)
        return facts.seconds

    def _line(self, step: Step, turn: Turn, spec: StageSpec, seconds: float) -> Line:
        result = cached(self.store, spec)
        if result is None:
            raise BacksightError(
                f"{step.name} succeeded, but its outcome under key {key_of(spec)[:12]} is gone from the store: "
                "run the night again."
            )
        product: ManifestId = result.outputs[PRODUCT[step.stage]]
        return Line(step=step.name, turn=turn, seconds=seconds, key=result.key, product=product, run_id=result.run_id)

    def _report(self) -> NightReport:
        """Everything that a person sees at the end, on all pages, and the record that the terminal reads."""
        pictures = pictures_of(self.lines)
        links = {"Prefect": flow_run_page(flow_run.id), "MLflow": self.tracked.url}
        record = NightRecord(
            preset=self.preset_name,
            seed=self.seed,
            lines=tuple(self.lines),
            wall=max(time.time() - self.asked_at.timestamp(), 0.001),
            run_id=self.tracked.id,
            flow_run_id=str(flow_run.id),
        )
        report = read_report(self.store, record, {name: link for name, link in links.items() if link})
        page = report.markdown([(picture.title, picture.address) for picture in pictures])
        self._show(report, page, pictures)
        self._keep(report, page)
        id = record.publish(self.store)
        self._label(NightFacts(self.seed, self.tracked.id, id))
        return report

    def _show(self, report: NightReport, page: str, pictures: list[Picture]) -> None:
        """The report on Prefect's page."""
        table = [line.model_dump(mode="json") for line in report.record.lines]
        create_table_artifact(table, key="night-stages", description=report.title)
        create_markdown_artifact(page, key="night-report", description=report.title)
        for picture in pictures[:MOST_IMAGES]:
            create_image_artifact(picture.address, key=f"night-{slug(picture.title)}", description=picture.title)

    def _keep(self, report: NightReport, page: str) -> None:
        """The report in MLflow."""
        with tempfile.TemporaryDirectory() as scratch:
            for name, text in (("report.txt", report.text()), ("report.md", page)):
                path = Path(scratch) / name
                path.write_text(text)
                self.tracked.file(path)
        figures = report.evaluation.model
        self.tracked.metrics({name: figure.value for name, figure in figures.items() if figure.value is not None})
        self.tracked.metrics({"wall_seconds": report.record.wall, "worked_seconds": report.record.worked})
        self.tracked.tags({"backsight.verdict": str(report.verdict.decision.ruling)})

    def _label(self, facts: NightFacts) -> None:
        with get_client(sync_client=True) as client:
            client.update_flow_run_labels(flow_run.id, facts.labels())
