"""Score books drawn at random whose scenes differ, as real ones do: for tests of summary, gate and table."""

from __future__ import annotations

import numpy as np

from tasks.scores import PlanRows, ScoreBook, Scores


def plan_rows(scenes: int = 8, views: int = 12, keyframes: int = 4, seed: int = 0) -> PlanRows:
    """`views` views in each scene; the last keyframe of every fifth view is padding."""
    rng = np.random.default_rng(seed)
    count = scenes * views
    frames = np.tile(np.arange(keyframes), (count, 1))
    frames[::5, -1] = -1
    return PlanRows(
        scene=np.array([f"scene-{v // views:02d}" for v in range(count)]),
        episode=np.array([f"episode-{v // 3:03d}" for v in range(count)]),
        stratum=np.array([("forward", "loop")[v % 2] for v in range(count)]),
        frame=np.arange(count) % 30 + keyframes,
        keyframes=frames,
        visible=(rng.random((count, keyframes)) < 0.7) & (frames >= 0),
        certain=(rng.random((count, keyframes)) < 0.9) & (frames >= 0),
    )


def scores(plan: PlanRows, error: float, seed: int = 0, scene_effect: float = 0.3) -> Scores:
    """A system whose mean KLD is about `error`; each scene is easier or harder by a factor of its own."""
    rng = np.random.default_rng(seed)
    _, cluster = np.unique(plan.scene, return_inverse=True)
    ease = np.exp(np.random.default_rng(99).normal(0, scene_effect, cluster.max() + 1))[cluster, None]
    shape = plan.visible.shape
    kld = error * ease * rng.gamma(4, 0.25, shape)
    none = 1 / (1 + np.exp(-(np.where(plan.visible, -2, 2) + rng.normal(0, 1 + 4 * error, shape))))
    seen = plan.valid & plan.visible
    return Scores(
        kld=np.where(plan.valid, kld, np.nan),
        cc=np.where(seen, np.exp(-kld), np.nan),
        nss=np.where(seen, 3 * np.exp(-kld), np.nan),
        distance=np.where(seen, kld / 4, np.nan),
        none=np.where(plan.valid, none, np.nan),
        identity=np.where(seen, rng.random(shape) > error, np.nan).astype(float),
        inside=np.where(seen, rng.random(shape) > error, np.nan).astype(float),
        metres=np.where(seen, 2 * kld, np.nan),
        auc=np.where(seen, 0.5 + 0.5 * np.exp(-kld), np.nan),
        confusion=np.tile(np.diag([5.0, 3.0, 9.0]) + error, (len(plan.scene), 1, 1)),
    )


def score_book(
    model: float = 0.2, slot_mean: float = 0.8, scenes: int = 8, views: int = 12, seed: int = 0
) -> ScoreBook:
    """A model beside the slot-mean baseline."""
    plan = plan_rows(scenes, views)
    return ScoreBook(plan, {"model": scores(plan, model, seed), "slot_mean": scores(plan, slot_mean, seed + 1000)})
