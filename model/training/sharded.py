"""DeepSpeed behind a narrow face: accumulate gradients, look at them, update, and read or set the optimiser's state.

Nothing here compiles at run time: the optimisers are torch's own, and DeepSpeed's shared-memory operator, which it
would build with a C++ compiler for CPU ranks, is switched off (gloo does the same work).
"""

from __future__ import annotations

import logging
import sys
import warnings
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, distributed, nn

from model.batch import Batch
from model.training.config import PhaseConfig
from model.training.objective import Objective
from model.training.optimizer import MOMENTS, MOMENTUM, make_optimizer
from model.training.parts import parameter_groups
from model.training.shares import deal

AUTOCAST = {"bf16": "bfloat16", "fp16": "float16"}

HELD = -1
"""Stands, among the numbers of the modules that are using a parameter at the moment, for one that never ends."""


class Sharded:
    """An objective under ZeRO stage 0-3.

    Args:
        objective: its network's trained parameters are chosen already; moved to `device` and wrapped in place.
    """

    def __init__(self, objective: Objective, phase: PhaseConfig, device: torch.device) -> None:
        self.phase = phase
        self.device = device
        self.groups = parameter_groups(objective.network, phase.weight_decay, apart=phase.optimizer == "muon")
        self.matrices = {parameter for group in self.groups if group["hidden"] for parameter in group["params"]}
        optimizer = make_optimizer(self.groups, phase)
        deepspeed = _deepspeed()
        with _quiet():
            self.engine, self.optimizer, _, _ = deepspeed.initialize(
                model=objective.to(device), optimizer=optimizer, config=_config(phase)
            )
        self.network: nn.Module = objective.network
        self._make_moments()
        if phase.zero == 3:
            self._keep_small_gathered()

    def accumulate(self, batch: Batch, last: bool) -> dict[str, Tensor]:
        """Forward and backward of one batch; after the `last` of an update the ranks average gradients."""
        self.engine.set_gradient_accumulation_boundary(last)
        loss, terms = self.engine(batch.to(self.device))
        self.engine.backward(loss)
        return {"loss": loss.detach(), **terms}

    def gradients(self) -> dict[str, list[Tensor]]:
        """Averaged gradients by part: whole ones at stage 0, this rank's pieces from stage 1 on. Writable."""
        parts: dict[str, list[Tensor]] = defaultdict(list)
        if self.phase.zero == 0:
            for group in self.groups:
                parts[group["part"]] += [p.grad for p in group["params"] if p.grad is not None]
        else:
            for index, pieces in self.optimizer.averaged_gradients.items():
                group = self.optimizer.sub_group_to_group_id[index] if self.phase.zero == 3 else index
                parts[self.groups[group]["part"]] += pieces
        return parts

    def norms(self) -> dict[str, float]:
        """Norm of each part's averaged gradient, the same on all ranks."""
        parts = self.gradients()
        names = sorted({group["part"] for group in self.groups})
        squares = torch.stack([_square_norm(parts[name], self.device) for name in names])
        if self.phase.zero:
            distributed.all_reduce(squares)
        return dict(zip(names, (squares.sqrt() / self.loss_scale).tolist(), strict=True))

    def scale_gradients(self, factors: dict[str, float]) -> None:
        """Multiply each part's gradient."""
        for name, pieces in self.gradients().items():
            if factors[name] != 1 and pieces:
                torch._foreach_mul_(pieces, factors[name])

    def update(self, rate: float) -> None:
        """One step of the optimiser at this learning rate; gradients are gone afterwards."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.engine.step()

    def discard(self) -> None:
        """Let the gradients go without a change of the weights."""
        for pieces in self.gradients().values():
            for piece in pieces:
                piece.zero_()
        # ZeRO has no way to skip a step; at rate 0 and gradient 0 the optimiser leaves the weights as they are.
        self.update(0.0)

    @property
    def loss_scale(self) -> float:
        """What the gradients are multiplied by in fp16; 1 otherwise."""
        if self.phase.precision != "fp16":
            return 1.0
        owner, name = (self.optimizer, "torch_autocast_gradscaler")
        if self.phase.zero == 0:
            owner, name = (self.engine, "torch_autocast_z0_gradscaler")
        return float(getattr(owner, name).get_scale())

    def share(self) -> dict[str, Tensor]:
        """This rank's share of the state, on the CPU: weights and moments, whole, of the parameters dealt to it.

        `weight/<name>`, `exp_avg/<name>`, ...; rank 0 adds `updates`. Collective: every rank calls it.
        """
        rank, mine = distributed.get_rank(), self.dealt()
        share = {"updates": self._updates()} if rank == 0 else {}
        for name, parameter in self._trained():
            for kind in ("weight", *self._moments(parameter)):
                whole = self._whole(parameter, None if kind == "weight" else kind)
                if name in mine:
                    share[f"{kind}/{name}"] = whole.detach().cpu().clone()
        return share

    def dealt(self) -> set[str]:
        """Names of the trained parameters whose state this rank keeps."""
        sizes = {name: int(getattr(p, "ds_numel", p.numel())) for name, p in self._trained()}
        dealt = deal(sizes, distributed.get_world_size())
        return {name for name, rank in dealt.items() if rank == distributed.get_rank()}

    def load_moments(self, state: Mapping[str, Tensor]) -> None:
        """Set the optimiser's moments from `state`; the weights were loaded before the engine was made."""
        for held in self._inner.state.values():
            if "step" in held:
                held["step"].copy_(state["updates"])
        for name, parameter in self._trained():
            for moment in self._moments(parameter):
                self._set_moment(parameter, moment, state[f"{moment}/{name}"].to(self.device))

    def weights(self) -> dict[str, Tensor]:
        """The whole network's state dict, on the CPU of rank 0; nothing on the others. Collective at stage 3."""
        main = distributed.get_rank() == 0
        if self.phase.zero < 3:
            return {name: value.cpu() for name, value in self.network.state_dict().items()} if main else {}
        whole = {}
        for name, value in self.network.state_dict(keep_vars=True).items():
            with _deepspeed().zero.GatheredParameters([value], enabled=hasattr(value, "ds_id")):
                if main:
                    whole[name] = value.detach().cpu().clone()
        return whole

    def close(self) -> None:
        """Take DeepSpeed's hooks off again."""
        self.engine.destroy()

    @property
    def _inner(self) -> torch.optim.Optimizer:
        return self.optimizer if self.phase.zero == 0 else self.optimizer.optimizer

    def _moments(self, parameter: Tensor) -> tuple[str, ...]:
        return MOMENTUM if parameter in self.matrices else MOMENTS

    def _updates(self) -> Tensor:
        """AdamW's count of its updates, the same for all that it updates; Muon keeps none."""
        return next(held["step"].cpu().clone() for held in self._inner.state.values() if "step" in held)

    def _trained(self) -> Iterator[tuple[str, nn.Parameter]]:
        return ((name, p) for name, p in self.network.named_parameters() if p.requires_grad)

    def _flat_parameters(self) -> list[Tensor]:
        """The tensors that the optimiser itself updates."""
        if self.phase.zero == 0:
            return [parameter for group in self.groups for parameter in group["params"]]
        names = {3: "fp32_partitioned_groups_flat"}
        return list(getattr(self.optimizer, names.get(self.phase.zero, "single_partition_of_fp32_groups")))

    def _make_moments(self) -> None:
        """Make the state before the first step: DeepSpeed links all of it as soon as one group has stepped."""
        for tensor in self._flat_parameters():
            kinds = self._moments(tensor)
            count = {"step": torch.zeros((), device=tensor.device)} if kinds == MOMENTS else {}
            self._inner.state[tensor] = count | {kind: torch.zeros_like(tensor) for kind in kinds}
        if self.phase.zero in (1, 2):
            self.optimizer._lazy_init_hp_params_optimizer_state()

    def _keep_small_gathered(self) -> None:
        """Hold what DeepSpeed calls persistent parameters gathered from the first pass on, not only from the second.

        Its hooks find tensors in tuples and dicts, but not in records, so before the backward pass they do not gather
        what a module that returns a record owns directly.
        """
        small = self.optimizer.persistent_parameters
        for parameter in small:
            parameter.ds_active_sub_modules.add(HELD)
        if small:
            small[0].all_gather(small)

    def _whole(self, parameter: nn.Parameter, moment: str | None) -> Tensor:
        from deepspeed.utils import safe_get_full_fp32_param, safe_get_full_optimizer_state

        if self.phase.zero == 0:
            return parameter.detach() if moment is None else self._inner.state[parameter][moment]
        whole = (
            safe_get_full_fp32_param(parameter) if moment is None else safe_get_full_optimizer_state(parameter, moment)
        )
        return whole.reshape(getattr(parameter, "ds_shape", parameter.shape))

    def _set_moment(self, parameter: nn.Parameter, moment: str, value: Tensor) -> None:
        from deepspeed.utils import safe_set_full_optimizer_state, safe_set_local_optimizer_state

        if self.phase.zero == 0:
            self._inner.state[parameter][moment].copy_(value)
        elif self.phase.zero == 3:
            size = parameter.ds_tensor.ds_numel  # type: ignore[attr-defined]
            safe_set_local_optimizer_state(parameter, _piece(value, size), moment)
        else:
            safe_set_full_optimizer_state(parameter, value, moment)


def _piece(whole: Tensor, size: int) -> Tensor:
    """This rank's piece of a tensor that stage 3 cuts, flat, into pieces of `size`, the last ones padded."""
    flat = nn.functional.pad(whole.flatten(), (0, size * distributed.get_world_size() - whole.numel()))
    return flat.narrow(0, size * distributed.get_rank(), size)


def _config(phase: PhaseConfig) -> dict[str, Any]:
    config: dict[str, Any] = {
        "train_micro_batch_size_per_gpu": phase.batch,
        "gradient_accumulation_steps": phase.accumulation,
        "zero_optimization": {"stage": phase.zero},
        "zero_allow_untested_optimizer": True,
        "gradient_clipping": 0.0,
        "steps_per_print": None,
    }
    if phase.precision in AUTOCAST:
        config["torch_autocast"] = {"enabled": True, "dtype": AUTOCAST[phase.precision]}
    return config


def _square_norm(pieces: list[Tensor], device: torch.device) -> Tensor:
    if not pieces:
        return torch.zeros((), device=device)
    return torch.stack(torch._foreach_norm(pieces)).float().square().sum()


@cache
def _deepspeed() -> ModuleType:
    """DeepSpeed, imported without what it would drag in and build; set up so whoever imported it first."""
    with _without("mlflow"), _quiet():
        import deepspeed

    logging.getLogger("DeepSpeed").setLevel(logging.ERROR)
    # Looked at, this name would fill itself by trying to compile each operator.
    deepspeed.ops.__compatible_ops__ = {}
    # At stage 3 it calls renamed functions of torch.distributed several times a step.
    warnings.filterwarnings("ignore", category=FutureWarning, module="torch.distributed")
    return deepspeed


@contextmanager
def _without(module: str) -> Iterator[None]:
    """Let an optional import fail: DeepSpeed's autotuner, which is not used, would spend seconds on MLflow."""
    if module in sys.modules:
        yield
        return
    sys.modules[module] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[module]


@contextmanager
def _quiet() -> Iterator[None]:
    """Drop DeepSpeed's advice about machines and deprecations, which no reader of a progress bar can act on."""
    previous = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(previous)
