"""The stage contract as data: what a stage is asked (`StageSpec`), what it answers (`StageResult`), and its key."""

from __future__ import annotations

import hashlib
import json
import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field

MANIFEST_ID = r"^[a-z]+/[0-9a-f]{64}$"

ManifestId = Annotated[str, Field(pattern=MANIFEST_ID)]
"""`<kind>/<sha256 of the canonical manifest>`: the name of a published artefact."""

RegisteredName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,62}$")]
"""Name of a model in MLflow's registry; its ledger and the decisions about it are found by it, too."""

REGISTERED = "backsight"
"""The model that is meant where none is named."""

HOUSE = Path(__file__).resolve().parent.parent


class Frozen(BaseModel):
    """Base of all specs: immutable, and a misspelt key is an error rather than a silent default."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def free(default: Any, **kwargs: Any) -> Any:
    """A field that changes how fast the work is done but not its outcome: left out of the stage key."""
    return Field(default, json_schema_extra={"identity": False}, **kwargs)


class StageSpec(Frozen):
    """What a stage is asked. Subclasses live in `tasks/<name>/spec.py` and import neither torch nor a simulator."""

    task: ClassVar[str]
    """Folder under `tasks/` whose `python -m tasks.<task>` runs this spec."""

    stage: str = Field(description="Name of the stage: the task, or the phase for `train`.")
    seed: int = Field(0, ge=0, lt=2**31, description="Everything random in the stage follows from it.")

    def inputs(self) -> dict[str, str]:
        """Field name -> manifest id of every artefact that this spec reads."""
        return {name: value for name, value in self if is_manifest_id(value)}

    def identity(self) -> dict[str, Any]:
        """The spec without its free fields, also those of its sections, as JSON values."""
        return self.model_dump(mode="json", exclude=free_fields(self))

    @classmethod
    def read(cls, path: Path) -> Self:
        """The spec in a JSON file."""
        return cls.model_validate_json(path.read_text())


def free_fields(model: BaseModel) -> dict[str, Any]:
    """The fields of a model and of the models within it that were declared with `free`, as `exclude` wants them."""
    fields = type(model).model_fields
    found: dict[str, Any] = {name: True for name, field in fields.items() if is_free(field.json_schema_extra)}
    for name, value in model:
        if name not in found and isinstance(value, BaseModel) and (inner := free_fields(value)):
            found[name] = inner
    return found


def is_free(extra: Any) -> bool:
    """Whether a field's schema extra marks it as outside the identity."""
    return isinstance(extra, dict) and extra.get("identity") is False


def is_manifest_id(value: Any) -> bool:
    """Whether a value has the form that artefacts' names alone have."""
    return isinstance(value, str) and re.fullmatch(MANIFEST_ID, value) is not None


class Outcome(StrEnum):
    """How a stage ended."""

    SUCCEEDED = "succeeded"
    CACHED = "cached"
    FAILED = "failed"


class StageResult(Frozen):
    """What a stage answers, written as JSON beside its spec."""

    stage: str
    key: str
    outcome: Outcome
    outputs: dict[str, ManifestId] = Field(default_factory=dict)
    metrics: dict[str, float] = Field(default_factory=dict)
    seconds: float = 0.0
    run_id: str | None = None
    """MLflow run that recorded the work; for a cache hit, the run that did it first."""
    error: str | None = None


def canonical(value: Any) -> bytes:
    """JSON bytes that are the same for equal values: sorted keys, no spaces, UTF-8, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def stage_key(spec: StageSpec, code: str) -> str:
    """Digest of code version, task, and canonical spec (which holds the input digests): names the stage's outcome."""
    return hashlib.sha256(canonical({"code": code, "task": spec.task, "spec": spec.identity()})).hexdigest()


def code_version(task: str, root: Path = HOUSE) -> str:
    """Digest of the sources that the outcome of a task can depend on: `model`, `tasks/*.py`, the store and the task.

    Where images are built, the image's digest is passed as `BACKSIGHT_CODE_VERSION` and takes its place.
    """
    import os

    if version := os.environ.get("BACKSIGHT_CODE_VERSION"):
        return version
    folders = [root / "model", root / "tasks" / "store", root / "tasks" / task]
    sources = sorted([*(root / "tasks").glob("*.py"), *(p for folder in folders for p in folder.rglob("*.py"))])
    digest = hashlib.sha256()
    for source in sources:
        digest.update(str(source.relative_to(root)).encode() + b"\0" + source.read_bytes() + b"\0")
    return digest.hexdigest()
