"""What a night would launch, before anything runs: keys, cache hits, pods, GPU-hours, cost. Only look-ups do I/O."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field, ValidationError

from flows.launch.resources import ResourceTable, StageResources, for_spec
from flows.plan import PRODUCT, Night, Step
from tasks.errors import UsageError
from tasks.spec import Frozen, ManifestId, StageResult, StageSpec
from tasks.yaml_file import read_keys

if TYPE_CHECKING:
    from tasks.preset import Preset

PRICES = Path(__file__).with_name("prices.yaml")


class Prices(Frozen):
    """What an hour of each resource costs."""

    currency: str = Field("USD", description="Name of the currency.")
    core_hour: float = Field(ge=0)
    memory_gib_hour: float = Field(ge=0)
    gpu_hour: float = Field(ge=0)

    def hour(self, resources: StageResources) -> float:
        """What an hour of all pods of a stage costs."""
        pod = resources.cpu * self.core_hour + resources.memory_gib * self.memory_gib_hour
        return resources.pods * (pod + resources.gpus * self.gpu_hour)


@dataclass(frozen=True)
class Forecast:
    """One step of the night, as it would be."""

    step: str
    key: str | None
    """None where it follows from a stage that has not run."""
    known: bool | None
    """Whether its outcome is in the store; None where no store was asked."""
    resources: StageResources
    price_of_an_hour: float
    ran_hours: float | None
    """Hours that it took when it was done under this very key."""

    @property
    def launches(self) -> bool:
        """Whether pods would run."""
        return not self.known

    @property
    def most_gpu_hours(self) -> float:
        """GPU-hours if every pod ran to its deadline; nothing for what is known."""
        return self.resources.all_gpus * self.resources.deadline_hours if self.launches else 0.0

    @property
    def most_cost(self) -> float:
        """Cost if every pod ran to its deadline; nothing for what is known."""
        return self.price_of_an_hour * self.resources.deadline_hours if self.launches else 0.0


@dataclass(frozen=True)
class Question:
    """What a night is asked, and what is known about the world."""

    preset_name: str
    preset: Preset
    seed: int
    champion: ManifestId | None
    table: ResourceTable
    prices: Prices
    key_of: Callable[[StageSpec], str]
    known: Callable[[StageSpec], StageResult | None] | None
    """None = there is no store to ask."""


def forecast(asked: Question) -> list[Forecast]:
    """The steps of a night in order, each known, launched, or launched under a key that is not known yet."""
    night, found, unknown = Night(asked.preset, asked.seed, asked.champion), [], set[str]()
    while step := night.next_step():
        follows = bool(unknown & set(step.sources.values()))
        line, product = _line(asked, night, step, follows)
        found.append(line)
        if product is None:
            unknown.add(step.name)
        night = night.after(step, product or placeholder(step))
    return found


def placeholder(step: Step) -> ManifestId:
    """An id of the kind that a step will publish, for specs that are only looked at."""
    return f"{PRODUCT[step.stage]}/{'0' * 64}"


def _line(asked: Question, night: Night, step: Step, follows: bool) -> tuple[Forecast, ManifestId | None]:
    spec = night.spec(step)
    result = asked.known(spec) if asked.known and not follows else None
    resources = for_spec(asked.table.row(asked.preset_name, step.stage), spec)
    line = Forecast(
        step=step.name,
        key=None if follows else asked.key_of(spec),
        known=None if asked.known is None else result is not None,
        resources=resources,
        price_of_an_hour=asked.prices.hour(resources),
        ran_hours=result.seconds / 3600 if result else None,
    )
    return line, result.outputs[PRODUCT[step.stage]] if result else None


def read_prices(path: Path = PRICES) -> Prices:
    """The prices in a YAML file; a `UsageError` names the file and what is wrong in it."""
    from tasks.explain import explain

    values = read_keys(path, "The price file", "core_hour: 0.04")
    try:
        return Prices.model_validate(values)
    except ValidationError as error:
        raise UsageError(explain(error, str(path), Prices)) from error
