"""Pictures of an evaluation: the best, the median and the worst view with their maps, and the plan of a walk."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from model.baselines import target_maps
from model.data.reader import ViewReader
from model.data.views import View
from model.data.walks import read_scenes
from model.draw import ViewPicture, memory_sheet, scene_plan
from model.predict import Predictor
from tasks.evaluate.systems import model_maps
from tasks.evaluation import MODEL
from tasks.scores import ScoreBook

TELLING = 2
"""Visible keyframes from which on a view has something to show."""


def draw_pictures(
    predictor: Predictor, reader: ViewReader, views: Sequence[View], book: ScoreBook, folder: Path
) -> list[Path]:
    """PNG files of the views that `picked` names, and of the median view's scene from above."""
    folder.mkdir(parents=True, exist_ok=True)
    chosen = picked(book)
    images = {
        f"{name}-view": memory_sheet(view_picture(predictor, reader, views[row], name, book, row))
        for name, row in chosen.items()
    }
    images["scene-plan"] = plan_of(reader, views[chosen["median"]])
    paths = []
    for name, image in images.items():
        paths.append(folder / f"{name}.png")
        image.save(paths[-1])
    return paths


def picked(book: ScoreBook) -> dict[str, int]:
    """Rows of the best, the median and the worst view by the model's mean KLD.

    Views that see none of their keyframes again are easy and show nothing: they are left out where others exist.
    """
    plan = book.plan
    seen = (plan.valid & plan.visible).sum(axis=1)
    rows = np.flatnonzero(seen >= min(TELLING, seen.max()))
    order = rows[np.argsort(np.nanmean(book.systems[MODEL].kld[rows], axis=1), kind="stable")]
    return {"best": int(order[0]), "median": int(order[len(order) // 2]), "worst": int(order[-1])}


def view_picture(
    predictor: Predictor, reader: ViewReader, view: View, name: str, book: ScoreBook, row: int
) -> ViewPicture:
    """What the sheet of one view shows."""
    batch = reader.batch([view])
    walk = reader.dataset.walks[reader.dataset.walk[view.current]]
    kld = float(np.nanmean(book.systems[MODEL].kld[row]))
    pixels = (batch.views.rgb[0].permute(0, 2, 3, 1) * 255).round().byte().numpy()
    return ViewPicture(
        current=pixels[-1],
        keyframes=pixels[:-1],
        frames=tuple(book.plan.keyframes[row].tolist()),
        now=int(book.plan.frame[row]),
        predicted=model_maps(predictor.predict(batch.views, batch.text))[0],
        truth=target_maps(batch.targets)[0],
        valid=batch.views.valid[0, :-1].numpy(),
        instruction=walk.instruction,
        caption=f"{name} view · KLD {kld:.2f} · {walk.episode}",
    )


def plan_of(reader: ViewReader, view: View) -> Image.Image:
    """The scene from above with the walk, its keyframes and the current view."""
    dataset = reader.dataset
    walk = dataset.walks[dataset.walk[view.current]]
    scene = next(s for s in read_scenes(dataset.files.scenes) if s["id"] == walk.scene)
    frame = reader.frames.read(view.current)
    width, focal = frame.rgb.shape[1], float(frame.intrinsics[0, 0])
    return scene_plan(
        scene,
        dataset.pose[walk.start : walk.stop],
        [row - walk.start for row in view.keyframes],
        view.current - walk.start,
        hfov=2 * math.degrees(math.atan(width / (2 * focal))),
        caption=f"scene {walk.scene} · episode {walk.episode}",
    )
