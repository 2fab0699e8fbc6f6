"""What is measured of a dataset to watch it drift: pictures, poses, depth, instructions and labels, scene by scene."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from model.batch import Batch
from model.data.reader import ViewReader
from model.data.views import View, evaluation_views
from model.data.walks import WalkDataset
from model.predict import Predictor
from tasks.errors import DataError
from tasks.monitor.drift import LEAST_SCENES, Floats, Group, Sample
from tasks.monitor.spec import DriftPlan

SPLIT = "train"
"""The split whose scenes are new every night. Held-out scenes stay the same as long as the world does."""

BATCH = 16
WORDS = 32
"""Buckets that words are hashed into."""

PICTURES = ("brightness", "contrast", "red", "green", "blue", "saturation", "sharpness")
DEPTHS = ("p10", "median", "p90", "spread", "unknown")
POSES = ("metres_a_frame", "degrees_a_frame", "height", "pitch", "field_of_view", "frames")
LABELS = ("visible", "share", "out_of_view", "occluded", "covisible", "goal", "things")


@dataclass(frozen=True)
class Looked:
    """The features of one view, by group."""

    scene: str
    groups: dict[str, Floats]


def planned_views(dataset: WalkDataset, keyframes: int, plan: DriftPlan) -> list[View]:
    """Views of at most `plan.scenes` scenes, drawn by the plan's seed. `DataError` where there are too few scenes."""
    walks = [dataset.walks[index] for index in dataset.split(SPLIT)]
    scenes = sorted({walk.scene for walk in walks if walk.stop - walk.start > keyframes})
    if len(scenes) < LEAST_SCENES:
        raise DataError(
            f"it has walks of more than {keyframes} frames in {len(scenes)} scenes of the split {SPLIT}, at least "
            f"{LEAST_SCENES} are needed"
        )
    draw = np.random.default_rng(plan.seed)
    taken = set(draw.choice(scenes, size=min(plan.scenes, len(scenes)), replace=False).tolist())
    views = evaluation_views(dataset, SPLIT, len(walks) * plan.views, keyframes, plan.seed)
    return [view for view in views if dataset.walks[dataset.walk[view.current]].scene in taken]


def sample_of(
    dataset: WalkDataset, predictor: Predictor, views: Sequence[View], embeddings: bool, told: Callable[[int], None]
) -> Sample:
    """The groups of features of the planned views, averaged by scene; `told` hears how many views were looked at."""
    reader = ViewReader(dataset, predictor.config, predictor.tokenizer)
    looked: list[Looked] = []
    for start in range(0, len(views), BATCH):
        part = views[start : start + BATCH]
        looked += look(reader, predictor, part, embeddings)
        told(len(part))
    return by_scene(looked)


def by_scene(looked: Sequence[Looked]) -> Sample:
    """Means over the views of each scene."""
    scenes = sorted({view.scene for view in looked})
    rows = {scene: [view.groups for view in looked if view.scene == scene] for scene in scenes}
    names = looked[0].groups
    values = {group: np.stack([np.mean([v[group] for v in rows[s]], axis=0) for s in scenes]) for group in names}
    return {group: Group(named(group, matrix.shape[1]), matrix) for group, matrix in values.items()}


def named(group: str, count: int) -> tuple[str, ...]:
    """Names of a group's features."""
    known = {"pictures": PICTURES, "depth": DEPTHS, "poses": POSES, "labels": LABELS}
    if group == "instructions":
        return ("words", "letters_a_word", *(f"words_{i}" for i in range(WORDS)))
    return known.get(group) or tuple(f"e{i}" for i in range(count))


def look(reader: ViewReader, predictor: Predictor, views: Sequence[View], embeddings: bool) -> list[Looked]:
    """Features of some views, each with its keyframes."""
    batch, dataset = reader.batch(views), reader.dataset
    groups = {
        "pictures": np.stack([pictures(rgb) for rgb in (batch.views.rgb.permute(0, 1, 3, 4, 2).numpy())]),
        "depth": np.stack([depths(depth) for depth in batch.views.depth.numpy()]),
        "poses": np.stack([poses(dataset, view) for view in views]),
        "instructions": words([dataset.walks[dataset.walk[view.current]].instruction for view in views]),
        "labels": labels(batch, [reader.frames.read(view.current).semantic for view in views]),
    }
    if embeddings:
        groups["embeddings"] = embedded(predictor, batch)
    scenes = [dataset.walks[dataset.walk[view.current]].scene for view in views]
    return [Looked(scene, {name: rows[i] for name, rows in groups.items()}) for i, scene in enumerate(scenes)]


def pictures(rgb: NDArray[np.float32]) -> Floats:
    """Cheap statistics of frames [S, H, W, 3] in 0..1."""
    grey = rgb.mean(axis=-1)
    sharp = np.mean([cv2.Laplacian(np.ascontiguousarray(frame), cv2.CV_32F).std() for frame in grey])
    channels = rgb.mean(axis=(0, 1, 2))
    saturation = (rgb.max(axis=-1) - rgb.min(axis=-1)).mean()
    return np.array([grey.mean(), grey.std(axis=(1, 2)).mean(), *channels, saturation, np.log(sharp + 1e-4)])


def depths(depth: NDArray[np.float32]) -> Floats:
    """Quantiles of depth [S, H, W] in metres, and the share without any."""
    known = depth[depth > 0]
    if len(known) == 0:
        return np.array([0.0, 0.0, 0.0, 0.0, 1.0])
    low, middle, high = np.quantile(known, [0.1, 0.5, 0.9])
    return np.array([low, middle, high, known.std(), float((depth <= 0).mean())])


def poses(dataset: WalkDataset, view: View) -> Floats:
    """How the walk of a view moves and how its camera is held."""
    number = int(dataset.walk[view.current])
    walk = dataset.walks[number]
    pose = dataset.pose[walk.start : walk.stop]
    steps = np.linalg.norm(np.diff(pose[:, :3, 3], axis=0), axis=1)
    turns = np.einsum("nij,nij->n", pose[:-1, :3, :3], pose[1:, :3, :3])
    degrees = np.degrees(np.arccos(np.clip((turns - 1) / 2, -1, 1)))
    pitch = np.degrees(np.arcsin(np.clip(pose[:, 1, 2], -1, 1)))
    focal = dataset.intrinsics[walk.start]
    field = 2 * np.degrees(np.arctan(focal[0, 2] / focal[0, 0]))
    height = dataset.camera_height[number]
    return np.array([steps.mean(), degrees.mean(), height, pitch.mean(), field, float(walk.stop - walk.start)])


def words(texts: Sequence[str]) -> Floats:
    """Lengths of instructions and how often their words fall into hashed buckets."""
    from sklearn.feature_extraction.text import HashingVectorizer

    hashed = HashingVectorizer(n_features=WORDS, alternate_sign=False, norm="l1").transform(texts).toarray()
    lengths = [[len(text.split()), len(text) / max(1, len(text.split()))] for text in texts]
    return np.hstack([np.array(lengths, dtype=np.float64), hashed])


def labels(batch: Batch, semantics: Sequence[NDArray[np.uint16]]) -> Floats:
    """What the targets are like: how much of the keyframes is seen again, and how many things a view shows."""
    truth, valid = batch.targets, batch.views.valid[:, :-1]
    count = valid.sum(dim=1).clamp(min=1)
    visible = (truth.visible & valid).sum(dim=1) / count
    share = (truth.share * valid).sum(dim=1) / count
    cells = truth.classes.flatten(1)
    known = (cells >= 0).sum(dim=1).clamp(min=1)
    classes = [(cells == number).sum(dim=1) / known for number in range(3)]
    things = torch.tensor([float(len(np.unique(ids))) for ids in semantics])
    return torch.stack([visible, share, *classes, truth.goal_valid.float(), things], dim=1).double().numpy()


def embedded(predictor: Predictor, batch: Batch) -> Floats:
    """Mean tokens of the champion's picture encoder (DINOv3; where it has none, its first geometry encoder)."""
    network = predictor.network
    device = next(network.parameters()).device
    with torch.inference_mode():
        if network.dinov3 is not None:
            tokens = network.dinov3(batch.views.rgb.to(device))
        else:
            tokens = next(iter(network.encoders.values())).tokens(batch.views.to(device))  # type: ignore[operator]
    # Keyframes and the current view count alike; a padded keyframe says nothing.
    valid = batch.views.valid[..., None].to(tokens)
    means = (tokens.mean(dim=2) * valid).sum(dim=1) / valid.sum(dim=1)
    return means.double().cpu().numpy()
