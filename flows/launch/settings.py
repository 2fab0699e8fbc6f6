"""Where stages run: the profile, and what its launcher needs to know, from the environment."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from flows.launch.resources import TABLE
from tasks.errors import UsageError

PREFIX = "BACKSIGHT_LAUNCH_"


class Profile(StrEnum):
    """The three ways to run the platform."""

    LOCAL = "local"
    """Flow runs and stages as processes of one machine."""
    CONTAINER = "container"
    """Both as containers of one engine."""
    CLUSTER = "cluster"
    """Both as pods of a Kubernetes cluster."""


class LaunchSettings(BaseSettings):
    """Read where a stage is launched; `backsight deploy` hands them on to the flow runs."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore", env_ignore_empty=True)

    profile: Profile = Field(Profile.LOCAL, validation_alias="BACKSIGHT_PROFILE")
    image_flow: str | None = None
    image_collector: str | None = None
    image_trainer: str | None = None
    resources: Path = TABLE
    """The table of resources."""
    namespace: str = "backsight-tasks"
    jobset: Literal["auto", "always", "never"] = "auto"
    queues: bool = True
    """Whether jobs carry Kueue's labels."""
    patience: float = Field(900.0, gt=0)
    """Seconds that a job may wait for a machine."""
    engine: str | None = None
    """Address of the container engine; none = $DOCKER_HOST."""
    network: str = "host"
    """The containers' network."""

    @classmethod
    def load(cls, profile: str | None = None) -> Self:
        """The settings of this process, under a profile if one is given; a `UsageError` names what is wrong."""
        given: dict[str, Any] = {"BACKSIGHT_PROFILE": profile} if profile else {}
        try:
            return cls(**given)
        except ValidationError as error:
            first = error.errors()[0]
            name = str(first["loc"][0])
            variable = name if name.startswith("BACKSIGHT_") else f"{PREFIX}{name.upper()}"
            raise UsageError(f"{variable} cannot be {first['input']!r}: {first['msg']}.") from error

    @property
    def images(self) -> dict[str, str]:
        """Images of tasks by kind, those that are named."""
        named = {"collector": self.image_collector, "trainer": self.image_trainer}
        return {kind: image for kind, image in named.items() if image}

    def variables(self) -> dict[str, str]:
        """These settings as variables, for flow runs that start elsewhere; only what differs from the defaults."""
        told = self.model_dump(mode="json", exclude_defaults=True, exclude={"profile", "resources"})
        return {"BACKSIGHT_PROFILE": self.profile.value, **{f"{PREFIX}{k.upper()}": _text(v) for k, v in told.items()}}


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
