"""One trial: a night on a stack of its own, a SIGKILL of one part, what became of it, and the same night once more."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from random import Random

import yaml

from tasks.spec import HOUSE
from tests.chaos.books import Books, double, lost, unnamed
from tests.chaos.parts import RANK, stages, strike
from tests.local_stack import LocalStack

PRESET = HOUSE / "tests" / "presets" / "smoke.yaml"
WINS = {"first": "uniform", "alpha": 0.5, "nights": 1, "guards": {}}
"""A night of this size proves little: so that it promotes all the same, and there is an alias to get wrong."""
PLAIN = ("geometry", "pretrain", "joint")
"""Phases without DeepSpeed, whose import is a fourth of such a night's work; `finetune` shards its optimizer by it."""
SETTLES = 60.0
"""Seconds after the rerun within which no flow run may be left on its way."""
LOOK = 0.2
PATIENCE = ("--timeout", "600")
RIGHT = "right"


@dataclass(frozen=True)
class Finding:
    """What one trial showed."""

    part: str
    seed: int
    moment: str
    ended: str
    """How the night ended: `right`, or the sentence that it failed with."""
    seconds: float
    """From the SIGKILL to that end."""
    healed: float
    """Seconds that `backsight up` took."""
    rerun: str
    known: int
    """Stages that the rerun found."""
    lost: tuple[str, ...] = ()
    double: tuple[str, ...] = ()
    hanging: tuple[str, ...] = ()
    """Flow runs that never end."""
    unnamed: int = 0
    folder: str = ""
    """Where the stack's logs are, if they were kept."""

    @property
    def loud(self) -> bool:
        """Whether the night ended right or said why it did not."""
        return self.ended == RIGHT or self.ended.startswith("failed: ")

    @property
    def good(self) -> bool:
        """Whether nothing is to be mended."""
        return self.loud and self.rerun == RIGHT and not (self.lost or self.double or self.hanging)


@dataclass
class Night:
    """A night that `backsight run nightly --watch` watches."""

    stack: LocalStack
    seed: int
    name: str

    def __post_init__(self) -> None:
        words = ["run", "nightly", "--preset", str(self.preset()), "--seed", str(self.seed), "--watch"]
        self.began = time.monotonic()
        with self.file("out").open("wb") as out, self.file("err").open("wb") as err:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "flows.cli", *words], env=self.stack.environment(), stdout=out, stderr=err
            )

    def preset(self) -> Path:
        """The smallest night that still does everything, with a promotion at its end."""
        path = self.stack.home.parent / "chaos.yaml"
        night = yaml.safe_load(PRESET.read_text())
        for phase in PLAIN:
            night["training"][phase]["zero"] = 0
        path.write_text(json.dumps({**night, "promote": WINS}))
        return path

    def file(self, kind: str) -> Path:
        """Where its words go."""
        return self.stack.home.parent / f"{self.name}.{kind}"

    @property
    def age(self) -> float:
        """Seconds since it was submitted."""
        return time.monotonic() - self.began

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self.process.poll() is not None

    def end(self, patience: float) -> str:
        """`right`, `failed: <its sentence>`, or what is wrong with the way it ended."""
        try:
            code = self.process.wait(patience)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return f"HUNG for {patience:.0f} s"
        return how_it_ended(code, self.file("err").read_text())

    def turns(self) -> dict[str, str]:
        """Step -> `ran` or `known`, as its report tells."""
        return dict(re.findall(r"^  ([a-z-]+) +(ran|known)", self.file("out").read_text(), re.MULTILINE))


def how_it_ended(code: int, errors: str) -> str:
    """The end of a command in words."""
    if code == 0:
        return RIGHT
    last = next((line for line in reversed(errors.splitlines()) if line.strip()), "")
    if code == 1 and last.startswith("error: "):
        return f"failed: {last.removeprefix('error: ')}"
    return f"SILENT (exit code {code}): {last}"


def answer(done: subprocess.CompletedProcess[str]) -> tuple[int, str]:
    """Exit code and errors of a command that has ended."""
    return done.returncode, done.stderr


def attempt(stack: LocalStack, part: str, seed: int, length: float, deadline: float) -> Finding:
    """Kill a part at a moment that the seed draws from a night's length, and see what comes of it."""
    begun = how_it_ended(*answer(stack.healed(*PATIENCE)))
    if begun != RIGHT:
        stack.down()
        return Finding(part, seed, "before the night", f"NOT BEGUN: `backsight up` {begun}", 0.0, 0.0, "none", known=0)
    try:
        night = Night(stack, seed, "night")
        moment = hit(stack, night, part, Random(f"{part} {seed}"), length)
        hit_at = time.monotonic()
        ended = night.end(deadline)
        seconds = time.monotonic() - hit_at
        healing_since = time.monotonic()
        healing = how_it_ended(*answer(stack.healed(*PATIENCE)))
        healed = time.monotonic() - healing_since
        if healing != RIGHT:
            return Finding(part, seed, moment, ended, seconds, healed, f"`backsight up` {healing}", known=0)
        before = books(stack)
        again = Night(stack, seed, "rerun")
        rerun = again.end(deadline)
        after = settled(stack)
        ran = {step for step, turn in again.turns().items() if turn == "ran"}
        return Finding(
            part=part,
            seed=seed,
            moment=moment,
            ended=ended,
            seconds=seconds,
            healed=healed,
            rerun=rerun,
            known=list(again.turns().values()).count("known"),
            lost=tuple(lost(before, after, ran)),
            double=tuple(double(before, after)),
            hanging=tuple(after.unfinished),
            unnamed=unnamed(after),
        )
    finally:
        stack.down()


def hit(stack: LocalStack, night: Night, part: str, random: Random, length: float) -> str:
    """Wait for the moment, strike, and say what ran then. A rank is struck at the first training from there on."""
    drawn = random.uniform(0.02, 0.75 if part == RANK else 0.98) * length
    pause = random.uniform(0.0, 5.0)
    while not night.over and night.age < drawn:
        time.sleep(LOOK)
    while not night.over:
        running = stages(stack)
        if strike(stack, part):
            at = night.age
            return f"{at:.0f} s, {' and '.join(running) or 'between stages'}"
        time.sleep(pause)
    return "after its end"


def books(stack: LocalStack) -> Books:
    """What the stack's books say now."""
    command = [sys.executable, "-m", "tests.chaos.books"]
    done = subprocess.run(command, env=stack.environment(), cwd=HOUSE, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"The books of {stack.home} cannot be read: {done.stderr[-1000:]}")
    return Books.read(done.stdout)


def settled(stack: LocalStack) -> Books:
    """What they say once no flow run is on its way any more, or after `SETTLES`."""
    until = time.monotonic() + SETTLES
    while (found := books(stack)).unfinished and time.monotonic() < until:
        time.sleep(2.0)
    return found
