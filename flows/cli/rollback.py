"""`backsight rollback`: put a former champion back."""

from __future__ import annotations

import os
import time

import click

from tasks.spec import REGISTERED


@click.command()
@click.option("--to", metavar="VERSION", help="Version in MLflow, or a checkpoint; the champion before where left out.")
@click.option("--why", required=True, help="The reason, kept in the ledger together with your name.")
@click.option("--model", "registered", default=REGISTERED, show_default=True, help="Name of the registered model.")
def rollback(to: str | None, why: str, registered: str) -> None:
    """Make a former champion the champion again: the ledger first, then the aliases that robots load by."""
    # MLflow reads this when it is imported: a bar for a hundred small files says nothing to whoever waits here.
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    from tasks.promote.rollback import roll_back
    from tasks.store import open_store

    begun = time.monotonic()
    done = roll_back(open_store(), registered, to, why)
    version = f"version {done.version}, " if done.version else ""
    click.echo(f"champion of {registered}: {version}{done.entry.checkpoint}")
    click.echo(f"withdrawn: {done.entry.former}")
    click.echo(f"entry {done.entry.number} of the ledger: by {done.entry.by}, {done.entry.why}")
    click.echo(f"done in {time.monotonic() - begun:.1f} s")
