"""What the ablations change, as data: a parent preset's network and losses, and one difference a variant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from model.config import NetworkConfig
from model.losses import LOSSES
from model.sampling import SAMPLERS
from model.training.config import PhaseConfig
from tasks.preset import load_preset

PARENTS = {"sensors": "tiny", "images": "images"}
"""Parent -> the preset whose network and `finetune` phase it takes."""
SEEDS = (0, 1, 2)
MASKS = ("causal", "full")
BUILDINGS = (40, 80, 160, 320, 640)


@dataclass(frozen=True)
class Variant:
    """One training from scratch: the parent but for what is named here."""

    parent: str
    group: str
    name: str
    network: Mapping[str, Any] = field(default_factory=dict)
    """Sections and keys of `NetworkConfig` that differ."""
    losses: Mapping[str, float | None] = field(default_factory=dict)
    """Weights that differ; None = the term is left out."""
    language: bool = True
    """False: fused tokens go to the head as they are, and no instruction is read."""
    halves: bool = False
    """Two phases, each with a schedule of its own, in place of one."""
    adaptive: bool = False
    """The adaptive scheduler changes the second of the halves."""
    buildings: int = 0
    """Training buildings; 0 = all."""
    optimizer: str = ""
    """Whose updates are made, at ZeRO stage 0; empty = the parent's."""
    sampler: str = ""
    """Who picks the keyframes of the held-out views; empty = the evaluation's own, evenly over the past."""
    seed: int = 0

    @property
    def title(self) -> str:
        """`parent: name`."""
        return f"{self.parent}: {self.name}"


def config_of(variant: Variant) -> NetworkConfig:
    """The variant's network."""
    values = load_preset(PARENTS[variant.parent]).network.model_dump()
    for name, change in variant.network.items():
        values[name] = {**values[name], **change} if isinstance(change, dict) else change
    return NetworkConfig.model_validate(values)


def phase_of(variant: Variant, steps: int, batch: int) -> PhaseConfig:
    """The parent's `finetune` with the variant's losses, on one rank."""
    values = load_preset(PARENTS[variant.parent]).training.finetune.model_dump()
    weights = values["losses"] | variant.losses
    gone = {"dinov3"} if variant.network.get("dinov3", {}) is None else set()
    gone |= set() if variant.language else {"language"}
    gone |= set() if config_of(variant).tells_trail else {"trail"}
    if encoders := variant.network.get("encoders"):
        gone |= {name for name in values["trainable"] if name.startswith("encoders.") and name[9:] not in encoders}
    values |= {
        "steps": steps,
        "batch": batch,
        "losses": {name: weight for name, weight in weights.items() if weight is not None},
        "trainable": tuple(name for name in values["trainable"] if name not in gone),
        "adaptive": values["adaptive"] | {"enabled": variant.adaptive, "earliest": 1.0},
        "log_every": max(1, steps // 30),
    }
    if variant.optimizer:
        values |= {"optimizer": variant.optimizer, "zero": 0}
    return PhaseConfig.model_validate(values)


def variants(parent: str) -> list[Variant]:
    """All variants of a parent; the parents themselves, one a seed, come first."""
    whole = [Variant(parent, "seed", f"seed {seed}", seed=seed) for seed in SEEDS]
    rest = (*samplers(parent), *without_losses(parent), *without_parts(parent), *attentions(parent))
    return [*whole, *rest, *schedules(parent), by_other(parent)]


def samplers(parent: str) -> list[Variant]:
    """The same network, asked about the keyframes that each sampler picks of all that was seen."""
    return [Variant(parent, "sampler", f"keyframes by {name}", sampler=name) for name in SAMPLERS]


def without_losses(parent: str) -> list[Variant]:
    """Each term left out, and each that the parent lacks put in."""
    own = load_preset(PARENTS[parent]).training.finetune.losses
    needless = [name for name in own if name != "heatmap"]
    spare = {"spatial_consistency": 0.3, "cross_frame_alignment": 0.1, "map_energy": 0.1, "distinctness": 0.3}
    spare |= {"spatial_reasoning": 0.4}
    return [
        *(Variant(parent, "loss", f"without {name}", losses={name: None}) for name in needless),
        *(
            Variant(parent, "loss", f"with {name} {weight:g}", losses={name: weight})
            for name, weight in spare.items()
            if name not in own and name in LOSSES
        ),
    ]


def without_parts(parent: str) -> list[Variant]:
    """The network without one of its parts."""
    parts = [
        Variant(parent, "part", "without DINOv3", network={"dinov3": None}),
        Variant(parent, "part", "without the language model", language=False),
        Variant(parent, "part", "without matched look-alikes", network={"head": {"matched": False}}),
    ]
    if parent != "sensors":
        return parts
    return [
        *parts,
        Variant(parent, "geometry", "without VGGT", network={"encoders": ("sensors",)}),
        Variant(parent, "geometry", "without the trail", network={"trail": False}),
        Variant(parent, "geometry", "without near attention", network={"head": {"near": False}}),
        Variant(parent, "geometry", "without landing places", network={"head": {"landing": False}}),
        Variant(parent, "geometry", "without 3-D points in tokens", network={"point_bands": 0}),
        Variant(
            parent,
            "geometry",
            "without any use of 3-D points",
            network={"point_bands": 0, "head": {"near": False, "landing": False}},
        ),
    ]


def attentions(parent: str) -> list[Variant]:
    """Who sees whom in the language model; the parent has `blocks`."""
    return [Variant(parent, "mask", f"attention {kind}", network={"language": {"attention": kind}}) for kind in MASKS]


def schedules(parent: str) -> list[Variant]:
    """Two halves with and without the adaptive scheduler between them."""
    return [
        Variant(parent, "schedule", "two halves", halves=True),
        Variant(parent, "schedule", "two halves, adaptive", halves=True, adaptive=True),
    ]


def by_other(parent: str) -> Variant:
    """The same network trained by the optimizer that the parent does not take."""
    own = load_preset(PARENTS[parent]).training.finetune.optimizer
    other, name = ("muon", "Muon") if own == "adamw" else ("adamw", "AdamW")
    return Variant(parent, "optimizer", f"by {name}", optimizer=other)


def data_sizes(parent: str) -> list[Variant]:
    """The parent on the first buildings of the training split."""
    return [Variant(parent, "data", f"{count} buildings", buildings=count) for count in BUILDINGS]
