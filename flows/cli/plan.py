"""`backsight plan nightly | plan --preset NAME`: what a night would launch and cost, or what a network would take."""

from __future__ import annotations

from pathlib import Path

import click

from tasks.errors import UsageError


@click.command()
@click.argument("what", required=False, type=click.Choice(["nightly"]))
@click.option("--preset", default="tiny", show_default=True, help="Name of a preset, or the path of a YAML file.")
@click.option("--profile", type=click.Choice(["local", "container", "cluster"]), help="nightly: where it would run.")
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), help="nightly: its seed; today's date where none is given.")
@click.option("--prices", type=click.Path(path_type=Path), help="nightly: a price file in place of flows/prices.yaml.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
def plan(
    what: str | None, preset: str, profile: str | None, seed: int | None, prices: Path | None, as_json: bool
) -> None:
    """Show, before anything runs, what the night (`plan nightly`) or the network of a preset (`plan`) would take."""
    if what is None:
        if (profile, seed, prices) != (None, None, None):
            raise UsageError("--profile, --seed and --prices are of a night: say `backsight plan nightly`.")
        from flows.cli.plan_network import show

        show(preset, as_json)
    else:
        from flows.cli.plan_night import show as show_night

        show_night(preset, profile, seed, prices, as_json)
