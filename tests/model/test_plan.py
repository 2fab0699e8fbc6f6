"""The plan's counts are the published ones, and its memory is what torch keeps in truth."""

from __future__ import annotations

import json

import pytest
import torch

import flows.cli as cli
from model.config import NetworkConfig
from model.plan import IN_FULL, activation_bytes, count_tokens, optimiser_numbers, plan_network, rank_memory
from model.spatial_mllm import SpatialMLLM
from model.training.config import PhaseConfig
from model.training.optimizer import make_optimizer
from model.training.parts import parameter_groups
from tasks.preset import load_preset
from tests.model.random_views import random_text, random_views
from tests.published import NETWORK

BILLION = {"encoders.vggt": 1.19, "dinov3": 0.303}
PHASES = ("geometry", "pretrain", "finetune", "joint")


@pytest.fixture(scope="module")
def full() -> object:
    preset = load_preset("full")
    phases = {name: getattr(preset.training, name) for name in PHASES}
    return plan_network(preset.network, phases, ranks=4)


def test_the_full_preset_has_the_published_sizes(full: object) -> None:
    counts = {part.name: part.parameters / 1e9 for part in full.parts}
    for name, size in BILLION.items():
        assert counts[name] == pytest.approx(size, rel=0.02)
    language = sum(size for name, size in counts.items() if name.startswith("language."))
    assert language == pytest.approx(8.29, rel=0.02)
    assert full.tokens.visual == 2304, "9 views of 16 x 16 patches"


def test_the_full_presets_sizes_are_those_of_the_published_checkpoints() -> None:
    """Their config.json say so; the sizes beside a `source` serve the plan, and are not read when it is loaded."""
    network = load_preset("full").network
    assert network.language.source == "Qwen/Qwen2.5-VL-7B-Instruct" and network.vggt.weights == "facebook/VGGT-1B"
    assert network.dinov3 is not None and network.dinov3.source == "facebook/dinov3-vitl16-pretrain-lvd1689m"
    published = NetworkConfig.published()
    free = {"source", "weights", "tokenizer", "trainable"}
    for part in ("vggt", "dinov3", "language"):
        assert getattr(network, part).model_dump(exclude=free) == getattr(published, part).model_dump(exclude=free)


def test_adapters_take_less_than_all_and_zero_takes_less_the_higher(full: object) -> None:
    by_name = {phase.name: phase for phase in full.phases}
    assert by_name[IN_FULL].trained > 50 * by_name["finetune"].trained
    assert by_name[IN_FULL].by_zero[0] > 110 and by_name[IN_FULL].by_zero[3] < 45
    for phase in full.phases:
        sizes = [phase.by_zero[zero] for zero in range(4)]
        assert sizes == sorted(sizes, reverse=True)


def test_memory_of_a_rank_by_hand() -> None:
    billion = 1_000_000_000
    one = rank_memory(billion, 2 * billion, 2e9, 3e9, zero=0, ranks=4)
    assert one == {"weights": 6, "gradients": 4, "optimiser": 8, "activations": 3, "total": 21}
    assert rank_memory(billion, 2 * billion, 2e9, 3e9, zero=1, ranks=4)["optimiser"] == 3
    assert rank_memory(billion, 2 * billion, 2e9, 3e9, zero=2, ranks=4)["gradients"] == 1
    assert rank_memory(billion, 2 * billion, 2e9, 3e9, zero=3, ranks=4) == {
        "weights": 1.5,
        "gradients": 1,
        "optimiser": 2,
        "activations": 3,
        "total": 7.5,
    }


@pytest.mark.parametrize("trained", [(), ("encoders.vggt",), ("dinov3",), ("language",), ("head",)])
def test_planned_activations_are_those_that_autograd_keeps(trained: tuple[str, ...]) -> None:
    config = NetworkConfig()
    network = SpatialMLLM(config, config.language.vocabulary).train()
    network.set_trainable(trained)
    weights = {p.untyped_storage().data_ptr() for p in network.parameters()}
    # Kept alive until all are counted, so that no two share an address.
    alive: list[torch.Tensor] = []

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        alive.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        said = network(random_views(1, config.keyframes), random_text(1, config.language.text_length))
    kept = {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in alive}
    measured = sum(size for address, size in kept.items() if address not in weights)
    assert said.logits.requires_grad
    assert activation_bytes(config, network, count_tokens(config), 4) == pytest.approx(measured, rel=0.35)


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_the_planned_state_is_what_the_optimiser_keeps(optimizer: str) -> None:
    phase = PhaseConfig(steps=1, losses={"heatmap": 1}, optimizer=optimizer, zero=0)
    network = SpatialMLLM(NETWORK, NETWORK.language.vocabulary)
    network.set_trainable(("language", "head"))
    made = make_optimizer(parameter_groups(network, 0.0, apart=optimizer == "muon"), phase)
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter) if parameter.requires_grad else None
    made.step()
    kept = sum(t.numel() for state in made.state.values() for name, t in state.items() if name != "step")
    assert optimiser_numbers(network, phase) == kept


@pytest.mark.parametrize("preset", ["tiny", "full"])
def test_the_plan_is_printed(preset: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.invoke(["plan", "--preset", preset]) == 0
    told = capsys.readouterr().out
    assert "GB a rank" in told and "tokens of an item" in told and "expected time" in told
    assert max(map(len, told.splitlines())) <= 140
    assert cli.invoke(["plan", "--preset", preset, "--json"]) == 0
    assert {p["name"] for p in json.loads(capsys.readouterr().out)["parts"]} >= {"dinov3", "language.layers"}
