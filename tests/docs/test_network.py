"""The page on the network tells every loss, with the weights that preset tiny gives it."""

from __future__ import annotations

import re

from model.losses import LOSSES
from model.training.phases import PHASES
from tasks.preset import load_preset
from tasks.spec import HOUSE


def told_weights() -> dict[str, list[float]]:
    """Loss term -> its weight in each phase, as the page's table has them; 0 where the table has a dash."""
    page, told = (HOUSE / "docs" / "network.md").read_text(), {}
    for line in page.splitlines():
        names = re.findall(r"`(\w+)`", line.split(" | ")[0]) if line.startswith("| `") else []
        cells = [cell.strip().split(", ") for cell in line.strip("| ").split(" | ")[-len(PHASES) :]]
        for place, name in enumerate(names):
            told[name] = [0.0 if cell == ["-"] else float(cell[place]) for cell in cells]
    return told


def test_the_table_of_losses_is_preset_tinys() -> None:
    training = load_preset("tiny").training
    phases = [getattr(training, phase) for phase in PHASES]
    assert told_weights() == {name: [phase.losses.get(name, 0.0) for phase in phases] for name in LOSSES}
