"""From how a task left to one sentence saying what went wrong: pure functions over its exit code and last lines."""

from __future__ import annotations

import re
import signal
from collections.abc import Sequence
from dataclasses import dataclass

from flows.launch.contract import Cause, JobState

ERROR_LINE = re.compile(r"^(?:\[\w+\]:)?error: (?P<sentence>.+)$")
"""The line by which a task says why it failed; torchrun may put `[rank0]:` before it."""

MEMORY_SIGNS = re.compile(
    r"MemoryError|can't allocate memory|Cannot allocate memory|OutOfMemoryError|CUDA out of memory|std::bad_alloc"
)
RANK_KILLED = re.compile(r"Signal 9 \(SIGKILL\) received by PID|exitcode\s*: -9")
SIGNAL_BASE = 128
"""A shell reports a death by signal n as exit code 128 + n."""


@dataclass(frozen=True)
class Remains:
    """What is known of an attempt after its end."""

    stage: str
    seconds: float
    exit_code: int | None
    """None = the end itself was not seen."""
    last_lines: Sequence[str]
    said: str | None = None
    """The error in the result that the task wrote."""
    has_result: bool = False
    stopped_for: Cause | None = None
    """Set when a launcher ended it on purpose: CANCELLED or DEADLINE."""
    deadline: float | None = None
    kernel_killed: bool = False
    """Whether the kernel's out-of-memory killer struck while it ran."""


@dataclass(frozen=True)
class Diagnosis:
    """The verdict on an attempt."""

    state: JobState
    cause: Cause | None = None
    sentence: str | None = None


def diagnose(remains: Remains) -> Diagnosis:
    """Name the state and, where the attempt did not succeed, the cause and a sentence."""
    if remains.exit_code in (0, None) and remains.has_result and remains.said is None:
        return Diagnosis(JobState.SUCCEEDED)
    if remains.stopped_for is not None:
        return _stopped(remains)
    cause = _cause(remains)
    return Diagnosis(JobState.FAILED, cause, _sentence(remains, cause))


def _stopped(remains: Remains) -> Diagnosis:
    if remains.stopped_for is Cause.CANCELLED:
        return Diagnosis(
            JobState.CANCELLED, Cause.CANCELLED, f"{remains.stage} was cancelled after {remains.seconds:.0f} s."
        )
    limit = f"its deadline of {remains.deadline:g} s" if remains.deadline is not None else "its deadline"
    return Diagnosis(
        JobState.FAILED,
        Cause.DEADLINE,
        f"{remains.stage} was ended at {limit}: ask for less work, or give it more time.",
    )


def _cause(remains: Remains) -> Cause:
    if any(MEMORY_SIGNS.search(line) for line in [*remains.last_lines, remains.said or ""]):
        return Cause.OUT_OF_MEMORY
    if _killed(remains):
        return Cause.OUT_OF_MEMORY if remains.kernel_killed else Cause.KILLED
    if _own_words(remains) is not None:
        return Cause.TASK
    return Cause.NO_RESULT if remains.exit_code == 0 else Cause.EXIT


def _killed(remains: Remains) -> bool:
    by_signal = remains.exit_code is None or _signal_of(remains.exit_code) is not None
    return by_signal or any(RANK_KILLED.search(line) for line in remains.last_lines)


def _signal_of(exit_code: int) -> signal.Signals | None:
    known = {s.value: s for s in signal.Signals}
    return known.get(exit_code - SIGNAL_BASE)


def _own_words(remains: Remains) -> str | None:
    if remains.said:
        return remains.said
    said = (ERROR_LINE.match(line.strip()) for line in reversed(remains.last_lines))
    return next((match["sentence"] for match in said if match), None)


def _sentence(remains: Remains, cause: Cause) -> str:
    own = _own_words(remains)
    if cause is Cause.OUT_OF_MEMORY:
        told = f" ({own})" if own else ""
        return (
            f"{remains.stage} ran out of memory after {remains.seconds:.0f} s{told}: "
            "lower its workers, batch or image size, or give it a machine with more memory."
        )
    if own is not None:
        return own
    if cause is Cause.KILLED:
        return (
            f"{remains.stage} was killed from outside ({_killer(remains)}) after {remains.seconds:.0f} s: "
            "run it again; stages that had finished are not repeated."
        )
    if cause is Cause.NO_RESULT:
        return f"{remains.stage} left with code 0 but wrote no result: its task does not keep the stage contract."
    last = next((line.strip() for line in reversed(remains.last_lines) if line.strip()), "nothing")
    return f"{remains.stage} left with exit code {remains.exit_code} without saying why; its last line was: {last}"


def _killer(remains: Remains) -> str:
    named = None if remains.exit_code is None else _signal_of(remains.exit_code)
    if named is not None:
        return named.name
    return "SIGKILL"
