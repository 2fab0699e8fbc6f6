"""`backsight lineage`: where an artefact comes from and what came of it."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import click

from tasks.spec import REGISTERED


@click.command()
@click.argument("name")
@click.option("--json", "as_json_", is_flag=True, help="Everything as one JSON object.")
@click.option("--picture", type=click.Path(dir_okay=False, path_type=Path), help="Also draw it into this PNG file.")
@click.option("--model", "registered", default=REGISTERED, show_default=True, help="Name of the registered model.")
def lineage(name: str, as_json_: bool, picture: Path | None, registered: str) -> None:
    """Trace NAME back to the seeds of its episodes and forward to the verdicts.

    NAME: an id (verdict/3f2a...) or the beginning of its digest, a version of the model (3), an alias (champion), a
    stage for its last outcome (joint), an episode, a shard (dataset/3f2a:shards/000.tar) or a blob's digest.
    """
    from tasks.lineage.names import lineage_of
    from tasks.lineage.text import as_json, as_text
    from tasks.lineage.trace import Tracer
    from tasks.store import open_store

    store = open_store()
    with contextlib.closing(store.index()) as index:
        found = lineage_of(Tracer(store, index, registered), name)
    click.echo(json.dumps(as_json(found)) if as_json_ else as_text(found))
    if picture is not None:
        from tasks.lineage.picture import draw

        draw(found).save(picture, "PNG")
        click.echo(f"picture: {picture}", err=True)
