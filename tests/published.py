"""A small validated dataset and small checkpoints, published in a store: for tests of the stages that read them."""

from __future__ import annotations

import json
from pathlib import Path

import torch

from model.config import HeadConfig, LanguageConfig, NetworkConfig, SensorsConfig, VGGTConfig
from model.spatial_mllm import SpatialMLLM
from model.tokenizer import Tokenizer
from model.training.checkpoint import CheckpointConfig, write_checkpoint
from model.training.history import History
from tasks.spec import ManifestId
from tasks.store import ArtefactStore, Manifest
from tests.box_world import write_dataset

INSTRUCTIONS = ["walk past the table and stop", "walk past the sofa and stop"]

NETWORK = NetworkConfig(
    image_size=32,
    patches=4,
    grid=8,
    keyframes=3,
    encoders=("sensors",),
    sensors=SensorsConfig(width=16),
    vggt=VGGTConfig(image_size=32),
    dinov3=None,
    language=LanguageConfig(width=32, mlp_width=32, depth=1, heads=2, kv_heads=2, text_length=16),
    head=HeadConfig(width=16, heads=2, alignment_layer=1, alignment_width=8),
)
"""The smallest network that is still whole."""


def box_dataset(store: ArtefactStore, folder: Path, unseen: int = 5, quality: dict | None = None) -> ManifestId:
    """Rendered rooms, published as `validate` would."""
    root = write_dataset(folder / "boxes", {"train": 2, "val_unseen": unseen}, frames=10)
    files = [
        "index.parquet",
        "scenes.json",
        "episodes.json.gz",
        *(f"shards/{p.name}" for p in (root / "shards").iterdir()),
    ]
    quality = {"passed": True, "reasons": [], "rejected": 0} if quality is None else quality
    blobs = {name: store.put_blob(root / name) for name in sorted(files)}
    return store.publish(Manifest(kind="dataset", blobs=blobs, meta={"quality": quality} if quality else {}))


def checkpoint(
    store: ArtefactStore, folder: Path, config: NetworkConfig = NETWORK, seed: int = 0, broken: bool = False
) -> ManifestId:
    """An untrained network; `broken` fills one of its weights with NaN."""
    torch.manual_seed(seed)
    tokenizer = Tokenizer.train(INSTRUCTIONS, 300)
    weights = SpatialMLLM(config, len(tokenizer)).state_dict()
    if broken:
        name = next(name for name in weights if name.startswith("head."))
        weights[name] = torch.full_like(weights[name], torch.nan)
    about = CheckpointConfig(network=config, tokens=len(tokenizer), phase="joint", step=1)
    files = write_checkpoint(folder / f"checkpoint-{seed}", about, tokenizer, History(), weights).by_name()
    blobs = {name: store.put_blob(path) for name, path in files.items()}
    return store.publish(Manifest(kind="checkpoint", blobs=blobs, meta={"phase": "joint", "steps": 1}))


def stored_json(store: ArtefactStore, id: ManifestId, name: str) -> dict:
    """A JSON blob of an artefact."""
    return json.loads(store.read(store.manifest(id).blobs[name]))
