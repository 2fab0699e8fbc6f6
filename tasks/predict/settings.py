"""What a prediction is asked: from the command line, over a YAML file, over the defaults."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, field_validator

from tasks.errors import UsageError
from tasks.explain import explain
from tasks.spec import Frozen
from tasks.yaml_file import read_keys


class PredictSettings(Frozen):
    """The options of `backsight predict`; the keys of its `--config` file."""

    model: str = Field("champion", description="`champion`, a checkpoint's folder, or its manifest id.")
    instruction: str | None = Field(None, description="Where to go; a recorded episode has its own.")
    algorithm: Literal["enhanced", "quality", "fast", "uniform"] = Field("enhanced", description="Keyframe sampler.")
    keyframes: int | None = Field(None, ge=1, description="None: as many as the network takes.")
    frame: int | None = Field(None, ge=1, description="Number of the frame that is the current view; None: the last.")
    fit: Literal["crop", "letterbox"] = Field("crop", description="The square that the network sees of a picture.")
    candidates: int = Field(128, ge=1, le=100_000, description="Frames at most that keyframes are picked from.")
    device: str | None = Field(None, description="cpu, cuda, cuda:1; None: the GPU where there is one.")
    unload_llm: bool = Field(False, description="Keep the language model off the device but for its own calls.")

    @field_validator("instruction")
    @classmethod
    def _is_text(cls, value: str | None) -> str | None:
        """A terminal hands on bytes that are no UTF-8 as lone surrogates, which no tokenizer reads."""
        try:
            (value or "").encode()
        except UnicodeEncodeError as error:
            raise ValueError("is no text in UTF-8") from error
        return value


def read_settings(file: Path | None, given: Mapping[str, Any]) -> PredictSettings:
    """The settings in a YAML file (if any) with those that were `given` (not None) put over them.

    Raises `UsageError` naming the file, the key, and the key that was probably meant.
    """
    values = read_keys(file, "The settings file", "algorithm: fast") if file is not None else {}
    values |= {name: value for name, value in given.items() if value is not None}
    try:
        return PredictSettings.model_validate(values)
    except ValidationError as error:
        raise UsageError(explain(error, str(file or "options"), PredictSettings)) from error
