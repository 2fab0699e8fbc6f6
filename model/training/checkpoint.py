"""A checkpoint's files: weights, config, tokenizer and history, to use it or to train on from it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from model.config import NetworkConfig
from model.errors import BacksightError, DataError
from model.tokenizer import Tokenizer
from model.training.history import History

if TYPE_CHECKING:
    from torch import Tensor

    from model.spatial_mllm import SpatialMLLM

FREE_SETTINGS = ("dtype", "devices", "language.checkpointing", "language.source", "language.tokenizer", "vggt.weights")
"""Settings of the network that may differ between a checkpoint and its use: they change no tensor and no meaning."""


class CheckpointConfig(BaseModel):
    """What `config.json` says."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    network: NetworkConfig
    tokens: int
    """Tokens of the tokenizer."""
    phase: str
    """Training phase that made it."""
    step: int
    """Updates of that phase so far."""


@dataclass(frozen=True)
class CheckpointFiles:
    """Paths of a checkpoint's files, wherever they lie."""

    weights: Path
    config: Path
    tokenizer: Path
    history: Path

    @classmethod
    def inside(cls, folder: Path) -> Self:
        """The files of a checkpoint that `write_checkpoint` wrote."""
        return cls(**{field.name: folder / NAMES[field.name] for field in fields(cls)})

    def by_name(self) -> dict[str, Path]:
        """File name -> path: the blobs of the manifest."""
        return {NAMES[f.name]: getattr(self, f.name) for f in fields(self)}

    @classmethod
    def named(cls, paths: dict[str, Path]) -> Self:
        """The inverse of `by_name`. Raises `DataError` where a file is missing."""
        known = {field: paths[name] for field, name in NAMES.items() if name in paths}
        missing = sorted({NAMES[f.name] for f in fields(cls)} - set(paths))
        if missing:
            raise DataError(f"The checkpoint lacks {', '.join(missing)}: it is no checkpoint of this program.")
        return cls(**known)


NAMES = {
    "weights": "weights.safetensors",
    "config": "config.json",
    "tokenizer": "tokenizer.json",
    "history": "history.json",
}


def write_checkpoint(
    folder: Path, config: CheckpointConfig, tokenizer: Tokenizer, history: History, weights: dict[str, Tensor]
) -> CheckpointFiles:
    """Write all files beside `folder`, then put them in its place at once: a reader never sees half of them.

    Raises `BacksightError` where the disk has no room.
    """
    from safetensors.torch import save_file

    need_room(folder.parent, sum(t.numel() * t.element_size() for t in weights.values()))
    fresh = folder.with_name(folder.name + ".partial")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    save_file(_separate(weights), fresh / NAMES["weights"])
    tokenizer.write(fresh / NAMES["tokenizer"])
    (fresh / NAMES["config"]).write_text(config.model_dump_json(indent=1))
    (fresh / NAMES["history"]).write_text(history.to_json())
    shutil.rmtree(folder, ignore_errors=True)
    fresh.rename(folder)
    return CheckpointFiles.inside(folder)


def need_room(folder: Path, size: int) -> None:
    """Raise `BacksightError` unless `size` more bytes fit on the disk of `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if free < size:
        raise BacksightError(
            f"The disk of {folder} is full: a checkpoint needs {size / 1e6:.0f} MB and {free / 1e6:.0f} MB are free; "
            "make room, or set TMPDIR or BACKSIGHT_HOME to a larger disk."
        )


def read_config(files: CheckpointFiles) -> CheckpointConfig:
    """What the checkpoint says of itself. Raises `DataError` where it cannot be understood."""
    try:
        return CheckpointConfig.model_validate_json(files.config.read_text())
    except (ValidationError, UnicodeDecodeError, OSError) as error:
        raise DataError(f"{files.config} is no checkpoint's config of this program: train the model again.") from error


def load_network(files: CheckpointFiles) -> tuple[SpatialMLLM, Tokenizer]:
    """The trained network in eval() on the CPU, with its tokenizer. Raises `DataError` where a file is damaged."""
    from model.spatial_mllm import SpatialMLLM

    config = read_config(files)
    network = SpatialMLLM(config.network, config.tokens)
    load_weights(network, files)
    return network.eval(), Tokenizer.read(files.tokenizer)


def load_weights(network: SpatialMLLM, files: CheckpointFiles) -> None:
    """Fill the network with the checkpoint's weights; a `DataError` names a tensor that does not fit."""
    weights = read_tensors(files.weights)
    wanted = network.state_dict()
    for name in sorted(set(wanted) | set(weights)):
        ours = tuple(wanted[name].shape) if name in wanted else "missing"
        theirs = tuple(weights[name].shape) if name in weights else "missing"
        if ours != theirs:
            raise DataError(f"The checkpoint does not fit the network: {name} is {theirs} in it, {ours} is needed.")
    network.load_state_dict(weights)


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file. Raises `DataError` for a damaged one."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise DataError(f"{path} is damaged ({error}): publish or train the checkpoint again.") from error


def check_architecture(there: NetworkConfig, wanted: NetworkConfig) -> None:
    """Raise `DataError` naming the first setting in which a checkpoint's network differs from the one that is asked."""
    theirs, ours = _settings(there.model_dump(mode="json")), _settings(wanted.model_dump(mode="json"))
    for name in sorted(set(theirs) | set(ours)):
        if theirs.get(name) != ours.get(name) and not name.startswith(FREE_SETTINGS):
            raise DataError(
                f"The checkpoint is of another architecture: network.{name} is {theirs.get(name)} in it and "
                f"{ours.get(name)} here; use the preset it was trained with, or train anew."
            )


def _settings(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """A nested config as dotted names."""
    flat: dict[str, Any] = {}
    for name, value in tree.items():
        flat |= _settings(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return flat


def _separate(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Contiguous copies that share no memory, as the format wants them, in a fixed order."""
    seen: set[int] = set()
    separate = {}
    for name, tensor in sorted(tensors.items()):
        shared = tensor.untyped_storage().data_ptr() in seen
        seen.add(tensor.untyped_storage().data_ptr())
        separate[name] = tensor.detach().clone() if shared else tensor.detach().contiguous()
    return separate
