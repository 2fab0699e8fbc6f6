"""`backsight report`: what is in a dataset, and how much buildings differ; neither needs a running stack."""

from __future__ import annotations

import json
from typing import Any

import click


@click.group()
def report() -> None:
    """Print statistics of datasets and of procedural buildings."""


@report.command()
@click.argument("dataset")
@click.option("--views", default=400, show_default=True, type=click.IntRange(1), help="Views that are drawn.")
@click.option("--keyframes", default=6, show_default=True, type=click.IntRange(1), help="Uniform keyframes of a view.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def labels(dataset: str, views: int, keyframes: int, as_json: bool) -> None:
    """Print the label statistics of DATASET by stratum.

    DATASET: a folder, an id, or `validate`/`collect` for that stage's latest outcome.
    """
    from tasks.collect.label_report import as_table, label_report
    from tasks.view.source import open_source

    show(label_report(open_source(dataset), views, keyframes), as_json, as_table)


@report.command()
@click.option("--buildings", default=1000, show_default=True, type=click.IntRange(1), help="Seeds from 0 on.")
@click.option("--rooms", nargs=2, type=click.IntRange(4, 20), default=(4, 20), show_default=True, help="Fewest, most.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def variety(buildings: int, rooms: tuple[int, int], as_json: bool) -> None:
    """Print how much procedural buildings differ.

    Counted are rooms, areas, objects and surfaces.
    """
    from tasks.collect.variety import as_table
    from tasks.collect.variety import variety as counted

    show(counted(buildings, rooms).report(), as_json, as_table)


def show(found: dict[str, Any], as_json: bool, as_table: Any) -> None:
    """Print a report."""
    click.echo(json.dumps(found) if as_json else as_table(found))
