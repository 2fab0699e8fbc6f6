"""Makes Great Expectations quicker: imported without what no check of ours calls, half of the import's time; and asked
once, not 170 times, how a check of ours is configured, a third of the time that checks take.

Its databases and clouds are optional to the library itself, which goes on without those that are not installed. Plots
and distribution tests are not, but are first called by checks that we do not have: stand-ins load them when they are.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from great_expectations.expectations.expectation import Expectation
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

ABSENT = frozenset({"sqlalchemy", "google.oauth2", "snowflake", "pyspark"})
"""Not installed, as far as the library is to know: databases and clouds."""
LATER = frozenset({"altair", "jsonschema", "scipy.stats"})
"""Loaded when something of them is asked for."""


class StandIn(ModuleType):
    """A module that is loaded when something of it is asked for."""

    def __getattr__(self, name: str) -> Any:
        # The machinery of imports looks for its own marks, and does without them.
        if name.startswith("__"):
            raise AttributeError(name)
        forget(self)
        return getattr(import_module(self.__name__), name)


class StandInLoader(Loader):
    """Makes stand-ins."""

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """One of that name."""
        return StandIn(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Nothing is run."""


class Sparing(MetaPathFinder):
    """Finds `ABSENT` nowhere and stand-ins for `LATER`, in one thread: others import what they like meanwhile."""

    def __init__(self) -> None:
        self.thread = threading.get_ident()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """What to load instead of a module; None where it is not one of those."""
        if threading.get_ident() != self.thread:
            return None
        if fullname in ABSENT:
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)
        return ModuleSpec(fullname, StandInLoader()) if fullname in LATER else None


def import_library() -> None:
    """Have Great Expectations imported; what was imported before stays whole, and what is asked for later will be."""
    sparing = Sparing()
    sys.meta_path.insert(0, sparing)
    try:
        import great_expectations  # noqa: F401 - the import itself is the work
    finally:
        sys.meta_path.remove(sparing)
        for name in LATER:
            if isinstance(module := sys.modules.get(name), StandIn):
                forget(module)


def forget(module: StandIn) -> None:
    """Let everybody who imports the module from now on have it whole."""
    if sys.modules.get(module.__name__) is module:
        del sys.modules[module.__name__]
    parent, _, name = module.__name__.rpartition(".")
    if parent and vars(sys.modules[parent]).get(name) is module:
        delattr(sys.modules[parent], name)


@contextmanager
def remembered_configurations() -> Iterator[None]:
    """While it lasts, a check's configuration is put together once, and anew only where the check was changed."""
    from great_expectations.expectations.expectation import Expectation

    ours = vars(Expectation)["configuration"]
    # By identity; each is kept with its check, so that no other one comes to have the same.
    known: dict[int, tuple[Expectation, dict[str, Any], ExpectationConfiguration]] = {}

    def configuration(check: Expectation) -> ExpectationConfiguration:
        found = known.get(id(check))
        if found is None or found[1] != vars(check):
            found = known[id(check)] = check, dict(vars(check)), ours.fget(check)
        return found[2]

    Expectation.configuration = property(configuration)  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        Expectation.configuration = ours  # type: ignore[method-assign]
