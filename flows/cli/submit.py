"""From the words of a command line to a submitted flow run; what is wrong is said before anything is submitted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flows.parameters import KEYS
from flows.plan import Stage
from tasks.errors import BacksightError, UsageError
from tasks.explain import nearest

if TYPE_CHECKING:
    from prefect import Flow
    from prefect.client.schemas.objects import FlowRun

NIGHTLY = "nightly"
MONITOR = "monitor"
NAMES = (NIGHTLY, MONITOR, *Stage)
OPTIONS = frozenset({"preset", "seed", "force", "overrides"})
"""Parameters of the flows that the command line gives in another way than by `--set`."""


def parsed(settings: Sequence[str]) -> dict[str, Any]:
    """`key=value` words as settings; values are read as YAML: `8`, `0.5`, `true`, `latest`."""
    import yaml

    found = {}
    for word in settings:
        key, equals, value = word.partition("=")
        if not (key and equals):
            raise UsageError(f"--set {word} says nothing: write it as --set key=value.")
        try:
            found[key] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise UsageError(f"--set {key} has a value that cannot be read: {' '.join(str(error).split())}.") from error
    return found


def flow_named(name: str) -> Flow[..., Any]:
    """The flow behind a name of `backsight run`."""
    from flows.monitor import monitor
    from flows.nightly import nightly
    from flows.stages import FLOWS

    parents: dict[str, Flow[..., Any]] = {NIGHTLY: nightly, MONITOR: monitor}
    return parents[name] if name in parents else FLOWS[Stage(name)]


def parameters_of(
    flow: Flow[..., Any], preset: str, seed: int | None, force: bool, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """The flow run's parameters, checked; settings that are no parameters of the flow are keys of the preset."""
    from tasks.preset import load_preset

    known = flow.parameters.properties.keys() - OPTIONS
    named = {key: value for key, value in settings.items() if key in known}
    free = {key: value for key, value in settings.items() if key not in known}
    if strange := [key for key in free if "." not in key]:
        raise UsageError(f"{flow.name} has no setting '{strange[0]}'{nearest(strange[0], sorted(known), [])}")
    as_keys = {key: named[name] for name, key in KEYS.items() if named.get(name) is not None}
    load_preset(preset, {**free, **as_keys})
    asked: dict[str, Any] = {"preset": located(preset), "force": force, "overrides": free, **named}
    if seed is not None:
        asked["seed"] = seed
    return checked(flow, asked)


def located(preset: str) -> str:
    """A preset's path made absolute, for the worker lives in another folder; a name as it is."""
    return str(Path(preset).absolute()) if Path(preset).is_file() else preset


def checked(flow: Flow[..., Any], parameters: dict[str, Any]) -> dict[str, Any]:
    """The parameters, if the flow would take them."""
    from pydantic import TypeAdapter, ValidationError

    hints = flow_hints(flow)
    for name, value in parameters.items():
        try:
            TypeAdapter(hints[name]).validate_python(value)
        except ValidationError as error:
            said = error.errors()[0]["msg"].replace("Input should be", "should be")
            raise UsageError(f"{name} {said}, not {value!r}.") from error
    return parameters


def flow_hints(flow: Flow[..., Any]) -> dict[str, Any]:
    """The annotated type of each parameter."""
    from typing import get_type_hints

    return get_type_hints(flow.fn, include_extras=True)


def submit(name: str, parameters: dict[str, Any], run_name: str) -> FlowRun:
    """A new run of the deployment; where the server does not know the deployments yet, they are registered first."""
    import httpx
    from prefect.deployments import run_deployment
    from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError

    from flows.deployments import deploy

    def ask() -> Any:
        return run_deployment(
            f"{name}/{name}", parameters=parameters, flow_run_name=run_name, timeout=0, as_subflow=False
        )

    try:
        try:
            return ask()
        except ObjectNotFound:
            click.echo(f"registered {len(deploy())} deployments")
            return ask()
    except PrefectHTTPStatusError as error:
        detail = error.response.json().get("detail", error.response.text)
        raise BacksightError(f"Prefect's server refused the run of {name}: {detail}") from error
    except httpx.HTTPError as error:
        raise BacksightError(
            f"Prefect's server stopped answering ({type(error).__name__}) while {name} was submitted: heal it with "
            "`backsight up`, look on its page whether the run is there, and else submit it again."
        ) from error
