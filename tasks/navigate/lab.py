"""Makes habitat-lab importable, with habitat-sim or without it.

Since 2025 habitat-lab imports habitat-sim's bindings while it is itself imported, in three package files alone
(`habitat`, its habitat-sim wrapper, its rearrangement tasks). Environment, VLN task, measures and datasets need none
of it: where habitat-sim is missing those three files are left out, and everything below them stays habitat-lab's own.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

from tasks.errors import UsageError

LEFT_OUT = {
    "habitat": None,
    "habitat.sims.habitat_simulator": "_try_register_habitat_sim",
    "habitat.tasks.rearrange": "_try_register_rearrange_task",
}
"""Package -> the function that others call on import, to register what habitat-sim alone can do."""


def installed() -> bool:
    """Whether habitat-lab is there."""
    return "habitat" in sys.modules or importlib.util.find_spec("habitat") is not None


def prepare() -> None:
    """Make `import habitat.core.env` and its like work in this process. Raises UsageError without habitat-lab."""
    if "habitat" in sys.modules:
        return
    spec = importlib.util.find_spec("habitat")
    if spec is None or not spec.submodule_search_locations:
        raise UsageError("habitat-lab is not installed: run `make habitat`, or `pip install habitat-lab`.")
    if importlib.util.find_spec("habitat_sim") is None:
        root = Path(spec.submodule_search_locations[0])
        for name, entry in LEFT_OUT.items():
            sys.modules[name] = bare_package(name, root.joinpath(*name.split(".")[1:]), entry)
    # gym 0.23, which habitat-lab needs, prints that it is no longer kept.
    with contextlib.redirect_stderr(io.StringIO()):
        import gym  # noqa: F401
    quieten()


def bare_package(name: str, folder: Path, entry: str | None) -> ModuleType:
    """A package whose modules can be imported though its own file was not run; `entry` does nothing."""
    package = ModuleType(name, "habitat-lab's package without what needs habitat-sim")
    package.__path__ = [str(folder)]
    package.__spec__ = ModuleSpec(name, None, is_package=True)
    if entry:
        setattr(package, entry, lambda: None)
    return package


def quieten() -> None:
    """Let habitat-lab's own logger tell warnings alone: our commands' output is read by programs."""
    import logging

    from habitat.core.logging import logger

    logger.setLevel(logging.WARNING)
