"""`backsight bench NAME`: what is measured, each by one module that prints its figures (`--json`: one JSON object)."""

from __future__ import annotations

import sys
from functools import partial
from importlib import import_module

import click

from tasks.errors import UsageError
from tasks.spec import HOUSE

BENCHMARKS: dict[str, tuple[str, str]] = {
    "ablations": ("tests.benchmarks.ablations", "What each part of the network and each loss earns, and more data."),
    "chaos": ("tests.benchmarks.chaos", "A SIGKILL in every part of a night: how it ends, what a rerun finds."),
    "drift": ("tests.benchmarks.drift", "Drift between collections: false alarms in one world, power in others."),
    "engine": ("tests.benchmarks.engine", "Losses over ranks, ZeRO stages and a SIGKILL, beside one rank's."),
    "faults": ("tests.benchmarks.faults", "Planted faults: detection by kind, false alarms on clean walks, time."),
    "gc": ("tests.benchmarks.gc", "gc on a store of 10,000 objects, half of which nothing names."),
    "gate": (
        "tasks.rehearsal.bench",
        "The promotion gate over invented nights: false promotions, power, scenes saved.",
    ),
    "instructions": ("tests.benchmarks.instructions", "Maps under the right words, and under another building's."),
    "labels": ("tests.benchmarks.labels", "Label pairs a second, beside a plain Python loop."),
    "lineage": ("tests.benchmarks.lineage", "Lineage of a verdict, a dataset and an episode among 10,000 manifests."),
    "loading": ("tests.benchmarks.loading", "Batches of the loader, beside bare decoding and bare labels."),
    "navigate": ("tasks.navigate.benchmark", "An agent in habitat-lab's Env: success, SPL, nDTW over R2R episodes."),
    "platform": ("tests.benchmarks.platform", "Keys of 1,000 shards, a pod's overhead, flow runs a minute."),
    "predict": ("tests.benchmarks.predict", "Prediction from videos: memory over their length, seconds and GB."),
    "render": ("tests.benchmarks.render", "The embedded simulator: frames a second, recording, buildings, memory."),
    "sampling": ("tests.benchmarks.sampling", "The `enhanced` sampler beside a plain greedy; what all samplers cover."),
    "stack": ("tests.benchmarks.stack", "Seconds to start, heal and stop a local stack, and its memory."),
    "training": ("tests.benchmarks.training", "An update of the engine, beside a bare torch loop."),
}
"""Name -> (module with `main(argv)`, one line of help). The module is imported when its benchmark runs, not before."""

CHECKOUT = "tests.benchmarks."
"""Benchmarks that compare with the tests' slow twins (loops, brute force) live with them, in the source."""


@click.group()
def bench() -> None:
    """Measure a part on this machine; every benchmark takes --json and tells its other options with --help."""


def run_benchmark(name: str, module: str, arguments: tuple[str, ...]) -> int:
    """Import a benchmark and run it. Raises UsageError where the package was installed without its source."""
    if module.startswith(CHECKOUT):
        if not (HOUSE / "tests" / "benchmarks").is_dir():
            raise UsageError(f"The benchmark {name} is part of the source: clone the repository, run it there.")
        if str(HOUSE) not in sys.path:
            sys.path.insert(0, str(HOUSE))
    # argparse tells its usage under this name.
    sys.argv[0] = f"backsight bench {name}"
    return import_module(module).main(list(arguments)) or 0


def add(name: str, module: str, line: str) -> None:
    """Make one row of the table a sub-command that hands all its arguments on, `--help` too."""
    bench.add_command(
        click.Command(
            name,
            callback=partial(run_benchmark, name, module),
            params=[click.Argument(["arguments"], nargs=-1, type=click.UNPROCESSED)],
            context_settings={"ignore_unknown_options": True},
            add_help_option=False,
            short_help=line,
        )
    )


for _name, (_module, _line) in BENCHMARKS.items():
    add(_name, _module, _line)
