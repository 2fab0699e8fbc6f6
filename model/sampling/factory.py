"""One factory for all samplers."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from typing import Protocol

from model.errors import UsageError
from model.sampling.enhanced import EnhancedSampler
from model.sampling.past import Past
from model.sampling.simple import FastSampler, QualitySampler, UniformSampler


class KeyframeSampler(Protocol):
    """Picks keyframes among past frames."""

    def sample(self, past: Past, count: int) -> list[int]:
        """Distinct frame numbers, ascending: `count` of them, or all where there are fewer."""
        ...


SAMPLERS: dict[str, Callable[..., KeyframeSampler]] = {
    "enhanced": EnhancedSampler,
    "quality": QualitySampler,
    "fast": FastSampler,
    "uniform": UniformSampler,
}


def create_sampler(name: str, **options: float) -> KeyframeSampler:
    """The sampler of this name; `options` are the fields of its class. `UsageError` for names that do not exist."""
    if name not in SAMPLERS:
        near = get_close_matches(name, SAMPLERS, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"choose one of {', '.join(SAMPLERS)}."
        raise UsageError(f"There is no keyframe sampler '{name}': {hint}")
    known = SAMPLERS[name].__dataclass_fields__  # type: ignore[attr-defined]
    if unknown := sorted(set(options) - set(known)):
        offered = f"it takes {', '.join(known)}" if known else "it takes none"
        raise UsageError(f"The sampler '{name}' has no option '{unknown[0]}': {offered}.")
    return SAMPLERS[name](**options)
