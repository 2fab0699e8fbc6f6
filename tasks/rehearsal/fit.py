"""The variance structure of real evaluations: what the invented nights are to resemble."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tasks.errors import UsageError
from tasks.evaluation import MODEL
from tasks.scores import Floats, ScoreBook, read_scores

MOST_BOOKS = 2


def fitted(paths: Sequence[Path]) -> dict[str, float]:
    """Components of the log of a view's KLD, from one `views.parquet` or from two on the same views."""
    if len(paths) > MOST_BOOKS:
        raise UsageError("Give one views.parquet, or two of the same views.")
    books = [read_scores(path) for path in paths]
    logs = [np.log(view_means(book.systems[MODEL].kld, book.plan.valid)) for book in books]
    _, scene = np.unique(books[0].plan.scene, return_inverse=True)
    found = {"scenes": float(scene.max() + 1), "views": float(len(scene))}
    for number, (book, log) in enumerate(zip(books, logs, strict=True)):
        within, between = components(log, scene)
        found |= {f"kld {number}": float(np.exp(log).mean()), f"view spread {number}": within}
        found |= {f"scene spread {number}": between, f"brier share {number}": brier_share(book, np.exp(log))}
    if len(books) == MOST_BOOKS:
        if not books[0].plan.same_as(books[1].plan):
            raise UsageError(f"{paths[0]} and {paths[1]} are not of the same views: nothing can be paired.")
        within, between = components(logs[0] - logs[1], scene)
        found |= {"correlation": float(np.corrcoef(logs[0], logs[1])[0, 1])}
        found |= {"log ratio, view spread": within, "log ratio, scene spread": between}
    return found


def view_means(values: Floats, counted: np.ndarray) -> Floats:
    """[V] mean over the counted keyframes, never 0."""
    sums = np.where(counted, values, 0.0).sum(axis=1) / np.maximum(counted.sum(axis=1), 1)
    return np.asarray(np.maximum(sums, 1e-6))


def brier_share(book: ScoreBook, kld: Floats) -> float:
    """Mean squared error of visibility as a share of the mean KLD."""
    plan, none = book.plan, book.systems[MODEL].none
    return float(view_means((1 - none - plan.visible) ** 2, plan.valid & plan.certain).mean() / kld.mean())


def components(values: Floats, scene: np.ndarray) -> tuple[float, float]:
    """Standard deviations within scenes and between them (analysis of variance, one way)."""
    number = np.bincount(scene)
    means = np.bincount(scene, values) / number
    within = float(((values - means[scene]) ** 2).sum() / (len(values) - len(number)))
    between = float(means.var(ddof=1)) - within * float((1 / number).mean())
    return within**0.5, max(between, 0.0) ** 0.5
