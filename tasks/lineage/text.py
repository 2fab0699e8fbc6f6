"""Lineage for the terminal and for programs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from tasks.lineage.graph import Lineage, Node, Seed, Tree, tree

MOST_BELOW = 12
"""Nodes that are listed below one; `--json` has all."""
MOST_SEEDS = 6
DIGITS = 12


def as_text(lineage: Lineage) -> str:
    """Two trees: what it was made from, down to the seeds, and what was made from it."""
    root = lineage.nodes[lineage.root]
    lines = [line_of(root), "", "made from"]
    lines += branches(tree(lineage.root, lineage.back), lineage) or ["  nothing that is an artefact"]
    lines += seed_lines(lineage.seeds)
    lines += ["", "went into"]
    lines += branches(tree(lineage.root, lineage.forward), lineage) or ["  nothing yet"]
    return "\n".join(lines)


def branches(of: Tree, lineage: Lineage, indent: str = "  ") -> list[str]:
    """The nodes below one, as lines."""
    lines = []
    shown = of.below[:MOST_BELOW]
    rest = len(of.below) - len(shown)
    for number, child in enumerate(shown):
        last = number == len(shown) - 1 and not rest
        lines.append(f"{indent}{'└─' if last else '├─'} {line_of(lineage.nodes[child.id])}")
        lines += branches(child, lineage, f"{indent}{'   ' if last else '│  '}")
    return [*lines, f"{indent}└─ and {rest} more (--json lists them)"] if rest else lines


def line_of(node: Node) -> str:
    """`checkpoint 3f2a1b4c5d6e · joint, 700 steps · champion · stage joint, seed 7`."""
    parts = [
        short(node.id),
        ", ".join(node.facts),
        *(f"* {mark}" for mark in node.marks),
        re.sub(r"(MLflow run [0-9a-f]{8})[0-9a-f]+", r"\1", node.made_by),
    ]
    return " · ".join(part for part in parts if part)


def seed_lines(seeds: tuple[Seed, ...]) -> Iterator[str]:
    """The first seeds, and how many more there are."""
    if not seeds:
        return
    collections = ", ".join(str(number) for number in sorted({seed.collection for seed in seeds}))
    yield f"  seeds of {len(seeds)} episodes, collection seed {collections}"
    for seed in seeds[:MOST_SEEDS]:
        yield f"     {seed.episode}: scene {seed.scene}, {seed.split}, {seed.stratum}, generator {seed.generator}"
    if len(seeds) > MOST_SEEDS:
        yield f"     and {len(seeds) - MOST_SEEDS} more (--json lists them)"


def short(id: str) -> str:
    """Kind and first digits."""
    kind, _, name = id.partition("/")
    return f"{kind} {name if len(name) != 64 else name[:DIGITS]}"


def as_json(lineage: Lineage) -> dict[str, Any]:
    """Everything, whole ids, for programs."""
    return {
        "root": lineage.root,
        "nodes": {id: asdict(node) for id, node in sorted(lineage.nodes.items())},
        "made_from": {id: list(inputs) for id, inputs in sorted(lineage.back.items())},
        "went_into": {id: list(outputs) for id, outputs in sorted(lineage.forward.items())},
        "seeds": [asdict(seed) for seed in lineage.seeds],
    }
