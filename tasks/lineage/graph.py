"""The graph of what was made from what, cut down to one artefact's ancestors and descendants. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Node:
    """An artefact, or a part of one (shard, episode), as lineage shows it."""

    id: str
    kind: str
    facts: tuple[str, ...] = ()
    """What a person wants to know of it, most telling first."""
    made_by: str = ""
    """Stage, seed and MLflow run that made it; empty where no stage is on record."""
    marks: tuple[str, ...] = ()
    """`champion`, `previous`."""


@dataclass(frozen=True)
class Lineage:
    """One artefact with its ancestors and descendants."""

    root: str
    nodes: Mapping[str, Node]
    back: Mapping[str, tuple[str, ...]]
    """Node -> what it was made from, for the root and its ancestors."""
    forward: Mapping[str, tuple[str, ...]]
    """Node -> what was made from it, for the root and its descendants."""
    seeds: tuple[Seed, ...] = ()


@dataclass(frozen=True)
class Seed:
    """Where an episode begins: all that is random in it follows from these."""

    dataset: str
    """The collected dataset that it first stood in."""
    episode: str
    scene: str
    split: str
    stratum: str
    collection: int
    """Seed that the collection was asked for."""
    generator: int
    """Seed of the episode's own generator at its first attempt."""


@dataclass
class Tree:
    """A node and those below it; each node of a graph stands once, as deep as it can."""

    id: str
    below: list[Tree] = field(default_factory=list)


def reach(root: str, neighbours: Callable[[str], Iterable[str]]) -> dict[str, tuple[str, ...]]:
    """Every node that can be reached, with its neighbours."""
    found: dict[str, tuple[str, ...]] = {}
    waiting = [root]
    while waiting:
        here = waiting.pop()
        if here not in found:
            found[here] = tuple(neighbours(here))
            waiting += found[here]
    return found


def tree(root: str, edges: Mapping[str, tuple[str, ...]]) -> Tree:
    """The graph below `root` as a tree: each node under that of its parents which lies farthest from the root."""
    depth = depths(root, edges)
    branches = {id: Tree(id) for id in depth}
    chosen: dict[str, str] = {}
    for parent in sorted(depth, key=lambda id: (depth[id], id)):
        for child in edges.get(parent, ()):
            chosen[child] = parent  # the deepest parent comes last
    for child in sorted(chosen, key=lambda id: (depth[id], id)):
        branches[chosen[child]].below.append(branches[child])
    return branches[root]


def depths(root: str, edges: Mapping[str, tuple[str, ...]]) -> dict[str, int]:
    """Longest way from the root to each node of an acyclic graph."""
    incoming = dict.fromkeys(edges, 0)
    for children in edges.values():
        for child in children:
            incoming[child] = incoming.get(child, 0) + 1
    depth, ready = {root: 0}, [root]
    while ready:
        here = ready.pop()
        for child in edges.get(here, ()):
            depth[child] = max(depth.get(child, 0), depth[here] + 1)
            incoming[child] -= 1
            if incoming[child] == 0:
                ready.append(child)
    return depth
