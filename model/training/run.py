"""Trains one phase from local files to a local checkpoint; every rank calls `train` with the same job."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import torch

from model.batch import Batch
from model.config import NetworkConfig
from model.data.loader import training_batches
from model.data.questions import all_questions
from model.data.reader import ViewReader
from model.data.stream import TrainingStream
from model.data.walks import DatasetFiles, WalkDataset, open_dataset
from model.spatial_mllm import SpatialMLLM
from model.tokenizer import Tokenizer
from model.training.adaptive import leave
from model.training.checkpoint import (
    CheckpointConfig,
    CheckpointFiles,
    check_architecture,
    load_weights,
    need_room,
    read_config,
    read_tensors,
    write_checkpoint,
)
from model.training.config import PhaseConfig
from model.training.engine import Diverged, Engine, Step
from model.training.history import History, Record, summarise
from model.training.objective import Objective
from model.training.phases import find_phase
from model.training.ranks import World, device_of
from model.training.stopping import Stopped, Stopper


@dataclass(frozen=True)
class TrainingJob:
    """All that a phase's training follows from."""

    phase_name: str
    phase: PhaseConfig
    network: NetworkConfig
    seed: int
    data: DatasetFiles
    folder: Path
    """Where the checkpoint is written, and the resumable ones on the way; the same for all ranks."""
    init: CheckpointFiles | None = None
    """Checkpoint of the phase before; none = fresh weights, and a tokenizer trained on the data."""
    resume: CheckpointFiles | None = None
    """Checkpoint with state of this very job, to go on from."""


class Observer(Protocol):
    """Who is told how training goes; only rank 0's is."""

    def stepped(self, step: Step) -> None:
        """After every update."""

    def recorded(self, record: Record) -> None:
        """Every `log_every` updates, and after the last."""

    def kept(self, files: CheckpointFiles, step: int) -> None:
        """After a checkpoint from which training can go on was written."""

    def rolled_back(self, reason: str, step: int) -> None:
        """Training diverged and goes on from an earlier step, past the data that it met since."""


@dataclass(frozen=True)
class Trained:
    """A finished phase."""

    files: CheckpointFiles
    history: History


def train(job: TrainingJob, world: World, observer: Observer, stopper: Stopper) -> Trained:
    """Run the phase inside a joined process group (`model.training.ranks.joined`).

    Raises:
        Stopped: the stopper, of any rank, said so; the last resumable checkpoint holds the state.
        Diverged: the guard rolled back as often as it may, or there was no checkpoint to go back to.
        UsageError, DataError: the job cannot be done; one sentence says why.
    """
    # The tails of a softmax are denormal numbers, with which a processor's backward pass is a quarter slower.
    torch.set_flush_denormal(True)
    skipped = 0
    for rollback in range(job.phase.rollbacks + 1):
        attempt = _Attempt(job, world, observer, stopper, skipped)
        try:
            return attempt.run()
        except Diverged as error:
            if rollback == job.phase.rollbacks or attempt.kept is None:
                raise
            lost = attempt.engine.done + 1 - attempt.kept_step
            skipped = attempt.skipped + lost
            if world.is_main:
                observer.rolled_back(str(error), attempt.kept_step)
            job = replace(job, resume=attempt.kept)
        finally:
            attempt.close()
    raise AssertionError("the loop returns or raises")


class _Attempt:
    """From a starting point to the last step, or to the first divergence."""

    def __init__(self, job: TrainingJob, world: World, observer: Observer, stopper: Stopper, skipped: int) -> None:
        phase = find_phase(job.phase_name, job.phase)
        self.job, self.world, self.observer, self.stopper = job, world, observer, stopper
        self.dataset = open_dataset(job.data)
        self.tokenizer = choose_tokenizer(job, self.dataset)
        torch.manual_seed(job.seed)
        network = SpatialMLLM(job.network, len(self.tokenizer))
        network.set_trainable(job.phase.trainable)
        state = self._load(network)
        need_room(job.folder, checkpoint_size(network))
        self.reader = ViewReader(self.dataset, job.network, self.tokenizer, phase.goal, job.seed)
        self.stream = TrainingStream(self.dataset, job.phase, job.network.keyframes, job.seed)
        self.engine = Engine(
            Objective(network, job.phase.losses), job.phase, device_of(job.phase.device, world), stopper
        )
        self.history = History()
        self.kept, self.kept_step = job.resume, 0
        self.skipped = skipped
        if state:
            self.engine.load_state(state)
            self.skipped = max(skipped, int(state["skipped"]))
            self.kept_step = self.engine.done
            assert job.resume is not None
            self.history = History.read(job.resume.history)

    def run(self) -> Trained:
        phase, engine = self.job.phase, self.engine
        engine.sharded.network.train()
        batches, recent = self._batches(), []
        while engine.done < phase.steps:
            # Dropout follows from the step, so that a resumed training draws what an unbroken one would have.
            torch.manual_seed(hash((self.job.seed, engine.done, self.world.rank)) % 2**63)
            step = engine.step(batches)
            recent.append(step)
            self._tell_step(step)
            if engine.done % phase.log_every == 0 or engine.done == phase.steps:
                self._tell_record(summarise(recent))
                recent = []
                # Losses are means over all ranks, so all ranks leave together.
                if leave(phase.adaptive, self.history, phase.steps):
                    break
            ended = engine.done == phase.steps
            # Weights under suspicion are no place to go back to.
            due = phase.checkpoint_every and engine.done % phase.checkpoint_every == 0 and not engine.guard.suspects
            if not ended and (due or step.stop):
                self._keep()
            if not ended and step.stop:
                raise Stopped(
                    f"Training of {self.job.phase_name} was told to stop after step {engine.done} of {phase.steps}: "
                    "its state is kept; run the stage again to go on."
                )
        return Trained(self._write(self.job.folder / "final", with_state=False), self.history)

    def close(self) -> None:
        """Free what DeepSpeed holds."""
        self.engine.sharded.close()

    def _batches(self) -> Iterator[Batch]:
        phase, world = self.job.phase, self.world
        first = (self.engine.done + self.skipped) * phase.accumulation
        stop = (phase.steps + self.skipped) * phase.accumulation
        return training_batches(
            self.reader, lambda index: self.stream.batch(index, world.rank, world.size), first, stop, phase.workers
        )

    def _load(self, network: SpatialMLLM) -> dict[str, torch.Tensor] | None:
        source = self.job.resume or self.job.init
        if source is None:
            return None
        check_architecture(read_config(source).network, self.job.network)
        load_weights(network, source)
        if self.job.resume is None or self.job.resume.state is None:
            return None
        state = read_tensors(self.job.resume.state)
        # Published weights may be averaged ones; training goes on with its own.
        own = {name.removeprefix("weight/"): value for name, value in state.items() if name.startswith("weight/")}
        network.load_state_dict(own, strict=False)
        return state

    def _keep(self) -> None:
        self.kept = self._write(self.job.folder / "resume", with_state=True)
        self.kept_step = self.engine.done
        if self.world.is_main:
            self.observer.kept(self.kept, self.kept_step)

    def _write(self, folder: Path, with_state: bool) -> CheckpointFiles:
        """Gather on all ranks, write on rank 0, and go on together once the files are there."""
        weights = self.engine.weights()
        state = self.engine.state() | {"skipped": torch.tensor(self.skipped)} if with_state else None
        if self.world.is_main:
            config = CheckpointConfig(
                network=self.job.network, tokens=len(self.tokenizer), phase=self.job.phase_name, step=self.engine.done
            )
            write_checkpoint(folder, config, self.tokenizer, self.history, weights, state)
        torch.distributed.barrier()
        return CheckpointFiles.inside(folder)

    def _tell_step(self, step: Step) -> None:
        if self.world.is_main:
            self.observer.stepped(step)

    def _tell_record(self, record: Record) -> None:
        self.history.add(record)
        if self.world.is_main:
            self.observer.recorded(record)


def choose_tokenizer(job: TrainingJob, dataset: WalkDataset) -> Tokenizer:
    """The checkpoint's tokenizer; else the language model's own; else one trained on the data's texts."""
    if source := job.resume or job.init:
        return Tokenizer.read(source.tokenizer)
    language = job.network.language
    if own := language.tokenizer or language.source:
        return Tokenizer.read(Path(own))
    spoken = [dataset.walks[index].instruction for index in dataset.split("train")]
    return Tokenizer.train([*spoken, *all_questions(dataset.categories.values())], language.vocabulary)


def checkpoint_size(network: SpatialMLLM) -> int:
    """Bytes of a resumable checkpoint: all weights, and weight and two moments of what is trained."""
    whole = sum(p.numel() * p.element_size() for p in network.parameters())
    trained = sum(p.numel() for p in network.parameters() if p.requires_grad)
    return whole + math.prod((3, 4, trained))
