"""The table as a picture: power and scenes looked at against the true gain."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tasks.promote.spec import Policy
from tasks.rehearsal.table import Power, Rows

COLOURS = ("#0b6e4f", "#b3541e", "#3b5ba5")


def draw(rows: Sequence[Rows], points: Sequence[Power], policy: Policy, path: Path) -> None:
    """Three panels: false promotions by generator, power, and scenes looked at."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, (errors, power, scenes) = plt.subplots(1, 3, figsize=(14, 4.4), width_ratios=(1.1, 1, 1))
    sizes = sorted({row.scenes for row in rows})
    names = list(dict.fromkeys(row.generator for row in rows))
    for number, size in enumerate(sizes):
        of_size = {row.generator: row for row in rows if row.scenes == size}
        places = [names.index(name) + 0.15 * (number - (len(sizes) - 1) / 2) for name in of_size]
        colour = COLOURS[number % len(COLOURS)]
        errors.hlines(places, [r.false for r in of_size.values()], [r.high for r in of_size.values()], colour, lw=2)
        errors.plot([r.false for r in of_size.values()], places, "o", color=colour, label=f"{size} scenes", ms=5)
    errors.axvline(policy.alpha, color="black", lw=1, ls="--")
    errors.text(policy.alpha, -0.8, f" alpha {policy.alpha:g}", va="center", fontsize=8)
    errors.set_yticks(range(len(names)), names)
    errors.set_ylim(len(names) - 0.5, -1.2)
    errors.set_xlim(-0.001, max(1.4 * policy.alpha, 1.1 * max((row.high for row in rows), default=0)))
    errors.set_title(f"Equal models: false promotions in {policy.nights} nights", fontsize=10)
    errors.legend(fontsize=8, loc="lower right")
    for number, size in enumerate(sorted({point.scenes for point in points})):
        of = [point for point in points if point.scenes == size]
        gains = [100 * point.gain for point in of]
        colour = COLOURS[number % len(COLOURS)]
        power.plot(gains, [p.promoted for p in of], "o-", color=colour, ms=4, label=f"{size} scenes")
        power.plot(gains, [p.naive_same for p in of], ":", color=colour)
        scenes.plot(gains, [p.looked_at for p in of], "o-", color=colour, ms=4, label=f"{size} planned")
        scenes.axhline(size, color=colour, lw=1, ls="--")
    power.set_title("Promoted, by true gain (dotted: naive t at the same level)", fontsize=10)
    power.set_ylim(-0.03, 1.03)
    scenes.set_title("Scenes looked at (dashed: the whole sample)", fontsize=10)
    scenes.set_ylim(0, None)
    for panel in (power, scenes):
        panel.set_xlabel("error saved, %")
        panel.legend(fontsize=7, frameon=False, loc="upper left" if panel is power else "lower right")
    for panel in (errors, power, scenes):
        panel.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)
