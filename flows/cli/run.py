"""`backsight run | deploy | demo`: submit flow runs to the platform and watch them."""

from __future__ import annotations

from pathlib import Path

import click

from flows.cli.submit import NAMES, NIGHTLY


@click.command()
@click.argument("name", type=click.Choice([str(name) for name in NAMES]), metavar="NAME")
@click.option("--preset", default="tiny", show_default=True, help="Name of a preset, or the path of a YAML file.")
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), help="Seed; for a night its date where none is given.")
@click.option("--force", is_flag=True, help="Do the work even where its outcome is known.")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="A setting of the flow (training_scenes=40) or a key of the preset (training.joint.steps=200); repeatable.",
)
@click.option("--watch", is_flag=True, help="Stay, show the progress, and leave with the run's outcome.")
def run(name: str, preset: str, seed: int | None, force: bool, settings: tuple[str, ...], watch: bool) -> None:
    """Submit NAME to the worker.

    NAME: `nightly` (the whole night), `monitor` (does the newest data call for a retraining?), or one stage: `collect`,
    `validate`, `geometry`, `pretrain`, `finetune`, `joint`, `evaluate`, `promote`.
    """
    launch(name, preset, seed, force, settings, watch)


def launch(name: str, preset: str, seed: int | None, force: bool, settings: tuple[str, ...], watch: bool) -> None:
    """Check, submit, say where it is to be seen, and watch if asked to."""
    from flows.cli.prefect_client import require_answer, use_prefect
    from flows.cli.submit import flow_named, parameters_of, parsed, submit
    from flows.links import flow_run_page

    api = use_prefect()
    parameters = parameters_of(flow_named(name), preset, seed, force, parsed(settings))
    require_answer(api)
    submitted = submit(name, parameters, run_name=f"{name} {Path(preset).stem}" + ("" if seed is None else f" {seed}"))
    click.echo(f"{name} submitted: {flow_run_page(submitted.id)}")
    if watch:
        from flows.cli.watch import watch_run

        watch_run(submitted.id)
    else:
        click.echo(f"watch it with `backsight watch {submitted.id}`")


@click.command()
@click.option(
    "--profile",
    type=click.Choice(["local", "container", "cluster"]),
    help="Where flow runs and stages run: as processes, containers or pods; else $BACKSIGHT_PROFILE, else local.",
)
def deploy(profile: str | None) -> None:
    """Register the deployments with the server: one a stage, the night and the monitor with their schedules."""
    from flows.cli.prefect_client import require_answer, use_prefect

    require_answer(use_prefect())
    from flows.deployments import deploy as register
    from flows.launch.settings import LaunchSettings

    for name in register(LaunchSettings.load(profile)):
        click.echo(name)


@click.command()
@click.option("--preset", default="tiny", show_default=True, help="Name of a preset, or the path of a YAML file.")
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), help="Seed; the date where none is given.")
def demo(preset: str, seed: int | None) -> None:
    """Start the local stack, run one whole night on it, and show what came of it."""
    from flows.cli.stack import show
    from infra import local
    from tasks.preset import load_preset
    from tasks.settings import home

    load_preset(preset)
    show(local.up(home(), click.echo))
    from flows.cli.prefect_client import use_prefect

    use_prefect()
    from flows.deployments import deploy as register

    click.echo(f"registered {len(register())} deployments")
    launch(NIGHTLY, preset, seed, False, (), watch=True)
    click.echo("The stack stays up and its pages can be visited; `backsight down` ends it.")
