"""One phase's updates: gradients over the ranks, clipping, the guard, the learning rate, and what to report of each."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, distributed

from model.batch import Batch
from model.errors import BacksightError
from model.training.averaging import Average
from model.training.config import PhaseConfig
from model.training.guard import Guard, Verdict
from model.training.objective import Objective
from model.training.schedule import learning_rate
from model.training.sharded import Sharded
from model.training.stopping import Stopper


class Diverged(BacksightError):
    """The guard no longer trusts the weights."""


@dataclass(frozen=True)
class Step:
    """One update as it went, the same on all ranks."""

    number: int
    """Updates so far, this one included."""
    loss: float
    terms: dict[str, float]
    """Unweighted loss terms."""
    rate: float
    norms: dict[str, float]
    """Gradient norm of each part before clipping."""
    verdict: Verdict
    items: int
    """Items of all ranks."""
    seconds: float
    waiting: float
    """Seconds of it that this rank waited for data."""
    stop: bool
    """Whether any rank was told to stop."""
    kept: bool
    """Whether all ranks said, with `ready`, that their share of a state is kept."""

    @property
    def norm(self) -> float:
        """Norm of the whole gradient."""
        return math.hypot(*self.norms.values())


class Engine:
    """Runs updates `done` .. `phase.steps` of an objective. Build it on every rank, with equal weights."""

    def __init__(self, objective: Objective, phase: PhaseConfig, device: torch.device, stopper: Stopper) -> None:
        self.phase = phase
        self.stopper = stopper
        self.done = 0
        self.guard = Guard(phase.spike, phase.patience)
        self.sharded = Sharded(objective, phase, device)
        self.average = Average(objective.network, phase.ema) if phase.ema else None

    def step(self, batches: Iterator[Batch], ready: bool = False) -> Step:
        """Take `accumulation` batches and update once; `ready` is told to all ranks (`Step.kept`).

        Raises `Diverged` when the guard says to go back.
        """
        began, waiting = time.perf_counter(), 0.0
        sums: dict[str, Tensor] = {}
        for part in range(1, self.phase.accumulation + 1):
            asked = time.perf_counter()
            batch = next(batches)
            waiting += time.perf_counter() - asked
            for name, value in self.sharded.accumulate(batch, last=part == self.phase.accumulation).items():
                sums[name] = sums.get(name, 0) + value / self.phase.accumulation
        means, stop, kept = self._over_ranks(sums, ready)
        norms = self.sharded.norms()
        rate = learning_rate(self.done, self.phase)
        verdict = self._update(means["loss"], norms, rate)
        ranks = distributed.get_world_size()
        return Step(
            number=self.done,
            loss=means.pop("loss"),
            terms=means,
            rate=rate,
            norms=norms,
            verdict=verdict,
            items=self.phase.batch * self.phase.accumulation * ranks,
            seconds=time.perf_counter() - began,
            waiting=waiting,
            stop=stop,
            kept=kept,
        )

    def share(self) -> dict[str, Tensor]:
        """This rank's share of what `load_state` needs to go on as if nothing had happened. Collective."""
        share = self.sharded.share()
        if self.average:
            share |= self.average.share(self.sharded.dealt())
        if distributed.get_rank() == 0:
            share["done"] = torch.tensor(self.done)
            share["guard"] = torch.tensor([self.guard.suspects, *self.guard.usual], dtype=torch.float64)
        return share

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Take up all ranks' shares; their weights the network held already when this engine was made."""
        self.sharded.load_moments(state)
        self.done = int(state["done"])
        suspects, *usual = state["guard"].tolist()
        self.guard.suspects = int(suspects)
        self.guard.usual.extend(usual)
        if self.average:
            self.average.load_state(state)

    def weights(self) -> dict[str, Tensor]:
        """State dict of the network as it is to be published, on rank 0: averaged where `ema` is set. Collective."""
        weights = self.sharded.weights()
        averages = self.average.values if self.average and weights else {}
        return weights | {name: value.cpu() for name, value in averages.items()}

    def _update(self, loss: float, norms: dict[str, float], rate: float) -> Verdict:
        total = math.hypot(*norms.values())
        # In fp16 an overflow is part of finding the loss scale: DeepSpeed leaves such an update out by itself.
        overflow = self.phase.precision == "fp16" and not math.isfinite(total)
        verdict = Verdict.APPLY if overflow else self.guard.judge(loss, total)
        if verdict is Verdict.ROLL_BACK:
            raise Diverged(
                f"Training diverged at step {self.done + 1} (loss {loss:.4g}, gradient norm {total:.4g}): "
                "lower the phase's lr, or raise its warmup."
            )
        if verdict is Verdict.DISCARD:
            self.sharded.discard()
        else:
            if not overflow:
                self.sharded.scale_gradients(clip_factors(norms, self.phase))
            self.sharded.update(rate)
            if self.average:
                self.average.follow(self.done)
        self.done += 1
        return verdict

    def _over_ranks(self, sums: dict[str, Tensor], ready: bool) -> tuple[dict[str, float], bool, bool]:
        """Means of the terms over the ranks, whether any rank was told to stop, and whether all are ready."""
        words = torch.tensor([float(self.stopper.wanted), float(ready)])
        packed = torch.cat([torch.stack([value.float().cpu() for value in sums.values()]), words])
        ranks = distributed.get_world_size()
        if ranks > 1:
            distributed.all_reduce(packed)
        *values, stops, readies = packed.tolist()
        means = [value / ranks for value in values]
        return dict(zip(sums, means, strict=True)), stops > 0, readies == ranks


def clip_factors(norms: dict[str, float], phase: PhaseConfig) -> dict[str, float]:
    """What each part's gradient is multiplied by so that its norm, or the norm of all, is at most `phase.clip`."""
    if phase.clip == 0:
        return dict.fromkeys(norms, 1.0)
    if phase.clip_by == "global":
        return dict.fromkeys(norms, min(1.0, phase.clip / max(math.hypot(*norms.values()), 1e-12)))
    return {name: min(1.0, phase.clip / max(norm, 1e-12)) for name, norm in norms.items()}
