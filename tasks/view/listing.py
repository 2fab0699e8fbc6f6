"""The episodes of a dataset as lines."""

from __future__ import annotations

from collections import Counter

from tasks.view.source import Source


def listing(source: Source) -> str:
    """A line an episode: id, split, stratum, number of frames, and the beginning of its instruction."""
    index = source.index.select(["episode", "split", "stratum", "instruction"]).to_pylist()
    frames = Counter(row["episode"] for row in index)
    first = {row["episode"]: row for row in reversed(index)}
    width = max(len(name) for name in first)
    lines = [
        f"{name:<{width}}  {row['split']:<10} {row['stratum']:<11} {frames[name]:>4}  {row['instruction'][:60]}"
        for name, row in sorted(first.items())
    ]
    return "\n".join([*lines, f"{len(first)} episodes, {len(index)} frames in {source.name}"])
