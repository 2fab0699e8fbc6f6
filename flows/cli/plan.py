"""`backsight plan nightly | plan --preset NAME`: what a night would launch and cost, or what a network would take."""

from __future__ import annotations

import click

from tasks.errors import UsageError


@click.command()
@click.argument("what", required=False, type=click.Choice(["nightly"]))
@click.option("--preset", default="tiny", show_default=True, help="Name of a preset, or the path of a YAML file.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
def plan(what: str | None, preset: str, as_json: bool) -> None:
    """Show, before anything runs, what the night (`plan nightly`) or the network of a preset (`plan`) would take."""
    if what is None:
        from flows.cli.plan_network import show

        show(preset, as_json)
    else:
        raise UsageError("`backsight plan nightly` comes with the launchers.")
