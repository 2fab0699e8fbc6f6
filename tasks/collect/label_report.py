"""What the labels of a dataset look like by stratum: visible pairs, co-visible share, classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from tasks.collect.seeds import generator
from tasks.errors import UsageError

if TYPE_CHECKING:
    from model.batch import Targets, Views
    from tasks.view.source import Source

CLASSES = ("out_of_view", "occluded", "covisible")


def label_report(source: Source, views: int, keyframes: int) -> dict[str, dict[str, float]]:
    """Means over random current views with uniform keyframes, by stratum and over `all`.

    `visible` is the share of pairs of a view and a keyframe whose place is in view, `covisible_share` the mean share of
    a view's pixels that the keyframe saw, and the classes are shares of cells.
    """
    rows = source.index.to_pylist()
    walks: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        walks.setdefault(row["episode"], []).append(row)
    names = [name for name, walk in sorted(walks.items()) if len(walk) > keyframes]
    if not names:
        raise UsageError(f"No walk of {source.name} is longer than {keyframes} frames: ask for fewer --keyframes.")
    rng, found = generator("label report", len(rows)), dict[str, list[dict[str, float]]]()
    for _ in range(views):
        walk = walks[names[rng.integers(len(names))]]
        current = int(rng.integers(keyframes, len(walk)))
        chosen = [*np.linspace(0, current - 1, keyframes).round().astype(int), current]
        figures = measured(source, [walk[i] for i in chosen])
        for stratum in (walk[0]["stratum"], "all"):
            found.setdefault(stratum, []).append(figures)
    return {
        stratum: {name: round(float(np.mean([f[name] for f in many])), 4) for name in many[0]} | {"views": len(many)}
        for stratum, many in sorted(found.items())
    }


def measured(source: Source, rows: list[dict[str, Any]]) -> dict[str, float]:
    """Figures of one current view (the last row) and its keyframes."""
    from model.labels.targets import build_targets

    targets: Targets = build_targets(as_views(source, rows), grid=16, patches=8)
    classes = targets.classes[0]
    valid = classes >= 0
    return {
        "visible": float(targets.visible.float().mean()),
        "covisible_share": float(targets.share.mean()),
        **{name: float((classes[valid] == i).float().mean()) for i, name in enumerate(CLASSES)},
    }


def as_views(source: Source, rows: list[dict[str, Any]]) -> Views:
    """One item for the labels; they need no colours."""
    import torch

    from model.batch import Views

    depth = np.stack([read_depth(source, row) for row in rows])
    pose, intrinsics = (np.array([row[name] for row in rows]) for name in ("pose", "intrinsics"))
    return Views(
        rgb=torch.zeros(1, len(rows), 3, *depth.shape[1:]),
        depth=torch.from_numpy(depth)[None],
        pose=torch.from_numpy(pose).reshape(1, -1, 4, 4).float(),
        intrinsics=torch.from_numpy(intrinsics).reshape(1, -1, 3, 3).float(),
        valid=torch.ones(1, len(rows), dtype=torch.bool),
    )


def read_depth(source: Source, row: dict[str, Any]) -> NDArray[np.float32]:
    """[H, W] metres of an index row."""
    data = np.frombuffer(source.read(row["shard"], row["depth_offset"], row["depth_size"]), dtype=np.uint8)
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_UNCHANGED)).astype(np.float32) / np.float32(1000)


def as_table(report: dict[str, dict[str, float]]) -> str:
    """The report for people."""
    columns = list(next(iter(report.values())))
    lines = [f"{'stratum':12}" + "".join(f"{name:>17}" for name in columns)]
    for stratum, figures in report.items():
        shares = "".join(f"{figures[name]:17.3f}" for name in columns[:-1])
        lines.append(f"{stratum:12}{shares}{figures[columns[-1]]:17.0f}")
    return "\n".join(lines)
