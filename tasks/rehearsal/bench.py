"""`backsight bench gate`: how often the gate errs and wins over invented nights, beside naive tests."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from tasks.promote.policy import load_policy
from tasks.promote.spec import Policy
from tasks.rehearsal.foreign import Foreign, drawn, load, takes_gain
from tasks.rehearsal.generators import BEYOND, GENERATORS
from tasks.rehearsal.table import GAINS, Power, Rows, equal_rows, power

ROWS = 2000
SIZES = (24, 60)
"""Held-out scenes of the presets tiny and small."""


def main(argv: Sequence[str]) -> int:
    """Print the table, or one JSON object."""
    options = parser().parse_args(argv)
    if options.fit:
        return show_fit(options.fit, options.json)
    policy = load_policy(options.policy) if options.policy else Policy()
    started = time.monotonic()
    foreign = load(options.generator) if options.generator else None
    sizes = [foreign_size(foreign, options.seed)] if foreign else options.scenes
    rows, points = [], []
    for scenes in sizes:
        names = [options.generator] if foreign else options.only or [n for n in GENERATORS if n not in BEYOND]
        for number, name in enumerate(names):
            rows.append(equal_rows(name, scenes, policy, options.rows, options.seed + number, foreign))
            if not options.json:
                print(row_line(rows[-1], policy, first=len(rows) == 1), flush=True)
    for scenes in sizes:
        for number, gain in enumerate(() if foreign and not takes_gain(foreign) else GAINS):
            seed = options.seed + 1000 + number
            points.append(power("like real", scenes, policy, options.rows, gain, seed, foreign))
            if not options.json:
                print(power_line(points[-1], first=len(points) == 1), flush=True)
    found: dict[str, Any] = {
        "alpha": policy.alpha,
        "nights": policy.nights,
        "equal": [asdict(row) for row in rows],
        "power": [asdict(point) for point in points],
        "seconds": round(time.monotonic() - started, 1),
    }
    if options.picture:
        from tasks.rehearsal.picture import draw

        draw(rows, points, policy, options.picture)
    print(json.dumps(found) if options.json else f"{found['seconds']} s")
    return 0


def parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--rows", type=int, default=ROWS, help="rows of nights, and nights with a gain, at each point")
    parser.add_argument("--scenes", type=int, nargs="+", default=SIZES, help="sizes of the sample")
    known = f"some of the generators: {', '.join(GENERATORS)}"
    parser.add_argument("--only", nargs="+", choices=list(GENERATORS), metavar="GENERATOR", help=known)
    parser.add_argument("--generator", metavar="MODULE:FUNCTION", help="a generator of yours (docs/promotion.md)")
    parser.add_argument("--policy", type=Path, help="YAML file of a policy (default: the policy's defaults)")
    parser.add_argument("--picture", type=Path, help="also draw the curves into this file")
    parser.add_argument("--fit", type=Path, nargs="+", metavar="VIEWS", help="only fit one or two views.parquet")
    parser.add_argument("--seed", type=int, default=0)
    return parser


def foreign_size(foreign: Foreign, seed: int) -> int:
    """Scenes of a foreign generator's first night, for the table; later nights may differ."""
    return next(drawn(foreign, np.random.default_rng(seed), 1, 0.0)).scores.scenes


def row_line(row: Rows, policy: Policy, first: bool) -> str:
    """One generator's line; the first comes with its header."""
    header = (
        f"equal models, rows of {policy.nights} nights: share of rows with a false promotion (alpha {policy.alpha:g})\n"
        f"{'generator':<18}{'scenes':>7}{'gate':>8}{'<= 95 %':>9}{'naive t':>9}{'paired t':>9}{'looked at':>11}\n"
    )
    line = (
        f"{row.generator[-18:]:<18}{row.scenes:>7}{row.false:>8.4f}{row.high:>9.4f}{row.naive:>9.3f}{row.paired:>9.3f}"
        f"{row.looked_at:>11.1f}"
    )
    return header + line if first else line


def power_line(point: Power, first: bool) -> str:
    """One gain's line; the first comes with its header."""
    header = (
        "\npower: share of nights that promote a challenger whose error is smaller by the gain\n"
        f"{'scenes':>7}{'gain':>7}{'gate':>8}{'one look':>10}{'looked at':>11}{'saved':>8}{'naive t':>9}"
        f"{'same level':>12}\n"
    )
    line = (
        f"{point.scenes:>7}{point.gain:>7.2f}{point.promoted:>8.3f}{point.at_the_end:>10.3f}{point.looked_at:>11.1f}"
        f"{point.saved:>8.0%}{point.naive:>9.3f}{point.naive_same:>12.3f}"
    )
    return header + line if first else line


def show_fit(paths: Sequence[Path], as_json: bool) -> int:
    """The variance structure of real evaluations."""
    from tasks.rehearsal.fit import fitted

    found = fitted(paths)
    print(json.dumps(found) if as_json else "\n".join(f"{name:<28}{value:>9.4f}" for name, value in found.items()))
    return 0
