"""`backsight export`: a dataset in the formats of others."""

from __future__ import annotations

from pathlib import Path

import click

SPLITS = ("train", "val_seen", "val_unseen")
"""What may be exported: the sealed split is the promotion gate's alone."""


@click.group()
def export() -> None:
    """Write a dataset in another format; a dataset in a folder needs no running stack."""


@export.command()
@click.argument("dataset")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder to make.")
@click.option("--fps", default=10, show_default=True, type=click.IntRange(1, 240), help="Steps of a walk in a second.")
@click.option("--split", "splits", multiple=True, type=click.Choice(SPLITS), help="Repeatable.  [default: all of them]")
def lerobot(dataset: str, out: Path, fps: int, splits: tuple[str, ...]) -> None:
    """Write DATASET as a LeRobot v3.0 dataset.

    DATASET: a folder, an id, or `validate`/`collect` for that stage's latest outcome.
    """
    from tasks.export.lerobot import export_lerobot
    from tasks.progress import open_progress
    from tasks.view.source import open_source

    chosen = [split for split in SPLITS if not splits or split in splits]
    done = export_lerobot(open_source(dataset), out, fps, chosen, open_progress())
    click.echo(f"{out}: {done.episodes} episodes, {done.frames} frames, {done.files} data files")
