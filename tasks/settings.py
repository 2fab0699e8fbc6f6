"""Where this machine keeps its state and which platform it talks to: the environment, then `<home>/stack.env`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Self

from pydantic import AnyHttpUrl, Field, SecretStr, TypeAdapter, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from tasks.errors import UsageError

STACK_ENV = "stack.env"
"""Written by `backsight up` with mode 600: the credentials of the local stack."""


def home() -> Path:
    """The folder of all local state: `$BACKSIGHT_HOME`, or `.backsight` where the command was given."""
    return Path(os.environ.get("BACKSIGHT_HOME") or Path.cwd() / ".backsight").absolute()


class _FromEnvironment(BaseSettings):
    """Settings that `<home>/stack.env` completes where the environment is silent."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True)

    @classmethod
    def load(cls) -> Self:
        """The settings of this process.

        Raises `pydantic.ValidationError`; callers turn it into their own sentence.
        """
        return cls(_env_file=home() / STACK_ENV)


class StoreSettings(_FromEnvironment):
    """How to reach the artefact store. Built with keywords in tests, by `load()` otherwise."""

    model_config = SettingsConfigDict(env_prefix="BACKSIGHT_S3_")

    endpoint: str
    """`host:port`, without a scheme."""
    access_key: str
    secret_key: SecretStr
    bucket: str = Field("backsight", pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")
    secure: bool = False
    """Whether to speak TLS."""

    @field_validator("endpoint")
    @classmethod
    def _no_scheme(cls, value: str) -> str:
        if "://" in value or "/" in value:
            raise ValueError("is to be host:port without a scheme or a path; for TLS set BACKSIGHT_S3_SECURE=true")
        return value

    @classmethod
    def load(cls) -> Self:
        """The settings of this process; a `UsageError` says which variable is missing or wrong."""
        try:
            return super().load()
        except ValidationError as error:
            raise UsageError(_store_sentence(error)) from error


class PlatformSettings(_FromEnvironment):
    """Where runs are recorded and flows are kept; `None` = nowhere."""

    mlflow_tracking_uri: str | None = None
    prefect_api_url: str | None = None

    @field_validator("prefect_api_url")
    @classmethod
    def _is_url(cls, value: str | None) -> str | None:
        if value is not None:
            TypeAdapter(AnyHttpUrl).validate_python(value)
        return value

    @classmethod
    def load(cls) -> Self:
        """The settings of this process; a `UsageError` says which variable is wrong."""
        try:
            return super().load()
        except ValidationError as error:
            first = error.errors()[0]
            raise UsageError(f"{str(first['loc'][0]).upper()} is not a usable address: {_reason(first)}.") from error


def _store_sentence(error: ValidationError) -> str:
    problems = error.errors()
    missing = [_variable(p) for p in problems if p["type"] == "missing"]
    if "BACKSIGHT_S3_ENDPOINT" in missing:
        return (
            "No artefact store is configured: run `backsight up`, "
            "or set BACKSIGHT_S3_ENDPOINT, BACKSIGHT_S3_ACCESS_KEY and BACKSIGHT_S3_SECRET_KEY."
        )
    if missing:
        return f"The artefact store is configured by half: set {' and '.join(missing)} too, or run `backsight up`."
    return f"{_variable(problems[0])} {_reason(problems[0])}."


def _variable(problem: Any) -> str:
    return f"BACKSIGHT_S3_{str(problem['loc'][0]).upper()}"


def _reason(problem: Any) -> str:
    return str(problem["msg"]).removeprefix("Value error, ")
