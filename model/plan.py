"""What a network would take, from meta tensors: parameters, tokens, memory and arithmetic, before anything is bought.

Weights are counted exactly. Activations are the tensors that autograd keeps of a block, counted by hand (see
`block_floats`); a test holds them against what it keeps in truth. Nothing is downloaded: a part that a preset reads
from the hub is built from the sizes that stand beside its source.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import nn

from model.config import NetworkConfig, VGGTConfig
from model.spatial_mllm import SpatialMLLM
from model.training.config import PhaseConfig
from model.training.objective import GEOMETRY_TERMS
from model.training.optimizer import MOMENTS, MOMENTUM
from model.training.parts import hidden_matrices

GB = 1e9
FLOAT = 4
"""Bytes of a weight that is trained, of its gradient, and of each number that the optimiser keeps of it."""

WIDE, SHORT = {"float32": 4, "bfloat16": 2, "float16": 2}, {"fp32": 4, "bf16": 2, "fp16": 2}
"""Bytes of a number under a network's `dtype`, and under a phase's `precision`."""

IN_FULL = "finetune, full"
"""The phase `finetune` with all of the language model tuned in place of its adapters."""


@dataclass(frozen=True)
class Part:
    """A module of the network."""

    name: str
    parameters: int
    weights: int
    """Bytes, as they are held: as published where they are kept as they are, float32 where they are trained."""
    runs: bool = True
    """Whether the network calls it; a checkpoint brings modules that it does not."""


@dataclass(frozen=True)
class Tokens:
    """How long the sequences of one item are."""

    views: int
    language: int
    """All that the language model reads: words, views, queries."""
    visual: int
    """Of these, patches of views."""
    vggt: int
    """Over all views."""
    dinov3: int


@dataclass(frozen=True)
class PhasePlan:
    """One training phase on a rank."""

    name: str
    ranks: int
    zero: int
    trained: int
    """Parameters."""
    memory: dict[str, float]
    """What -> GB on a rank: weights, gradients, optimiser, activations."""
    by_zero: dict[int, float]
    """ZeRO stage -> GB on a rank in all."""
    flops: float
    """Of an update, over all ranks."""
    items: int
    """Seen by an update."""
    steps: int


@dataclass(frozen=True)
class NetworkPlan:
    """All of it."""

    parts: tuple[Part, ...]
    tokens: Tokens
    predict: dict[str, float]
    """What -> GB for a prediction of one view: weights, activations; `unloaded`: with the language model away."""
    predict_flops: float
    phases: tuple[PhasePlan, ...]


def meta_network(config: NetworkConfig) -> SpatialMLLM:
    """The network without memory, from the config's own sizes."""
    with torch.device("meta"):
        return SpatialMLLM(without_sources(config), config.language.vocabulary)


def without_sources(config: NetworkConfig) -> NetworkConfig:
    """The same sizes, with no weights to be read from anywhere."""
    dinov3 = None if config.dinov3 is None else config.dinov3.model_copy(update={"source": None})
    vggt = config.vggt.model_copy(update={"weights": None})
    language = config.language.model_copy(update={"source": None})
    return config.model_copy(update={"vggt": vggt, "dinov3": dinov3, "language": language})


def plan_network(config: NetworkConfig, phases: dict[str, PhaseConfig], ranks: int) -> NetworkPlan:
    """The plan of a network and of its training phases on `ranks` devices."""
    network = meta_network(config)
    tokens = count_tokens(config)
    parts = tuple(part(name, module, config) for name, module in named_parts(network))
    weights = sum(p.weights for p in parts)
    resting = sum(p.weights for p in parts if p.name.startswith("language"))
    passing = forward_bytes(config, tokens) / GB
    predict = {
        "weights": weights / GB,
        "activations": passing,
        "total": weights / GB + passing,
        "unloaded": max(weights - resting, resting) / GB + passing,
    }
    plans = [plan_phase(name, phase, network, config, tokens, ranks) for name, phase in phases.items()]
    flops = forward_flops(network, tokens)
    if config.language.lora is not None and "finetune" in phases:
        whole = config.language.model_copy(update={"lora": None, "trainable": True})
        tuned = config.model_copy(update={"language": whole})
        plans.append(plan_phase(IN_FULL, phases["finetune"], meta_network(tuned), tuned, tokens, ranks))
    return NetworkPlan(parts, tokens, predict, flops, tuple(plans))


def named_parts(network: SpatialMLLM) -> list[tuple[str, nn.Module]]:
    """The modules that a plan names, the network's in their order; the language model's vision tower by itself."""
    found: list[tuple[str, nn.Module]] = []
    for name, encoder in network.encoders.items():
        found.append((f"encoders.{name}", encoder))
    if network.dinov3 is not None:
        found.append(("dinov3", network.dinov3))
    found += [("fusion", network.fusion), ("merger", network.merger)]
    if network.trail is not None:
        found.append(("trail", network.trail))
    language: Any = network.language.backbone
    found += [("language.layers", language.model.language_model), ("language.vision", language.model.visual)]
    found += [("language.lm_head", language.lm_head), ("head", network.head), ("alignment", network.alignment)]
    return found


def part(name: str, module: nn.Module, config: NetworkConfig) -> Part:
    """A module's size. Tied weights are counted where they are first."""
    count = sum(p.numel() for p in module.parameters())
    if name == "language.lm_head" and config.language.tied:
        count = 0
    bytes_each = FLOAT
    if name.startswith("language") and not config.language.trainable and config.language.source is not None:
        bytes_each = 2
    return Part(name, count, count * bytes_each, runs=name not in ("language.vision", "language.lm_head"))


def count_tokens(config: NetworkConfig) -> Tokens:
    """Lengths of the sequences of one item with all its keyframes."""
    views, merged = config.keyframes + 1, config.patches // config.language.merge
    visual = views * merged**2
    vggt = views * (1 + config.vggt.registers + (config.vggt.image_size // config.vggt.patch_size) ** 2)
    dino = config.dinov3
    return Tokens(
        views=views,
        language=config.language.text_length + visual + 2 * views + views,
        visual=visual,
        vggt=vggt if "vggt" in config.encoders else 0,
        dinov3=0 if dino is None else views * (1 + dino.registers + (dino.image_size // dino.patch_size) ** 2),
    )


def forward_flops(network: SpatialMLLM, tokens: Tokens, trained: bool = False, alone: bool = False) -> float:
    """Multiplications and additions of one item: two a weight and token. `trained`: those of the update, too;
    `alone`: of the trained geometry encoders, nothing else.

    A trained part costs three times its forward pass. Behind it lie parts that are not trained themselves, but through
    which gradients pass: twice. One more forward pass where activations are computed again.
    """
    total = 0.0
    for name, module in named_parts(network):
        length = {"encoders.vggt": tokens.vggt, "dinov3": tokens.dinov3, "language.layers": tokens.language}.get(
            name, tokens.visual
        )
        if name in ("language.vision", "language.lm_head"):
            continue
        words = cast(Any, module).get_input_embeddings().weight.numel() if name == "language.layers" else 0
        size = sum(p.numel() for p in module.parameters()) - words
        own = _trains(module)
        if alone and not (own and name.startswith("encoders.")):
            continue
        adapters = sum(p.numel() for n, p in module.named_parameters() if p.requires_grad and ".lora_" in n)
        times = 1.0
        if trained and own:
            times = 2 + (adapters / size if adapters else 1.0)
        elif trained and name == "language.layers":
            times = 2
        if trained and name == "language.layers" and network.config.language.checkpointing:
            times += 1
        total += 2 * size * length * times
    return total


def block_floats(width: int, mlp: int, gated: bool) -> int:
    """Numbers of the activations' type that autograd keeps a token of one transformer block with fused attention.

    Two normalised inputs, the two sums, queries, keys and values with their rotated copies, the attention's outcome,
    and of the MLP its inner states: one and its GELU, or for a gated one two, their SiLU and product.
    """
    attention = 6 * width
    inner = 4 * mlp if gated else 2 * mlp
    return 4 * width + attention + inner


def dense_head_floats(vggt: VGGTConfig) -> int:
    """Float32 numbers that autograd keeps a view of one of VGGT's dense heads: maps at 1/2 to 8 times the patches'
    grid, and of the image's size. About ten maps of a fusion's width at each level: inputs, rectified, convolved, sums.
    """
    side, width = vggt.image_size // vggt.patch_size, vggt.dpt_width
    levels = (side * 4, side * 2, side, side // 2)
    pyramid = sum(size**2 * (3 * c + 10 * width) for size, c in zip(levels, vggt.dpt_channels, strict=True))
    fused = (8 * side) ** 2 * (2 * width + width // 2)
    return pyramid + fused + vggt.image_size**2 * (width + 2 * vggt.dpt_out_width)


def activation_bytes(
    config: NetworkConfig, network: SpatialMLLM, tokens: Tokens, number: int, alone: bool = False
) -> float:
    """What autograd keeps of one item, under the parts' present choice of what is trained; `number` bytes each.

    Gradients pass through the language model on their way to all that comes before it, unless the geometry encoders
    are trained `alone`.
    """
    language, dino, vggt = config.language, config.dinov3, config.vggt
    kept = 0.0
    if "vggt" in config.encoders and _trains(network.encoders["vggt"]):
        kept += tokens.vggt * 2 * vggt.depth * block_floats(vggt.width, 4 * vggt.width, gated=False)
        if vggt.patch_embed == "dinov2":
            kept += tokens.vggt * vggt.patch_embed_depth * block_floats(vggt.width, 4 * vggt.width, gated=False)
        # The heads compute in float32, whatever the precision of the rest.
        kept += tokens.views * 2 * dense_head_floats(vggt) * FLOAT / number
    if alone:
        return kept * number
    if dino is not None and network.dinov3 is not None and _trains(network.dinov3):
        kept += tokens.dinov3 * dino.depth * block_floats(dino.width, dino.mlp_width, gated=False)
    if any(_trains(getattr(network, name)) for name in ("encoders", "dinov3", "fusion", "merger", "language")):
        block = block_floats(language.width, language.mlp_width, gated=True)
        inputs = language.width * language.depth
        kept += tokens.language * (inputs + block if language.checkpointing else block * language.depth)
    # The head's cells, for each keyframe and the goal: features before, in and after its three steps.
    kept += tokens.views * config.grid**2 * 10 * config.head.width
    return kept * number


def _trains(module: nn.Module | None) -> bool:
    return module is not None and any(p.requires_grad for p in module.parameters())


def forward_bytes(config: NetworkConfig, tokens: Tokens) -> float:
    """At the most at a time in a prediction: one block of the language model, or VGGT's trunk with its levels."""
    number = WIDE[config.dtype]
    language = tokens.language * block_floats(config.language.width, config.language.mlp_width, gated=True)
    # The trunk keeps the tokens of every pair of blocks, twice as wide.
    vggt = tokens.vggt * (2 * config.vggt.width * config.vggt.depth + block_floats(
        config.vggt.width, 4 * config.vggt.width, gated=False))  # fmt: skip
    return float(max(language, vggt) * number)


def plan_phase(
    name: str, phase: PhaseConfig, network: SpatialMLLM, config: NetworkConfig, tokens: Tokens, ranks: int
) -> PhasePlan:
    """One phase on `ranks` devices under its own ZeRO stage, and what the others would take."""
    network.set_trainable(phase.trainable)
    trained = sum(p.numel() for p in network.parameters() if p.requires_grad)
    frozen = sum(_held(n, config) * p.numel() for n, p in network.named_parameters() if not p.requires_grad)
    alone = GEOMETRY_TERMS.issuperset(phase.losses)
    activations = phase.batch * activation_bytes(config, network, tokens, SHORT[phase.precision], alone)
    state = optimiser_numbers(network, phase)
    memory = {zero: rank_memory(trained, state, frozen, activations, zero, ranks) for zero in range(4)}
    items = phase.batch * phase.accumulation * ranks
    return PhasePlan(
        name=name,
        ranks=ranks,
        zero=phase.zero,
        trained=trained,
        memory=memory[phase.zero],
        by_zero={zero: parts["total"] for zero, parts in memory.items()},
        flops=items * forward_flops(network, tokens, trained=True, alone=alone),
        items=items,
        steps=phase.steps,
    )


def optimiser_numbers(network: nn.Module, phase: PhaseConfig) -> int:
    """What the phase's optimiser keeps of the trained parameters: AdamW two numbers of each, Muon one of a matrix's."""
    matrices = hidden_matrices(network) if phase.optimizer == "muon" else set()
    trained = (p for p in network.parameters() if p.requires_grad)
    return sum(p.numel() * len(MOMENTUM if p in matrices else MOMENTS) for p in trained)


def rank_memory(trained: int, state: int, frozen: float, activations: float, zero: int, ranks: int) -> dict[str, float]:
    """GB on one of `ranks` devices, for so many trained parameters, numbers of the optimiser's, and bytes of the rest.

    ZeRO 1 cuts the optimiser's state and its copy of the weights into pieces, 2 the gradients as well, 3 also the
    weights themselves, the frozen ones included.
    """
    cut = {stage: ranks if zero >= stage else 1 for stage in (1, 2, 3)}
    copy = trained * FLOAT / ranks if zero in (1, 2) and ranks > 1 else 0
    parts = {
        "weights": (trained * FLOAT + frozen) / cut[3],
        "gradients": trained * FLOAT / cut[2],
        "optimiser": state * FLOAT / cut[1] + copy,
        "activations": activations,
    }
    parts = {name: size / GB for name, size in parts.items()}
    return {**parts, "total": sum(parts.values())}


def _held(name: str, config: NetworkConfig) -> int:
    """Bytes of a weight that is not trained: the language model's as they were published, in bfloat16."""
    published = config.language.source is not None and name.startswith("language.backbone.")
    return 2 if published else FLOAT
