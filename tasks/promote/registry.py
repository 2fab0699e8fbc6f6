"""The registered model in MLflow: a version a checkpoint, and the aliases that robots load by."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from model.signature import SIGNATURE, Digests, file_digest, folder_digests, require_equal, require_signed, sign
from tasks.errors import BacksightError, DataError
from tasks.spec import HOUSE, ManifestId
from tasks.tracking import TrackedRun, told

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from tasks.store import ArtefactStore

DESCRIPTION = "Says for every earlier keyframe where the place that it saw lies in the view now."

SERVED = ("weights.safetensors", "config.json", "tokenizer.json")
"""Blobs of a checkpoint that prediction needs; the optimiser's state stays in the store."""

FILES = "data/checkpoint"
"""Where a registered model keeps them."""

REQUIREMENTS = (
    "torch",
    "transformers",
    "tokenizers",
    "huggingface_hub",
    "safetensors",
    "peft",
    "numpy",
    "pydantic",
    "cryptography",
)
"""Packages that a served model imports; pinned to what it was trained with, never guessed by scanning."""

CHECKPOINT_TAG = "checkpoint"

SIGNED_TAG = "signed"
"""Fingerprint of the key that signed a version."""


@dataclass(frozen=True)
class Registered:
    """A version of the registered model and the checkpoint that its tag names."""

    version: str
    checkpoint: ManifestId


class ModelRegistry:
    """One registered model on one MLflow server. Not safe against writers that do not hold the promotion's lock."""

    def __init__(self, client: MlflowClient, run: TrackedRun, name: str) -> None:
        self.client = client
        self.run = run
        self.name = name

    def find(self, checkpoint: ManifestId) -> str | None:
        """The version of a checkpoint; None where it was not registered yet."""
        with told():
            found = self.client.search_model_versions(f"name='{self.name}' and tag.{CHECKPOINT_TAG}='{checkpoint}'")
        return str(max(int(v.version) for v in found)) if found else None

    def register(self, checkpoint: ManifestId, folder: Path, tags: dict[str, str]) -> str:
        """A new version from a folder that `save_model` wrote. No crash leaves it without its tags."""
        from mlflow.exceptions import MlflowException

        uri = self.run.model(self.name, folder)
        if uri is None:
            raise BacksightError(f"{self.name} cannot be registered by a run that is not recorded in MLflow.")
        with told():
            try:
                self.client.create_registered_model(self.name, description=DESCRIPTION)
            except MlflowException as error:
                if error.error_code != "RESOURCE_ALREADY_EXISTS":
                    raise
            # The server refuses an address of a logged model without the id that it holds.
            made = self.client.create_model_version(
                self.name,
                uri,
                run_id=self.run.id,
                model_id=uri.removeprefix("models:/"),
                await_creation_for=0,
                tags={CHECKPOINT_TAG: checkpoint, **tags},
            )
        return str(made.version)

    def signed(self, version: str) -> bool:
        """Whether a version was signed when it was made."""
        with told():
            return SIGNED_TAG in self.client.get_model_version(self.name, version).tags

    def require_sound(self, version: str, checkpoint: Digests, scratch: Path) -> None:
        """Fetch a version and refuse it unless it is signed and holds the checkpoint's bytes; `DataError` says why."""
        import mlflow.artifacts

        folder = scratch / f"version-{version}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        with told():
            source = self.client.get_model_version(self.name, version).source
            # By its place: `models:/m-...` would be looked up on the server that the environment names.
            place = self.client.get_logged_model(str(source).removeprefix("models:/")).artifact_location
            uri = self.client.tracking_uri
            kept = Path(mlflow.artifacts.download_artifacts(place, dst_path=str(folder), tracking_uri=uri))
        require_signed(kept)
        found = {name: file_digest(kept / FILES / name) for name in checkpoint if (kept / FILES / name).is_file()}
        require_equal(checkpoint, found, f"version {version} of {self.name}")
        shutil.rmtree(folder)

    def tag(self, version: str, tags: dict[str, str]) -> None:
        """Set tags of a version."""
        with told():
            for key, value in tags.items():
                self.client.set_model_version_tag(self.name, version, key, value)

    def describe(self, version: str, card: str) -> None:
        """Put a text on a version's page."""
        with told():
            self.client.update_model_version(self.name, version, description=card)

    def alias(self, alias: str) -> Registered | None:
        """Where an alias points; None where it is not set."""
        with told():
            found = self.client.get_registered_model(self.name).aliases.get(alias)
            if found is None:
                return None
            tags = self.client.get_model_version(self.name, found).tags
        return Registered(str(found), tags.get(CHECKPOINT_TAG, ""))

    def point(self, alias: str, version: str | None) -> None:
        """Move an alias; None = remove it."""
        with told():
            if version is None:
                self.client.delete_registered_model_alias(self.name, alias)
            else:
                self.client.set_registered_model_alias(self.name, alias, version)


def save_model(store: ArtefactStore, checkpoint: ManifestId, folder: Path) -> None:
    """Write a checkpoint as a signed MLflow pyfunc model: its files, our code, the packages that it was trained with.

    The network is not pickled: `served.py` builds it from `config.json` and reads the weights.
    """
    import mlflow.pyfunc

    from tasks.promote.contract import image_size, input_example, signature
    from tasks.promote.signing import signing_key

    blobs = store.manifest(checkpoint).blobs
    if missing := [name for name in SERVED if name not in blobs]:
        raise DataError(f"{checkpoint} has no {missing[0]}, so it cannot be served: train it again.")
    files = folder.parent / "checkpoint"
    files.mkdir(exist_ok=True)
    for name in SERVED:
        (files / name).unlink(missing_ok=True)
        (files / name).hardlink_to(store.fetch(blobs[name]))
    size = image_size(files / "config.json")
    mlflow.pyfunc.save_model(
        path=str(folder),
        loader_module="served",
        data_path=str(files),
        code_paths=[str(HOUSE / "model"), str(Path(__file__).with_name("served.py"))],
        pip_requirements=[f"{package}=={version(package).partition('+')[0]}" for package in REQUIREMENTS],
        metadata={CHECKPOINT_TAG: checkpoint},
        signature=signature(size),
        input_example=input_example(size),
    )
    (folder / SIGNATURE).write_bytes(sign(folder_digests(folder), checkpoint, signing_key()))
