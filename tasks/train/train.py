"""The work of the stage: from the store to local files, through `model.training.run`, and back."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from model.training.checkpoint import CheckpointFiles, read_config
from model.training.history import History, Record
from model.training.ranks import World, device_of, from_main, joined, wait_for_all
from tasks.checkpoints import fetch_checkpoint
from tasks.datasets import open_files
from tasks.errors import BacksightError, DataError
from tasks.spec import ManifestId
from tasks.stage import StageContext, StageOutcome, key_of
from tasks.store import ArtefactStore, Blob, Manifest, open_store
from tasks.train.adaptive import adapted
from tasks.train.failure import leave_word, of_peer
from tasks.train.spec import TrainSpec

if TYPE_CHECKING:
    from model.training.engine import Step
    from model.training.keeping import Kept
    from model.training.run import TrainingJob
    from tasks.progress import Track

RESUME = "resume"
"""Kind of the refs that lead from a stage's key to the state at which it was stopped."""

FINISHED = "finished"
"""What such a ref says once the stage is done."""


@dataclass
class Meeting:
    """Rank 0's side of the process group."""

    world: World
    held: bool = False
    """Whether the other ranks were told what to do."""


def work_of(meeting: Meeting) -> Callable[[TrainSpec, StageContext], StageOutcome]:
    """The stage's work for rank 0 of this meeting."""

    def work(spec: TrainSpec, context: StageContext) -> StageOutcome:
        try:
            return train(spec, context, meeting)
        except Exception as error:
            cause = of_peer(meeting.world.rank, error)
            leave_word(meeting.world.rank, cause)
            raise cause from error

    return work


def train(spec: TrainSpec, context: StageContext, meeting: Meeting) -> StageOutcome:
    """Fetch, train with all ranks, publish. The errors are those of `model.training.run.train` and of the store."""
    from model.training.run import train as train_job
    from model.training.stopping import Stopper

    job = make_job(spec, context)
    with joined(meeting.world, device_of(spec.phase.device, meeting.world)):
        meeting.held = True
        from_main(job)
        wait_for_all()
        stopper = Stopper()
        with context.progress.track(f"train {spec.stage}", spec.phase.steps, "steps") as track, stopper.listening():
            observer = StageObserver(spec, context, track)
            trained = train_job(job, meeting.world, observer, stopper, StoreVault(context.store))
    id = publish(spec, context.store, trained.files, trained.history)
    context.store.set_ref(RESUME, key_of(spec), FINISHED)
    return StageOutcome({"checkpoint": id}, observer.figures(), (draw_curve(spec, context, trained.history),))


def follow(spec: TrainSpec, world: World) -> None:
    """Train beside rank 0 until it is done."""
    from model.training.run import train as train_job
    from model.training.stopping import Stopper

    with joined(world, device_of(spec.phase.device, world)):
        job: TrainingJob | None = from_main(None)
        stopper = Stopper()
        if job is not None:
            if world.local_rank == 0:
                bring_here(spec, job)
            wait_for_all()
            with stopper.listening():
                train_job(job, world, Silent(), stopper, StoreVault(open_store()))


def bring_here(spec: TrainSpec, job: TrainingJob) -> None:
    """On the first rank of another node: rank 0's files, fetched to the same places of this node's cache."""
    store = open_store()
    here = open_files(store, spec.dataset)
    init = fetch_checkpoint(store, spec.init) if spec.init else None
    if (here, init, find_resume(store, key_of(spec))) != (job.data, job.init, job.resume):
        raise BacksightError(
            "This node's cache lies elsewhere than that of rank 0, or holds another checkpoint to resume from: "
            "give all nodes the same BACKSIGHT_HOME, and run the stage again."
        )


def make_job(spec: TrainSpec, context: StageContext) -> TrainingJob:
    """Everything on local disk but the shards, which come as they are read.

    Refuses a dataset that is not found good, and a checkpoint that does not fit.
    """
    from model.training.checkpoint import check_architecture
    from model.training.run import TrainingJob

    init = fetch_checkpoint(context.store, spec.init) if spec.init else None
    if init:
        check_architecture(read_config(init).network, spec.network)
    return TrainingJob(
        phase_name=spec.stage,
        phase=adapted(spec, context, init),
        network=spec.network,
        seed=spec.seed,
        data=open_files(context.store, spec.dataset),
        folder=context.scratch,
        init=init,
        resume=find_resume(context.store, key_of(spec)),
    )


def find_resume(store: ArtefactStore, key: str) -> tuple[Path, ...]:
    """The shares of the state at which the same stage was stopped, if it was, and they are still there, and whole."""
    target = store.ref(RESUME, key)
    if target in (None, FINISHED) or not store.complete(target):
        return ()
    try:
        return tuple(store.fetch(blob) for _, blob in sorted(store.manifest(target).blobs.items()))
    except DataError as error:
        print(f"the state that training was stopped at cannot be read, so it begins anew: {error}", file=sys.stderr)
        return ()


@dataclass(frozen=True)
class StoreVault:
    """Shares of a state as blobs of the store; a blob's record is its name."""

    store: ArtefactStore

    def put(self, share: Path) -> str:
        """Upload the file and forget it here: the store's cache holds what is needed again."""
        blob = self.store.put_blob(share)
        share.unlink()
        return blob.model_dump_json()

    def get(self, name: str) -> Path:
        """The blob in the local cache."""
        return self.store.fetch(Blob.model_validate_json(name))


def publish(spec: TrainSpec, store: ArtefactStore, files: CheckpointFiles, history: History) -> ManifestId:
    """Publish a checkpoint's files as a manifest; equal training gives an equal id."""
    meta = {
        "phase": spec.stage,
        "steps": read_config(files).step,
        "losses": {name: values[-1] for name, values in history.terms.items() if values},
    }
    blobs = {name: store.put_blob(path) for name, path in files.by_name().items()}
    return store.publish(Manifest(kind="checkpoint", blobs=blobs, inputs=inputs_of(spec), meta=meta))


def inputs_of(spec: TrainSpec) -> dict[str, ManifestId]:
    """What a training's artefacts were made from."""
    return {"dataset": spec.dataset} | ({"init": spec.init} if spec.init else {})


def draw_curve(spec: TrainSpec, context: StageContext, history: History) -> Path:
    """The curve of every loss term, as a picture in the scratch folder."""
    from model.draw import training_curve

    columns = {"step": history.steps, "total": history.loss, **history.terms}
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    path = context.scratch / f"training-curve-{spec.stage}.png"
    training_curve(rows, title=f"Training: {spec.stage}").save(path, optimize=True)
    return path


class StageObserver:
    """Tells progress, MLflow and the store how training goes."""

    def __init__(self, spec: TrainSpec, context: StageContext, track: Track) -> None:
        self.spec = spec
        self.context = context
        self.track = track
        self.records: list[Record] = []

    def stepped(self, step: Step) -> None:
        """One more step on the bar."""
        self.track.advance(step.number - self.track.done, loss=step.loss, gradient=step.norm)

    def recorded(self, record: Record) -> None:
        """Curves in MLflow."""
        self.records.append(record)
        self.context.run.metrics(record.metrics(), record.step)

    def kept(self, state: Kept) -> None:
        """A state in the store, found by the stage's key."""
        shares = {f"{rank:05}.safetensors": Blob.model_validate_json(name) for rank, name in enumerate(state.names)}
        meta = {"phase": self.spec.stage, "steps": state.step}
        id = self.context.store.publish(Manifest(kind="state", blobs=shares, inputs=inputs_of(self.spec), meta=meta))
        self.context.store.set_ref(RESUME, key_of(self.spec), id)

    def rolled_back(self, reason: str, step: int) -> None:
        """A label on the run."""
        self.context.run.tags({"backsight.rolled_back": f"to step {step}: {reason}"})

    def figures(self) -> dict[str, float]:
        """The stage's metrics: the last losses, and the pace of the whole phase."""
        if not self.records:
            return {}
        last, count = self.records[-1], len(self.records)
        losses = {"loss": last.loss, **{f"loss/{name}": value for name, value in last.terms.items()}}
        return {
            **losses,
            "items_per_second": sum(r.items_per_second for r in self.records) / count,
            "waiting_for_data": sum(r.waiting for r in self.records) / count,
            "discarded_updates": float(sum(r.discarded for r in self.records)),
        }


class Silent:
    """The observer of a rank that nobody listens to."""

    def stepped(self, step: Step) -> None:
        """Says nothing."""

    def recorded(self, record: Record) -> None:
        """Says nothing."""

    def kept(self, state: Kept) -> None:
        """Says nothing."""

    def rolled_back(self, reason: str, step: int) -> None:
        """Says nothing."""
