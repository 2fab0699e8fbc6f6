"""Score generators of other people: `module:function`, called night by night."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from tasks.errors import UsageError
from tasks.promote.sequential import SceneScores, log_ratio
from tasks.rehearsal.nights import Nights, statistics
from tasks.scores import Floats

Foreign = Callable[..., Mapping[str, Any]]
"""`(rng)` or `(rng, gain=...)` -> `scene` [V], `champion` [V], `challenger` [V]: errors, never negative.

`champion_brier` and `challenger_brier` [V] may be added: then the guard is rehearsed too.
"""

COLUMNS = ("champion", "challenger")
GUARDS = ("champion_brier", "challenger_brier")


def load(name: str) -> Foreign:
    """The function behind `module:function`, also from the folder of the call."""
    module, _, attribute = name.partition(":")
    if not module or not attribute:
        raise UsageError(f"{name!r} names no generator: write module:function.")
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.insert(0, here)
    try:
        found = getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise UsageError(f"There is no generator {name}: {error}.") from error
    if not callable(found):
        raise UsageError(f"{name} is no function but {type(found).__name__}.")
    return found


def takes_gain(generator: Foreign) -> bool:
    """Whether a generator can draw challengers that are better."""
    return "gain" in inspect.signature(generator).parameters


def drawn(generator: Foreign, rng: np.random.Generator, nights: int, gain: float) -> Iterator[Nights]:
    """Nights by their number of scenes: all those that agree in it at once."""
    by_size: dict[int, list[tuple[Floats, Floats, Floats]]] = {}
    for _ in range(nights):
        columns = generator(rng, gain=gain) if takes_gain(generator) else generator(rng)
        sums, guard, naive = night(columns)
        by_size.setdefault(sums.shape[1], []).append((sums, guard, naive))
    for rows in by_size.values():
        sums, guard, naive = (np.stack(part) for part in zip(*rows, strict=True))
        guarded = SceneScores(sums[:, 0], guard[:, 0], guard[:, 1], sums[:, 3]) if guard.size else None
        yield Nights(SceneScores(sums[:, 0], sums[:, 1], sums[:, 2], sums[:, 3]), guarded, naive[:, 0], naive[:, 1])


def night(columns: Mapping[str, Any]) -> tuple[Floats, Floats, Floats]:
    """By scene [4, S] (views, sums of both, mean log ratio), the guard's sums [2, S] or nothing, and the naive [2]."""
    missing = [name for name in ("scene", *COLUMNS) if name not in columns]
    if missing:
        raise UsageError(f"The generator's answer lacks '{missing[0]}': it is to map {', '.join(('scene', *COLUMNS))}.")
    _, place = np.unique(np.asarray(columns["scene"]), return_inverse=True)
    champion, challenger = (checked(columns[name], name, len(place)) for name in COLUMNS)
    sums = by_scene(place, np.ones(len(place)), champion, challenger, log_ratio(champion, challenger))
    sums[3] /= sums[0]
    guards = [checked(columns[name], name, len(place)) for name in GUARDS if name in columns]
    guard = by_scene(place, *guards) if len(guards) == len(GUARDS) else np.empty(0)
    naive = statistics(
        np.array([float(len(place))]),
        champion.sum(keepdims=True),
        challenger.sum(keepdims=True),
        (champion**2).sum(keepdims=True),
        (challenger**2).sum(keepdims=True),
        ((champion - challenger) ** 2).sum(keepdims=True),
    )
    return sums, guard, np.concatenate(naive)


def by_scene(place: np.ndarray, *columns: Floats) -> Floats:
    """[columns, S] sums over the views of each scene."""
    return np.stack([np.asarray(np.bincount(place, column), dtype=np.float64) for column in columns])


def checked(values: Any, name: str, views: int) -> Floats:
    """One column as numbers; a `UsageError` where it holds what is no error."""
    errors = np.asarray(values, dtype=float)
    if errors.shape != (views,):
        raise UsageError(f"The generator's '{name}' has the shape {errors.shape}, but 'scene' has {views} views.")
    if not np.isfinite(errors).all() or (errors < 0).any():
        raise UsageError(f"The generator's '{name}' holds numbers that are negative or no numbers: give errors.")
    return errors
