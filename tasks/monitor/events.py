"""What the trigger hears (windows, nights, ends of retrainings) and what it says (decisions), as data."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from pydantic import ConfigDict

HOUR = 3600.0
DAY = 24 * HOUR

DECIDED = "drift-"
"""How the name of a retraining begins that is decided and has not begun."""

STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)
"""Read back from JSON, an event is of the one kind whose fields it has."""


@dataclass(frozen=True, slots=True)
class Window:
    """One look at the newest data. Times are unix seconds."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    at: float
    data: str
    """Identity of the data that was looked at: the same data twice is no new evidence."""
    passed: bool = True
    """Whether the data passed its quality gate."""
    fault: str = ""
    """Why it did not."""
    episodes: int = 0
    """Validated episodes in it that the champion has not learnt from."""
    drift: float | None = None
    """Effect size of the group of features that moved most; None = nothing could be compared (`blank`)."""
    drift_p: float = 1.0
    """Its p-value, corrected for the number of groups."""
    loss: float | None = None
    """Share of the reference score that the champion has lost on this data; negative = it gained."""
    loss_se: float = 0.0
    """Standard error of `loss`."""
    views: str = ""
    """Identity of the views that `loss` was measured on: the same views twice are one measurement."""
    about: str = ""
    """What moved most, for the reason."""
    blank: str = ""
    """Why nothing could be compared, where `drift` is None."""
    champion: str = ""
    """Who was measured; evidence against a former champion is none against the present one."""


@dataclass(frozen=True, slots=True)
class NightAsked:
    """A night is about to begin: by the clock, by a person, or as the follow-up of a decision to retrain."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    at: float
    name: str
    cause: str = "schedule"
    """schedule, hand or monitor."""


@dataclass(frozen=True, slots=True)
class NightEnded:
    """A night has ended, well or badly."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    at: float
    name: str
    hours: float
    """GPU-hours that it took."""
    promoted: bool
    """Whether a new champion came of it."""


Event = Window | NightAsked | NightEnded


class Action(StrEnum):
    """What is to be done."""

    NONE = "none"
    COLLECT = "collect"
    RETRAIN = "retrain"


class Rule(StrEnum):
    """Which rule decided."""

    QUALITY = "quality: data below the gate, so collect, never train"
    QUALITY_RESTS = "quality: a collection was asked for a short while ago"
    QUALITY_STUCK = "quality: collections in a row were of no use, a person has to look"
    DUPLICATE = "same data as before: no new evidence"
    CLOCK_BACK = "clock: earlier than the window before, not counted"
    CLOCK_RESET = "clock: it has gone back for good, evidence starts anew"
    NOT_COMPARED = "the data could not be compared with a reference"
    QUIET = "no drift"
    PROPOSED = "drift proposes, performance does not confirm"
    NOT_MEASURED = "drift proposes, performance was not measured"
    IN_FLIGHT = "one retraining in flight"
    COOLDOWN = "cooldown"
    FEW_EPISODES = "too few new episodes: collect first"
    FEW_EPISODES_RESTS = "too few new episodes: a collection was asked for a short while ago"
    BUDGET = "GPU-hour budget"
    CONFIRMED = "drift proposed, performance confirmed"
    SCHEDULED = "a scheduled night"
    STARTED = "the retraining that was decided has begun"
    BY_HAND = "a night by hand"
    ENDED = "a retraining has ended"
    UNKNOWN_END = "an end of a night that is not in flight"


@dataclass(frozen=True, slots=True)
class Check:
    """One bound that the decision looked at."""

    name: str
    value: float
    bound: str
    """Like `>= 2`."""
    met: bool


@dataclass(frozen=True, slots=True)
class Flight:
    """The retraining in flight."""

    name: str
    cause: str
    since: float
    hours: float
    """GPU-hours reserved for it."""

    @property
    def awaited(self) -> bool:
        """Whether it is decided and no night has begun yet that carries it out, which would have given its own name."""
        return self.cause == "monitor" and self.name.startswith(DECIDED)


@dataclass(frozen=True, slots=True)
class Sight:
    """What is remembered of one window."""

    at: float
    high: bool
    """Drifted by the threshold that a proposal enters by."""
    low: bool
    """Drifted by the threshold that a proposal leaves by."""
    loss: float | None
    loss_se: float
    views: str


@dataclass(frozen=True, slots=True)
class State:
    """All that the trigger remembers."""

    last: float | None = None
    """Time of the newest counted event."""
    data: str = ""
    """Identity of the newest counted data."""
    champion: str = ""
    """Who was champion then."""
    sights: tuple[Sight, ...] = ()
    """Newest windows, oldest first, since the last promotion."""
    proposed: bool = False
    confirmed: bool = False
    episodes: int = 0
    """New episodes since the last retraining."""
    flight: Flight | None = None
    spent: tuple[tuple[float, float], ...] = ()
    """(time, GPU-hours) of retrainings within the budget's window."""
    rest_until: float = 0.0
    rest_days: float = 0.0
    """Length of the last rest; grows while retraining brings nothing."""
    collected: float | None = None
    """When the last collection was asked for."""
    collections: int = 0
    """Collections asked for in a row for bad data."""
    backward: tuple[float, ...] = ()
    """Times of windows in a row that came from before `last`."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided on an event, by which rule, with which numbers; and the state that it leaves."""

    action: Action
    rule: Rule
    reason: str
    event: Event
    after: State
    checks: tuple[Check, ...] = ()
    notes: tuple[str, ...] = ()
    """What else was found on the way: gaps, lost retrainings."""
