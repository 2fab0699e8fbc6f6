"""The network of a preset as a table: parameters, tokens, memory and time, from meta tensors; nothing is downloaded."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from model.plan import NetworkPlan

RATES = {
    "one CPU core, float32": 5e10,
    "Quadro RTX 8000, fp16": 4e13,
    "A100, bf16": 1.3e14,
    "H100, bf16": 3.5e14,
}
"""Device -> operations a second that large matrix products reach there (a third of the data sheet's peak); small
networks are bound by the overhead of many small operations and take several times as long."""


def show(preset: str, as_json: bool) -> None:
    """Print the plan of a preset's network and its training phases."""
    from model.plan import plan_network
    from tasks.preset import load_preset

    asked = load_preset(preset)
    training = asked.training
    phases = {name: getattr(training, name) for name in ("geometry", "pretrain", "finetune", "joint")}
    plan = plan_network(asked.network, phases, training.ranks)
    click.echo(json.dumps({"preset": preset, **asdict(plan), "rates": RATES}) if as_json else written(preset, plan))


def written(preset: str, plan: NetworkPlan) -> str:
    """The tables."""
    tokens = plan.tokens
    lines = [f"network of {preset}", f"  {'part':<18} {'parameters':>14} {'weights GB':>11}"]
    for part in plan.parts:
        idle = "" if part.runs else "  (of the checkpoint, not run)"
        lines.append(f"  {part.name:<18} {part.parameters:>14,} {part.weights / 1e9:>11.3f}{idle}")
    total = sum(part.parameters for part in plan.parts)
    lines += [
        f"  {'in all':<18} {total:>14,} {sum(part.weights for part in plan.parts) / 1e9:>11.3f}",
        f"tokens of an item: {tokens.views} views, {tokens.language} in the language model ({tokens.visual} of them "
        f"patches), {tokens.vggt} in VGGT, {tokens.dinov3} in DINOv3",
        f"a prediction: {plan.predict['total']:.3f} GB ({plan.predict['weights']:.3f} of weights; "
        f"{plan.predict['unloaded']:.3f} GB with --unload-llm), {plan.predict_flops:.2g} operations",
        f"  {'phase':<14} {'trained':>13} {'weights':>8} {'grads':>7} {'optim.':>7} {'activ.':>7} {'GB a rank':>10}"
        f"   {'by ZeRO stage 0 / 1 / 2 / 3':<30} operations an update",
    ]
    for phase in plan.phases:
        memory = phase.memory
        stages = " / ".join(f"{phase.by_zero[zero]:.2f}" for zero in range(4))
        lines.append(
            f"  {phase.name:<14} {phase.trained:>13,} {memory['weights']:>8.3f} {memory['gradients']:>7.3f} "
            f"{memory['optimiser']:>7.3f} {memory['activations']:>7.3f} {memory['total']:>10.3f}   {stages:<30} "
            f"{phase.flops:.2g}"
        )
    lines.append(f"expected time on {plan.phases[0].ranks} device(s), from the arithmetic alone:")
    lines.append(f"  {'':<22}" + "".join(f"{phase.name:>16}" for phase in plan.phases) + f"{'a prediction':>16}")
    for device, rate in RATES.items():
        each = [duration(phase.steps * phase.flops / rate / phase.ranks) for phase in plan.phases]
        each.append(duration(plan.predict_flops / rate))
        lines.append(f"  {device:<22}" + "".join(f"{text:>16}" for text in each))
    return "\n".join(lines)


def duration(seconds: float) -> str:
    """`3 s`, `12 min`, `5.2 h`, `3.1 days`."""
    for unit, size in (("years", 3.156e7), ("days", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s" if seconds >= 1 else f"{1000 * seconds:.0f} ms"
