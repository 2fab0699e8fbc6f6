"""Every check as data: what is expected of which column, how bad a breach is, and the reason that is then given."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from tasks.validate.spec import Thresholds

if TYPE_CHECKING:
    from tasks.validate.reading import Dataset


class Severity(StrEnum):
    """What a breach costs; the names that Great Expectations has for the same are `critical`, `warning`, `info`."""

    REJECT = "reject"
    """The episode its place; a breach of the whole dataset, the gate."""
    WARN = "warn"
    INFO = "info"


@dataclass(frozen=True)
class Check:
    """One expectation on one table."""

    table: str
    """`index`, `frames`, `episodes` or `strata`."""
    suite: str
    """The heading under which it is reported."""
    expectation: str
    """Class of Great Expectations."""
    arguments: dict[str, Any]
    reason: str
    """What is wrong where it fails, without a full stop."""
    severity: Severity = Severity.REJECT

    @property
    def column(self) -> str:
        """The column that is looked at, or the columns."""
        return str(self.arguments.get("column") or " + ".join(self.arguments["column_list"]))


@dataclass(frozen=True)
class Limits:
    """What the agent that walked can do between two frames."""

    step: float
    """Metres."""
    turn: float
    """Degrees."""


def limits(thresholds: Thresholds, dataset: Dataset) -> Limits:
    """The thresholds' own limits, else those of the plan that was collected, else those of habitat's agents."""
    turns = dataset.plan.get("turns") or [30.0]
    return Limits(
        step=thresholds.poses.step or 1.02 * dataset.step + 0.005,
        turn=thresholds.poses.turn or max(turns) + 0.5,
    )


def all_checks(thresholds: Thresholds, agent: Limits, strata: list[str], splits: list[str]) -> list[Check]:
    """The checks of all suites."""
    return [
        *index_checks(strata, splits),
        *frame_checks(thresholds),
        *pose_checks(thresholds, agent),
        *world_checks(thresholds),
        *story_checks(thresholds),
        *split_checks(thresholds),
        *balance_checks(thresholds),
    ]


def between(
    table: str, suite: str, column: str, low: float | None, high: float | None, reason: str,
    severity: Severity = Severity.REJECT,
) -> Check:  # fmt: skip
    """Values from `low` to `high`, both included; missing values are no breach."""
    bounds = {"column": column, "min_value": low, "max_value": high}
    return Check(table, suite, "ExpectColumnValuesToBeBetween", bounds, reason, severity)


def index_checks(strata: list[str], splits: list[str]) -> list[Check]:
    """Schema and ranges of the index, one row a frame."""
    known = {"action": ["forward", "left", "right", "stop"], "stratum": strata, "split": splits}
    unique = {"column_list": ["episode", "frame"]}
    return [
        *(
            Check("index", "index", "ExpectColumnValuesToBeInSet", {"column": c, "value_set": v}, f"its {c} is unknown")
            for c, v in known.items()
        ),
        Check("index", "index", "ExpectCompoundColumnsToBeUnique", unique, "a frame is listed twice"),
        between("index", "index", "gap", 0, 0, "its frames are not numbered 0, 1, 2, ..."),
        between("index", "index", "changes", 0, 0, "its frames name several scenes, splits, strata or instructions"),
        between("index", "index", "intrinsics_sound", 1, 1, "its intrinsics are no pinhole camera's"),
    ]  # fmt: skip


def frame_checks(t: Thresholds) -> list[Check]:
    """Pictures: read back, lit, sharp, deep, labelled."""
    p = t.pictures
    frames = [
        ("intact", 1, 1, "a picture cannot be read back whole from its shard"),
        ("brightness", p.dark, None, "a frame is black"),
        ("brightness", None, p.bright, "a frame is overexposed"),
        ("contrast", p.contrast, None, "a frame is blank"),
        ("holes", None, p.holes, "a frame misses its depth"),
        ("nearest", p.nearest, None, "a depth is nearer than the camera can see"),
        ("farthest", None, p.farthest, "a depth is farther than a building is wide"),
        ("unlabelled", None, p.unlabelled, "a frame misses its labels"),
        ("unknown_objects", None, p.unknown, "a frame shows objects that its scene does not have"),
    ]
    walks = [
        ("detail", p.detail, None, "its pictures are blurred"),
        ("smear", *p.smear, "its pictures are smeared in one direction"),
        ("blocks", None, p.blocks, "its pictures were coded as JPEG"),
        ("grain", None, p.grain, "its pictures are noisy"),
        ("dead", None, p.dead, "pixels stand still while its camera moves"),
        ("channels", p.channels, None, "its colour channels fit better in another order"),
        ("unusual", None, p.unusual, "its colours are unlike those of equal things elsewhere"),
        ("colourless", None, p.colourless, "its pictures have no colours"),
        ("outlines", p.outlines, None, "things in its pictures lie elsewhere than their labels"),
        ("vivid", p.vivid, None, "its colours are paler than those of equal things elsewhere, or opposite"),
        ("lightness", *p.lightness, "its things are darker or lighter than equal ones elsewhere"),
        ("tones", p.tones, None, "its pictures have so few tones that 6 bits could hold them"),
        ("fringes", None, p.fringes, "its colour channels lie beside each other"),
        ("levels", p.levels, None, "its depth has so few values that 8 bits could hold them"),
        ("frozen", None, p.frozen, "its camera is frozen: pictures repeat while it moves"),
    ]
    return [*(between("frames", "frames", *f) for f in frames), *(between("episodes", "frames", *w) for w in walks)]


def pose_checks(t: Thresholds, agent: Limits) -> list[Check]:
    """Poses: finite, rigid, upright, without leaps, and moved as the actions say."""
    p = t.poses
    frames = [
        ("pose_finite", 1, 1, "a pose is not finite"),
        ("pose_rigid_error", None, p.rigid, "a pose is no rigid motion"),
        ("roll", None, p.roll, "the camera is rolled"),
        ("upright", p.upright, None, "the camera is upside down"),
        ("step", None, agent.step, "the agent teleports"),
        ("turn", None, agent.turn, "the agent turns faster than it can"),
        ("rise", None, p.rise, "the camera leaps up or down"),
    ]
    walks = [
        ("stuck", None, p.stuck, "the agent is stuck"),
        ("acted", p.acted, None, "poses do not follow from the actions"),
        ("ends", 1, 1, "its last action is not the only stop"),
    ]
    return [*(between("frames", "poses", *f) for f in frames), *(between("episodes", "poses", *w) for w in walks)]


def world_checks(t: Thresholds) -> list[Check]:
    """Neighbouring frames carried into each other, and what is seen against where the scene says that it stands."""
    w = t.world
    walks = [
        ("depth_agrees", w.depth, None, "depth, poses and intrinsics do not agree"),
        ("seen_through", None, w.through, "the next frame looks through surfaces that this one saw"),
        ("labels_agree", w.labels, None, "labels do not agree with depth and poses"),
        ("light_differs", None, w.light, "pictures do not agree with depth and poses"),
        ("unsteady", None, w.unsteady, "what it sees changes its light from frame to frame"),
        ("leap", None, w.leap, "two neighbouring pictures do not agree with depth and poses"),
        ("light_shift", None, w.shift, "pictures are shifted in time against depth and poses"),
        ("in_place", w.in_place, None, "what is seen does not lie where the scene has it"),
    ]
    return [between("episodes", "consistency", *walk) for walk in walks]


def story_checks(t: Thresholds) -> list[Check]:
    """Instructions, and walks as their stratum tells."""
    fewest, most = t.story.words
    walks = [
        ("words", fewest, most, "its instruction is empty or endless"),
        ("instruction_matches", 1, 1, "index and episode file tell different instructions"),
        ("grounded", t.story.grounded, None, "its instruction names what the walk never sees"),
        ("reached", t.story.reached, None, "its instruction names what the walk never comes near"),
        ("familiar", t.story.familiar, None, "its instruction breaks off, or is in words that no other uses"),
        ("manner", t.story.manner, None, "its instruction tells of another manner of walking than its stratum"),
        ("as_told", 1, 1, "it is not walked as its stratum says"),
        ("filed", 1, 1, "the episode file tells of another walk"),
    ]
    return [between("episodes", "instructions", *walk) for walk in walks]


def split_checks(t: Thresholds) -> list[Check]:
    """Scenes in one split each, nothing recorded twice."""
    likeness = t.likeness
    walks = [
        ("scene_known", t.world.at_home, 1, "its scene is not described, or its things stand in other rooms than told"),
        ("split_fits", 1, 1, "its split is not its scene's"),
        ("scene_groups", 1, 1, "its scene is in two splits"),
        ("leaked", 0, 0, "frames of it are also in another split"),
        ("copies", 0, 0, "it repeats another episode"),
        ("alike", None, likeness.copy_of, "it shows what another episode shows"),
        ("alike_elsewhere", None, likeness.leak, "an episode of another split shows what it shows"),
    ]
    shown = "another episode shows what it shows"
    warned = between("episodes", "splits", "alike_later", None, likeness.copy_of, shown, Severity.WARN)
    return [*(between("episodes", "splits", *walk) for walk in walks), warned]


def balance_checks(t: Thresholds) -> list[Check]:
    """The accepted part, one row a split and stratum."""
    off = "a stratum is far from its planned share"
    return [between("strata", "balance", "off_plan", None, t.gate.balance, off, Severity.WARN)]
