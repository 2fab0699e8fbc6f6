"""The tables that are checked: the index, frames, episodes and strata, as pandas frames."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tasks.validate import places
from tasks.validate.colours import judged
from tasks.validate.filed import agrees
from tasks.validate.likeness import likeness
from tasks.validate.measure import Measures, Print
from tasks.validate.reading import COLUMNS, Dataset, Rows
from tasks.validate.wording import broken_off, familiar, manners

if TYPE_CHECKING:
    from pandas import DataFrame

GROUPS = {"train": "training", "val_seen": "training"}
"""Splits that share scenes by design; any other split is a group of its own."""
CONSTANT = ("scene", "split", "stratum", "instruction", "shard")
"""Columns that have one value in an episode."""
COPY = 0.5
"""An episode that shares so many of its views with an earlier one is a copy of it."""


def tables(dataset: Dataset, measures: Measures) -> dict[str, DataFrame]:
    """Name -> table of what was measured."""
    import pandas as pd

    walks = dataset.walks()
    episodes = pd.DataFrame(sorted(measures.episodes, key=lambda row: str(row["episode"])))
    frames = frames_table(walks, measures)
    known = pd.DataFrame(known_of(dataset, walks, measures))
    # People who tell the way name what they see from afar; only routes that were put into words name what they pass.
    people = {rows["episode"][0] for rows in walks if dataset.is_given(rows["episode"][0])}
    episodes.loc[episodes["episode"].isin(people), "reached"] = np.nan
    # How strong outlines are is the world's own; walks of one dataset compare.
    if "outlines" in episodes:
        episodes["outlines"] /= episodes["outlines"].median()
    both = episodes.merge(known, on="episode", validate="one_to_one")
    both["filed"] = both[["filed", "listed"]].min(axis=1)
    return {"frames": frames, "episodes": both}


def frames_table(walks: list[Rows], measures: Measures) -> DataFrame:
    """What was measured of each frame, in the index's order."""
    import pandas as pd

    measured = [measures.frames[rows["episode"][0]] for rows in walks]
    values = {name: np.concatenate([columns[name] for columns in measured]) for name in measured[0]}
    return pd.DataFrame({"episode": [name for rows in walks for name in rows["episode"]], **values})


def index_table(dataset: Dataset) -> DataFrame:
    """The index without its lists; `gap`, `changes` and `intrinsics_sound` say what is wrong with a row."""
    walks = dataset.walks()
    table: DataFrame = dataset.index.select(
        [name for name in COLUMNS if name not in ("pose", "intrinsics")]
    ).to_pandas()
    table["gap"] = [frame - i for rows in walks for i, frame in enumerate(rows["frame"])]
    table["changes"] = [change for rows in walks for change in changes(rows)]
    table["intrinsics_sound"] = are_pinholes(np.concatenate([rows["intrinsics"] for rows in walks])).astype(float)
    return table


def changes(rows: Rows) -> list[float]:
    """By frame, whether what has one value in an episode is another than in its first frame."""
    told = list(zip(*(rows[name] for name in CONSTANT), strict=True))
    return [float(here != told[0]) for here in told]


def are_pinholes(k: NDArray[np.float64]) -> NDArray[np.bool_]:
    """[N] whether nine numbers each, of [N, 9], are the matrix of a pinhole camera without skew."""
    spread, fixed = k[:, [0, 2, 4, 5]], k[:, [1, 3, 6, 7, 8]]
    finite = np.isfinite(spread) & (spread > 0)
    return np.asarray(finite.all(axis=1) & (fixed == [0, 0, 0, 0, 1]).all(axis=1))


def known_of(dataset: Dataset, walks: list[Rows], measures: Measures) -> list[dict[str, Any]]:
    """What is known of each episode from the others, the scenes and the episode file."""
    groups: dict[str, set[str]] = {}
    for rows in walks:
        groups.setdefault(rows["scene"][0], set()).add(group_of(rows["split"][0]))
    leaked, copies = shared_views(walks, measures)
    alike = most_alike(walks, measures)
    hues = judged(walks, measures.palettes, dataset.scenes)
    described = {name: places.at_home(scene) for name, scene in dataset.scenes.items()}
    told = [rows["instruction"][0] or "" for rows in walks]
    broken = broken_off(told)
    words, manner = familiar(told), manners(told, [rows["stratum"][0] for rows in walks])
    return [
        {
            "episode": rows["episode"][0],
            "stratum": rows["stratum"][0],
            "split": rows["split"][0],
            "scene": rows["scene"][0],
            "scene_known": described.get(rows["scene"][0], 0.0),
            "split_fits": float(group_of(split_of(dataset, rows["scene"][0])) == group_of(rows["split"][0])),
            "scene_groups": len(groups[rows["scene"][0]]),
            "instruction_matches": float(dataset.instructions.get(rows["episode"][0]) == rows["instruction"][0]),
            "leaked": leaked[rows["episode"][0]],
            "copies": copies[rows["episode"][0]],
            "alike": alike[i].earlier,
            "alike_later": alike[i].later,
            "alike_elsewhere": alike[i].elsewhere,
            "channels": hues.channels[i],
            "unusual": hues.unusual[i],
            "vivid": hues.vivid[i],
            "lightness": hues.lightness[i],
            "familiar": 0.0 if broken[i] and not dataset.is_given(rows["episode"][0]) else words[i],
            "manner": manner[i],
            "filed": agrees(dataset.entries.get(rows["episode"][0], {}), rows, dataset),
        }
        for i, rows in enumerate(walks)
    ]  # fmt: skip


def split_of(dataset: Dataset, scene: str) -> str:
    """The split that scenes.json gives a scene; empty where it does not know the scene."""
    return str(dataset.scenes.get(scene, {}).get("split", ""))


def group_of(split: str) -> str:
    """The splits within which scenes may be shared."""
    return GROUPS.get(split, split)


def shared_views(walks: list[Rows], measures: Measures) -> tuple[dict[str, int], dict[str, int]]:
    """By episode: how many of its views another group of splits has too; of how many earlier episodes it is a copy."""
    leaked: dict[str, int] = {}
    copies: dict[str, int] = {}
    holders: dict[Print, list[tuple[str, str]]] = {}
    for rows in walks:
        for digest in measures.prints[rows["episode"][0]]:
            holders.setdefault(digest, []).append((rows["episode"][0], group_of(rows["split"][0])))
    for rows in walks:
        name, group = rows["episode"][0], group_of(rows["split"][0])
        prints = measures.prints[name]
        others = [[holder for holder in holders[digest] if holder[0] != name] for digest in prints]
        leaked[name] = sum(any(theirs != group for _, theirs in those) for those in others)
        shared = Counter(other for those in others for other, _ in those if other < name)
        copies[name] = sum(count >= COPY * len(prints) for count in shared.values())
    return leaked, copies


@dataclass
class Alike:
    """Largest share of a walk's views that some other walk shows too, by who that is."""

    earlier: float = 0.0
    """A walk of the same splits whose name comes before."""
    later: float = 0.0
    elsewhere: float = 0.0
    """A walk of another group of splits."""


def most_alike(walks: list[Rows], measures: Measures) -> list[Alike]:
    """Of every walk."""
    found = [Alike() for _ in walks]
    groups = [group_of(rows["split"][0]) for rows in walks]
    for (i, other), share in likeness(walks, measures.marks).items():
        kind = "elsewhere" if groups[i] != groups[other] else "earlier" if other < i else "later"
        setattr(found[i], kind, max(share, getattr(found[i], kind)))
    return found


def strata_table(dataset: Dataset, accepted: list[Rows]) -> DataFrame:
    """One row a stratum of the plan: its planned and its real share of the accepted episodes, and their difference."""
    import pandas as pd

    planned = {name: share for name, share in (dataset.plan.get("strata") or {}).items() if share > 0}
    counts = Counter(rows["stratum"][0] for rows in accepted)
    whole = sum(planned.values())
    rows = [
        {
            "stratum": name,
            "episodes": counts[name],
            "planned": share / whole,
            "share": counts[name] / max(1, len(accepted)),
        }
        for name, share in sorted(planned.items())
    ]
    table = pd.DataFrame(rows, columns=["stratum", "episodes", "planned", "share"])
    table["off_plan"] = (table["share"] - table["planned"]).abs()
    return table
