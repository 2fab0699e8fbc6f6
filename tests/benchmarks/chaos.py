"""Nights in which a part of the local stack is killed: how each ended, what its rerun found, what was lost or doubled.

`backsight bench chaos [--runs N] [--parts worker,rank] [--images DIR] [--seed N] [--json]`. Each trial: a stack of its
own, a night of tests/presets/smoke.yaml, one SIGKILL at a moment drawn from an undisturbed night, `backsight
up`, the same night once more. Exit code 1 where a night hung or ended without a sentence, or its rerun lost or doubled
anything.
A trial takes about twice a night's time; --length saves the undisturbed one. With --images the stages run in containers
(profile `container`) of the images that `images/build.sh --save DIR` wrote, on the engine that answers or a dockerd of
the trials' own; nothing else may start stages on it meanwhile.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import asdict, replace
from pathlib import Path

from tasks.errors import UsageError
from tests.chaos.containers import swept
from tests.chaos.parts import PARTS
from tests.chaos.trial import RIGHT, Finding, Night, attempt
from tests.containers import stages_in_containers
from tests.local_stack import LocalStack

HEADS = ("part", "moment", "how the night ended", "up, s", "rerun", "lost", "double")
LEAST_DEADLINE = 300.0


Launch = Mapping[str, str]


def swept_after(launch: Launch) -> AbstractContextManager[None]:
    """Leaves no container behind, where there are any."""
    address = launch.get("BACKSIGHT_LAUNCH_ENGINE")
    return swept(address) if address else nullcontext()


def length_of_a_night(seed: int, launch: Launch) -> float:
    """Seconds of a night that nobody disturbs."""
    with tempfile.TemporaryDirectory(prefix="backsight-chaos-") as folder, swept_after(launch):
        stack = LocalStack(Path(folder) / "home", launch)
        stack.up()
        try:
            night = Night(stack, seed, "undisturbed")
            ended = night.end(3600.0)
            if ended != RIGHT:
                raise UsageError(f"A night that nobody disturbs does not end right here ({ended}): mend that first.")
            return night.age
        finally:
            stack.down()


def tried(launch: Launch, part: str, seed: int, length: float, deadline: float) -> Finding:
    """One trial; its logs stay where something is to be mended."""
    folder = Path(tempfile.mkdtemp(prefix="backsight-chaos-"))
    with swept_after(launch):
        found = attempt(LocalStack(folder / "home", launch), part, seed, length, deadline)
    if not found.good:
        return replace(found, folder=str(folder))
    shutil.rmtree(folder)
    return found


def row(found: Finding) -> tuple[str, ...]:
    """A trial as a line of the table."""
    ended = f"{found.ended} ({found.seconds:.0f} s after)"
    hanging = [f"{name} (never ends)" for name in found.hanging]
    return (
        found.part,
        found.moment,
        ended,
        f"{found.healed:.0f}",
        f"{found.rerun}, {found.known} stages known",
        ", ".join(found.lost) or "0",
        ", ".join((*found.double, *hanging)) or "0",
    )


def table(rows: Sequence[Sequence[str]]) -> str:
    """Rows in Markdown."""
    lines = [HEADS, tuple("---" for _ in HEADS), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def parts_of(words: str) -> list[str]:
    """Names of parts from `a,b`. Raises `UsageError` for one that there is not."""
    named = [word.strip() for word in words.split(",")]
    if strange := [word for word in named if word not in PARTS]:
        raise UsageError(f"The stack has no part '{strange[0]}': take some of {', '.join(PARTS)}.")
    return named


def main(argv: list[str] | None = None) -> int:
    """Try and print; 1 where something is to be mended."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5, help="trials of each part (default: 5)")
    parser.add_argument("--parts", type=parts_of, default=list(PARTS), help=f"which (default: {','.join(PARTS)})")
    parser.add_argument("--images", type=Path, help="folder of archives: stages run in containers (default: processes)")
    parser.add_argument("--seed", type=int, default=0, help="draws the moments and the nights (default: 0)")
    parser.add_argument("--length", type=float, help="seconds of an undisturbed night (default: one is measured)")
    parser.add_argument("--json", action="store_true", help="print one JSON object a trial instead of the table")
    options = parser.parse_args(argv)
    with ExitStack() as held:
        launch: Launch = {}
        if options.images:
            folder = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="backsight-engine-")))
            launch = held.enter_context(stages_in_containers(folder, options.images))
        findings = trials(options, launch)
    if not options.json:
        print(table([row(found) for found in sorted(findings, key=lambda f: PARTS.index(f.part))]))
    return 0 if all(found.good for found in findings) else 1


def trials(options: argparse.Namespace, launch: Launch) -> list[Finding]:
    """All trials, each told as soon as it is over."""
    length = options.length or length_of_a_night(options.seed, launch)
    deadline = max(LEAST_DEADLINE, 4 * length)
    print(f"an undisturbed night: {length:.0f} s; deadline of each: {deadline:.0f} s", file=sys.stderr, flush=True)
    findings = []
    for run in range(options.runs):
        for part in options.parts:
            found = tried(launch, part, options.seed + run, length, deadline)
            findings.append(found)
            said = json.dumps(asdict(found)) if options.json else f"| {' | '.join(row(found))} |"
            print(said, file=sys.stdout if options.json else sys.stderr, flush=True)
            if found.folder:
                print(f"to be mended, the stack's logs are in {found.folder}", file=sys.stderr, flush=True)
    return findings


if __name__ == "__main__":
    sys.exit(main())
