"""`backsight plan nightly`: the forecast of a night as a table or as JSON."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import click

from flows.forecast import Forecast, Prices, Question, forecast, read_prices
from flows.launch.resources import read_table
from flows.launch.settings import LaunchSettings, Profile
from tasks.errors import BacksightError, UsageError
from tasks.store import ArtefactStore


def show(preset: str, profile: str | None, seed: int | None, prices: Path | None, as_json: bool) -> None:
    """Print what the night would launch; a store that cannot be reached is said, and nothing counts as known."""
    from flows.plan import night_seed
    from flows.references import champion
    from tasks.preset import load_preset
    from tasks.stage import cached, key_of

    settings, asked_prices = LaunchSettings.load(profile), read_prices(prices) if prices else read_prices()
    store, why_not = reachable_store()
    question = Question(
        preset_name=preset,
        preset=load_preset(preset),
        seed=night_seed(datetime.now().astimezone()) if seed is None else seed,
        champion=champion(store) if store else None,
        table=read_table(settings.resources),
        prices=asked_prices,
        key_of=key_of,
        known=(lambda spec: cached(store, spec)) if store else None,
    )
    lines = forecast(question)
    if as_json:
        told: dict[str, object] = {
            "preset": preset,
            "profile": settings.profile,
            "seed": question.seed,
            "store": why_not or "asked",
        }
        told |= {"steps": [row(line) for line in lines], **totals(lines, asked_prices)}
        click.echo(json.dumps(told, indent=2))
        return
    click.echo(table(lines))
    click.echo(summary(lines, asked_prices, settings))
    if why_not:
        click.echo(f"cache hits were not looked up: {why_not}")


def reachable_store() -> tuple[ArtefactStore | None, str | None]:
    """The store, or why there is none to ask."""
    from tasks.store import open_store

    try:
        store = open_store()
        store.ref("stage", "0")
    except (UsageError, BacksightError) as error:
        return None, str(error)
    return store, None


def row(line: Forecast) -> dict[str, object]:
    """One step as JSON."""
    r = line.resources
    return {
        "step": line.step,
        "key": line.key,
        "known": line.known,
        "pods": r.pods if line.launches else 0,
        "cores": r.cpu * r.pods,
        "memory_gib": r.memory_gib * r.pods,
        "gpus": r.all_gpus,
        "deadline_hours": r.deadline_hours,
        "most_gpu_hours": round(line.most_gpu_hours, 3),
        "most_cost": round(line.most_cost, 2),
        "ran_hours": line.ran_hours,
    }


def totals(lines: list[Forecast], prices: Prices) -> dict[str, object]:
    """The night as a whole."""
    return {
        "launched": sum(line.launches for line in lines),
        "most_pods_at_once": max((line.resources.pods for line in lines if line.launches), default=0),
        "most_gpu_hours": round(sum(line.most_gpu_hours for line in lines), 3),
        "most_cost": round(sum(line.most_cost for line in lines), 2),
        "currency": prices.currency,
    }


def table(lines: list[Forecast]) -> str:
    """The steps as aligned columns."""
    head = ("step", "key", "turn", "pods", "cores", "GiB", "GPUs", "deadline", "GPU-h at most", "cost at most")
    rows = [head, *(cells(line) for line in lines)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    left = 3
    return "\n".join(
        "  ".join(c.ljust(w) if i < left else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True)))
        for row in rows
    )


def cells(line: Forecast) -> tuple[str, ...]:
    """One step as texts."""
    r = line.resources
    turn = {True: "known", False: "runs", None: "?"}[line.known]
    figures = (r.pods, r.cpu * r.pods, r.memory_gib * r.pods, r.all_gpus)
    pods = (*(f"{figure:g}" for figure in figures), f"{r.deadline_hours:g} h")
    spent = (f"{line.most_gpu_hours:.1f}", f"{line.most_cost:.2f}")
    key = line.key[:12] if line.key else "(not yet)"
    return (line.step, key, turn, *pods, *spent) if line.launches else (line.step, key, turn, *["-"] * 7)


def summary(lines: list[Forecast], prices: Prices, settings: LaunchSettings) -> str:
    """The night in a sentence."""
    t = totals(lines, prices)
    known = len(lines) - sum(line.launches for line in lines)
    told = (
        f"profile {settings.profile}: {t['launched']} stages run, {known} are known; if every stage took its whole "
        f"deadline, {t['most_gpu_hours']} GPU-hours and {t['most_cost']} {prices.currency}, with at most "
        f"{t['most_pods_at_once']} pods at once"
    )
    local = "; as processes of this machine they are held to none of these limits"
    return told + (local if settings.profile is Profile.LOCAL else "")
