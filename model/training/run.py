"""Trains one phase from local files to a local checkpoint; every rank calls `train` with the same job."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import torch

from model.batch import Batch
from model.config import NetworkConfig
from model.data.ahead import ShardsAhead
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
    write_checkpoint,
)
from model.training.config import PhaseConfig
from model.training.engine import Diverged, Engine, Step
from model.training.history import History, Record, summarise
from model.training.keeping import FolderVault, Keeper, Kept, Vault
from model.training.objective import Objective
from model.training.phases import find_phase
from model.training.ranks import World, device_of
from model.training.shares import SavedState, read_state
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
    """Where the checkpoint is written, and shares of the state on their way to the vault; the same for all ranks."""
    init: CheckpointFiles | None = None
    """Checkpoint of the phase before; none = fresh weights, and a tokenizer trained on the data."""
    resume: tuple[Path, ...] = ()
    """All shares of a state of this very job, to go on from."""


class Observer(Protocol):
    """Who is told how training goes; only rank 0's is."""

    def stepped(self, step: Step) -> None:
        """After every update."""

    def recorded(self, record: Record) -> None:
        """Every `log_every` updates, and after the last."""

    def kept(self, state: Kept) -> None:
        """All ranks' shares of a state from which training can go on are in the vault."""

    def rolled_back(self, reason: str, step: int) -> None:
        """Training diverged and goes on from an earlier step, past the data that it met since."""


@dataclass(frozen=True)
class Trained:
    """A finished phase."""

    files: CheckpointFiles
    history: History


def train(job: TrainingJob, world: World, observer: Observer, stopper: Stopper, vault: Vault | None = None) -> Trained:
    """Run the phase inside a joined process group (`model.training.ranks.joined`).

    States on the way go into the vault (default: the folder `resume` of the job's, which all ranks must then see).

    Raises:
        Stopped: the stopper, of any rank, said so; the state is in the vault.
        Diverged: the guard rolled back as often as it may, or there was no checkpoint to go back to.
        UsageError, DataError: the job cannot be done; one sentence says why.
    """
    # The tails of a softmax are denormal numbers, with which a processor's backward pass is a quarter slower.
    torch.set_flush_denormal(True)
    vault = vault or FolderVault(job.folder / "resume")
    skipped = 0
    for rollback in range(job.phase.rollbacks + 1):
        attempt = _Attempt(job, world, observer, stopper, vault, skipped)
        try:
            return attempt.run()
        except Diverged as error:
            attempt.settle()
            if rollback == job.phase.rollbacks or not (attempt.kept or job.resume):
                raise
            lost = attempt.engine.done + 1 - attempt.kept_step
            skipped = attempt.skipped + lost
            if world.is_main:
                observer.rolled_back(str(error), attempt.kept_step)
            job = replace(job, resume=tuple(vault.get(name) for name in attempt.kept) or job.resume)
        finally:
            attempt.close()
    raise AssertionError("the loop returns or raises")


class _Attempt:
    """From a starting point to the last step, or to the first divergence."""

    def __init__(
        self, job: TrainingJob, world: World, observer: Observer, stopper: Stopper, vault: Vault, skipped: int
    ) -> None:
        phase = find_phase(job.phase_name, job.phase)
        self.job, self.world, self.observer, self.stopper = job, world, observer, stopper
        self.dataset = open_dataset(job.data)
        self.tokenizer = choose_tokenizer(job, self.dataset)
        torch.manual_seed(job.seed)
        network = SpatialMLLM(job.network, len(self.tokenizer))
        network.set_trainable(job.phase.trainable)
        state = self._load(network)
        need_room(job.folder, checkpoint_size(network))
        foreign = job.phase.foreign_instructions
        self.reader = ViewReader(self.dataset, job.network, self.tokenizer, phase.goal, job.seed, foreign)
        self.stream = TrainingStream(self.dataset, job.phase, job.network.keyframes, job.seed)
        self.engine = Engine(
            Objective(network, job.phase.losses), job.phase, device_of(job.phase.device, world), stopper
        )
        self.history = History()
        self.keeper = Keeper(job.folder, world, vault)
        self.ahead: ShardsAhead | None = None
        self.kept: tuple[str, ...] = ()
        self.kept_step = 0
        self.skipped = skipped
        if state:
            self.engine.load_state(state)
            self.skipped = max(skipped, int(state["skipped"]))
            self.kept_step = self.engine.done
            self.history = History.parse(state.said["history"])

    def run(self) -> Trained:
        phase, engine = self.job.phase, self.engine
        engine.sharded.network.train()
        batches, recent = self._batches(), []
        self._bring_shards()
        while engine.done < phase.steps:
            # Dropout follows from the step, so that a resumed training draws what an unbroken one would have.
            torch.manual_seed(hash((self.job.seed, engine.done, self.world.rank)) % 2**63)
            step = engine.step(batches, self.keeper.ready)
            recent.append(step)
            self._tell_step(step)
            if engine.done % phase.log_every == 0 or engine.done == phase.steps:
                self._tell_record(summarise(recent))
                recent = []
                # Losses are means over all ranks, so all ranks leave together.
                if leave(phase.adaptive, self.history, phase.steps):
                    break
            if step.kept:
                self.settle()
            ended = engine.done == phase.steps
            # Weights under suspicion are no place to go back to.
            due = phase.checkpoint_every and engine.done % phase.checkpoint_every == 0 and not engine.guard.suspects
            if not ended and (due or step.stop):
                self._keep()
            if not ended and step.stop:
                self.settle()
                raise Stopped(
                    f"Training of {self.job.phase_name} was told to stop after step {engine.done} of {phase.steps}: "
                    "its state is kept; run the stage again to go on."
                )
        return Trained(self._write(self.job.folder / "final"), self.history)

    def settle(self) -> None:
        """Wait until the state that is being kept, if one is, lies in the vault. Collective."""
        if self.keeper.step is None:
            return
        state = self.keeper.collect()
        self.kept, self.kept_step = state.names, state.step
        if self.world.is_main:
            self.observer.kept(state)

    def close(self) -> None:
        """Free what DeepSpeed holds, and the keeper's thread."""
        self.keeper.close()
        if self.ahead:
            self.ahead.close()
        self.engine.sharded.close()

    def _batches(self) -> Iterator[Batch]:
        phase, world = self.job.phase, self.world
        first = (self.engine.done + self.skipped) * phase.accumulation
        stop = (phase.steps + self.skipped) * phase.accumulation
        return training_batches(
            self.reader, lambda index: self.stream.batch(index, world.rank, world.size), first, stop, phase.workers
        )

    def _bring_shards(self) -> None:
        """The first rank of every machine sees to it that shards are there before they are read."""
        if self.world.local_rank == 0:
            done = (self.engine.done + self.skipped) * self.job.phase.accumulation * self.world.size
            first = done * (self.job.phase.batch // self.stream.group_size)
            self.ahead = ShardsAhead(self.dataset.files.shards, self.stream.shards_from(first))

    def _load(self, network: SpatialMLLM) -> SavedState | None:
        """Fill the network; the state to go on from, where there is one. What is not trained is as it was at first."""
        if self.job.init:
            check_architecture(read_config(self.job.init).network, self.job.network)
            load_weights(network, self.job.init)
        if not self.job.resume:
            return None
        state = read_state(self.job.resume)
        check_architecture(CheckpointConfig.model_validate_json(state.said["config"]).network, self.job.network)
        weights = {name.removeprefix("weight/"): state[name] for name in state if name.startswith("weight/")}
        network.load_state_dict(weights, strict=False)
        return state

    def _keep(self) -> None:
        """Begin to keep the state; the copy that is written is made now, and all the rest beside the next steps."""
        self.settle()
        share = self.engine.share()
        if self.world.is_main:
            share["skipped"] = torch.tensor(self.skipped)
        said = {"config": self._config().model_dump_json(), "history": self.history.to_json()}
        self.keeper.begin(self.engine.done, share, said)

    def _write(self, folder: Path) -> CheckpointFiles:
        """Gather on all ranks, write on rank 0, and go on together once the files are there."""
        weights = self.engine.weights()
        if self.world.is_main:
            write_checkpoint(folder, self._config(), self.tokenizer, self.history, weights)
        torch.distributed.barrier()
        return CheckpointFiles.inside(folder)

    def _config(self) -> CheckpointConfig:
        network, tokens = self.job.network, len(self.tokenizer)
        return CheckpointConfig(network=network, tokens=tokens, phase=self.job.phase_name, step=self.engine.done)

    def _tell_step(self, step: Step) -> None:
        if self.world.is_main:
            self.observer.stepped(step)

    def _tell_record(self, record: Record) -> None:
        self.history.add(record)
        if self.world.is_main:
            self.observer.recorded(record)


def choose_tokenizer(job: TrainingJob, dataset: WalkDataset) -> Tokenizer:
    """The tokenizer of the phase before; else the language model's own; else one trained on the data's texts."""
    if job.init:
        return Tokenizer.read(job.init.tokenizer)
    language = job.network.language
    if own := language.tokenizer or language.source:
        return Tokenizer.read(Path(own))
    spoken = [dataset.walks[index].instruction for index in dataset.split("train")]
    return Tokenizer.train([*spoken, *all_questions(dataset.categories.values())], language.vocabulary)


def checkpoint_size(network: SpatialMLLM) -> int:
    """Bytes at most on this disk: all weights, and weight and two moments of what is trained."""
    whole = sum(p.numel() * p.element_size() for p in network.parameters())
    trained = sum(p.numel() for p in network.parameters() if p.requires_grad)
    return whole + 3 * 4 * trained
