"""The pure parts of training: rate, guard, clipping, parts, ranks, records."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import nn

from model.errors import UsageError
from model.spatial_mllm import SpatialMLLM
from model.training.config import KeyframeMix, PhaseConfig
from model.training.engine import Step, clip_factors
from model.training.guard import LEARNT, Guard, Verdict
from model.training.history import History, summarise
from model.training.objective import find_term
from model.training.optimizer import make_optimizer
from model.training.parts import parameter_groups, part_of
from model.training.phases import PHASES, find_phase
from model.training.ranks import World, device_of, world_of
from model.training.schedule import learning_rate
from tests.published import NETWORK


def phase(**changes: object) -> PhaseConfig:
    return PhaseConfig(**{"steps": 100, "losses": {"heatmap": 1.0}, **changes})


@given(st.integers(1, 500), st.floats(0, 0.9), st.floats(0, 1), st.floats(1e-6, 1))
def test_the_rate_climbs_to_its_peak_and_falls_to_its_end(steps: int, warmup: float, end: float, lr: float) -> None:
    config = phase(steps=steps, warmup=warmup, lr_end=end, lr=lr)
    rates = [learning_rate(step, config) for step in range(steps)]
    peak = rates.index(max(rates))
    assert rates[: peak + 1] == sorted(rates[: peak + 1])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)
    assert max(rates) == pytest.approx(lr) and min(rates[peak:]) >= lr * end * (1 - 1e-9)
    assert all(rate > 0 for rate in rates[:peak])


def test_the_rate_at_the_corners() -> None:
    config = phase(warmup=0.1, lr=1.0, lr_end=0.2)
    assert [learning_rate(step, config) for step in (0, 9, 10)] == [0.1, 1.0, 1.0]
    assert learning_rate(100, config) == pytest.approx(0.2) and learning_rate(55, config) == pytest.approx(0.6)


@given(st.lists(st.floats(0.5, 2.0), min_size=LEARNT, max_size=80))
def test_the_guard_trusts_the_ordinary_and_no_spike_or_nan(losses: list[float]) -> None:
    guard = Guard(spike=8, patience=2)
    assert all(guard.judge(loss, 1.0) is Verdict.APPLY for loss in losses)
    assert guard.judge(17.0, 1.0) is Verdict.DISCARD
    assert guard.judge(1.0, 1.0) is Verdict.APPLY
    assert guard.judge(math.nan, 1.0) is Verdict.DISCARD
    assert guard.judge(1.0, math.inf) is Verdict.ROLL_BACK


def test_the_guard_lets_the_first_losses_fall_and_negative_ones_be() -> None:
    guard = Guard(spike=3, patience=1)
    assert {guard.judge(loss, 1.0) for loss in (100.0, 5.0, 50.0, 1.0)} == {Verdict.APPLY}
    guard = Guard(spike=5, patience=1)
    for loss in [1.0, 0.2, -0.1] * LEARNT:
        assert guard.judge(loss, 1.0) is Verdict.APPLY
    assert guard.judge(9.0, 1.0) is Verdict.ROLL_BACK


@given(
    st.dictionaries(st.sampled_from("abcd"), st.floats(0, 1e4), min_size=1),
    st.floats(0.1, 10),
    st.sampled_from(["global", "module"]),
)
def test_clipped_norms_are_within_bounds_and_small_ones_untouched(
    norms: dict[str, float], clip: float, how: str
) -> None:
    factors = clip_factors(norms, phase(clip=clip, clip_by=how))
    clipped = {name: norm * factors[name] for name, norm in norms.items()}
    whole = math.hypot(*clipped.values())
    assert all(norm <= clip * 1.0001 for norm in clipped.values())
    if how == "global":
        assert whole <= clip * 1.0001 and len(set(factors.values())) == 1
    assert all(factors[name] == 1 for name, norm in norms.items() if norm <= clip and how == "module")
    assert clip_factors(norms, phase(clip=0)) == dict.fromkeys(norms, 1.0)


def test_every_trained_parameter_is_in_one_group_and_vectors_do_not_decay() -> None:
    network = SpatialMLLM(NETWORK.model_copy(update={"encoders": ("sensors", "vggt")}), 300)
    network.set_trainable(("encoders.vggt", "head"))
    groups = parameter_groups(network, 0.1)
    members = [parameter for group in groups for parameter in group["params"]]
    assert len(members) == len({id(p) for p in members}) == sum(p.requires_grad for p in network.parameters())
    for group in groups:
        assert all((parameter.ndim > 1) == (group["weight_decay"] == 0.1) for parameter in group["params"])
    parts = {group["part"] for group in groups}
    heads = {f"encoders.vggt.vggt.{name}" for name in ("aggregator", "camera_head", "depth_head", "point_head")}
    assert parts == {"head", *heads}
    assert part_of("encoders.x") == "encoders" and part_of("language.queries") == "language"


def test_matrices_between_hidden_features_stand_apart_where_muon_takes_them() -> None:
    network = SpatialMLLM(NETWORK, 300)
    groups = parameter_groups(network, 0.1, apart=True)
    members = [parameter for group in groups for parameter in group["params"]]
    assert len(members) == len({id(p) for p in members}) == sum(p.requires_grad for p in network.parameters())
    hidden = {id(p) for group in groups if group["hidden"] for p in group["params"]}
    assert id(network.head.expand.weight) in hidden and id(network.merger.part.weight) in hidden
    assert not hidden & {id(network.head.turn.weight), id(network.fusion.place), id(network.head.none)}
    assert not any(group["hidden"] for group in parameter_groups(network, 0.1))


def test_muon_is_refused_where_matrices_are_cut() -> None:
    assert phase(optimizer="muon", zero=0).optimizer == "muon"
    with pytest.raises(ValueError, match="whole matrices on each rank, which ZeRO stage 2 cuts: use stage 0"):
        phase(optimizer="muon", zero=2)


def test_muon_moves_a_matrix_alike_in_all_directions_and_leaves_the_rest_to_adamw() -> None:
    torch.manual_seed(0)
    config = phase(optimizer="muon", zero=0, lr=0.01)
    layers = [nn.ModuleDict({"head": nn.Linear(32, 16)}) for _ in range(2)]
    layers[1].load_state_dict(layers[0].state_dict())
    before = layers[0]["head"].weight.detach().clone()
    mixed = make_optimizer(parameter_groups(layers[0], 0.0, apart=True), config)
    adam = make_optimizer(parameter_groups(layers[1], 0.0), phase(lr=0.01))
    for layer, optimizer in zip(layers, (mixed, adam), strict=True):
        for group in optimizer.param_groups:
            group["lr"] = 0.02
        # In the gradient one direction weighs twenty times as much as another.
        torch.manual_seed(1)
        weights = torch.diag(torch.linspace(1, 20, 16))
        layer["head"].weight.grad = weights @ nn.init.orthogonal_(torch.empty(16, 32))
        layer["head"].bias.grad = torch.ones(16)
        optimizer.step()
    moved = torch.linalg.svdvals(layers[0]["head"].weight.detach() - before) / (0.02 * 0.2 * 32**0.5)
    assert moved.min() > 0.5 and moved.max() < 1.3
    assert torch.equal(layers[0]["head"].bias, layers[1]["head"].bias)
    assert not torch.allclose(layers[0]["head"].weight, layers[1]["head"].weight)


def test_who_this_process_is() -> None:
    assert world_of({}) == World(0, 0, 1)
    assert world_of({"RANK": "3", "LOCAL_RANK": "1", "WORLD_SIZE": "4"}) == World(3, 1, 4)
    slurm = {"SLURM_NTASKS": "8", "SLURM_PROCID": "5", "SLURM_LOCALID": "1", "SLURM_JOB_ID": "70012"}
    there = world_of({**slurm, "SLURM_LAUNCH_NODE_IPADDR": "10.0.0.7"})
    assert there == World(5, 1, 8, "tcp://10.0.0.7:29512") and not there.is_main
    assert world_of({**slurm, "MASTER_ADDR": "head", "MASTER_PORT": "7"}).meeting == "tcp://head:7"
    assert world_of({"SLURM_NTASKS": "1", "SLURM_PROCID": "0"}) == World()


def test_a_gpu_is_used_where_there_is_one_and_missed_where_it_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    assert device_of("auto", World(1, 1, 2)) == torch.device("cuda", 1)
    assert device_of("cpu", World()) == torch.device("cpu")
    with pytest.raises(UsageError, match="asks for a GPU for rank 2, but this machine has 2"):
        device_of("auto", World(2, 2, 3))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"batch": 3}, "items come in pairs: make it even"),
        ({"ema": 0.9, "zero": 3}, "ema needs whole weights"),
        ({"steps": 0}, "greater than or equal to 1"),
        ({"learning_rate": 1}, "Extra inputs are not permitted"),
        ({"losses": {}}, "at least 1 item"),
        ({"losses": {"heatmap": -1}}, "greater than or equal to 0"),
    ],
)
def test_a_phase_that_cannot_be_is_refused(changes: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        phase(**changes)
    with pytest.raises(ValidationError, match="needs a share above 0"):
        KeyframeMix(uniform=0, random=0)


def test_losses_are_known_by_name_and_fit_their_phase() -> None:
    assert find_term("heatmap").name == "heatmap"
    with pytest.raises(UsageError, match=r"no loss term 'heatmaps' .*did you mean 'heatmap'"):
        find_term("heatmaps")
    with pytest.raises(UsageError, match="phase geometry has no labels for the loss 'heatmap'"):
        find_phase("geometry", phase())
    with pytest.raises(UsageError, match="no training phase 'warm'"):
        find_phase("warm", phase())
    assert set(PHASES) == {"geometry", "pretrain", "finetune", "joint"}


def step(number: int, loss: float, verdict: Verdict = Verdict.APPLY) -> Step:
    return Step(
        number, loss, {"heatmap": loss / 2}, 0.1, {"head": 3.0, "fusion": 4.0}, verdict, 8, 0.5, 0.1, False, False
    )


def test_a_record_is_the_mean_of_the_applied_updates(tmp_path: Path) -> None:
    record = summarise([step(1, 2.0), step(2, 900.0, Verdict.DISCARD), step(3, 4.0)])
    assert (record.step, record.loss, record.terms, record.discarded) == (3, 3.0, {"heatmap": 1.5}, 1)
    assert record.norm == 5.0 and record.items_per_second == 16 and record.waiting == pytest.approx(0.2)
    assert record.metrics()["loss/heatmap"] == 1.5 and record.metrics()["gradient_norm/head"] == 3.0
    history = History()
    history.add(record)
    (tmp_path / "history.json").write_text(history.to_json())
    assert History.read(tmp_path / "history.json") == history
    assert summarise([step(1, 7.0, Verdict.DISCARD)]).loss == 7.0
