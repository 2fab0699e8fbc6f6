"""`backsight up | status | down`: the local stack from the command line."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from infra import local
from tasks.settings import home

NOT_ANSWERING = 1


@click.command()
@click.option("--timeout", default=180.0, show_default=True, help="Seconds that each service has until it must answer.")
def up(timeout: float) -> None:
    """Start the local stack, or heal it; returns when every service answers. A second `up` changes nothing."""
    show(local.up(home(), click.echo, timeout))


@click.command()
def down() -> None:
    """Stop the local stack: no process stays, all data does."""
    count = local.down(home(), click.echo)
    click.echo(f"stopped {count} processes; data stays in {home()}" if count else "nothing ran")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
def status(as_json: bool) -> int:
    """Show how the local stack is; exit code 1 unless every service answers."""
    found = local.status(home())
    if as_json:
        click.echo(json.dumps(asdict(found), default=str, indent=2))
    else:
        show(found)
    return 0 if found.answers else NOT_ANSWERING


def show(stack: local.StackStatus) -> None:
    """Print the services as a table, and what the S3 server can do."""
    width = max(len(service.address) for service in stack.services)
    for service in stack.services:
        pid = f"pid {service.pid}" if service.pid else ""
        click.echo(f"{service.name:<9} {service.state:<8} {service.address:<{width}}  {pid:<11} {service.log}".rstrip())
        if service.detail:
            click.echo(f"{'':<9} {service.detail}")
    if stack.conformance:
        abilities = (f"{name.replace('_', ' ')} {'yes' if able else 'no'}" for name, able in stack.conformance.items())
        click.echo(f"{'S3 can':<9} {', '.join(abilities)}")
    if not stack.answers:
        click.echo("not every service answers: `backsight up` starts or heals them")
