"""What validation is asked: the dataset, and every threshold of every check, in one place."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from tasks.spec import Frozen, ManifestId, StageSpec, free

Share = float


class PictureThresholds(Frozen):
    """Bounds on single pictures: light, detail, depth, labels."""

    dark: float = Field(20.0, ge=0, le=255, description="Least mean luminance of a frame, 0 to 255.")
    bright: float = Field(225.0, ge=0, le=255, description="Largest mean luminance of a frame, 0 to 255.")
    contrast: float = Field(0.5, ge=0, description="Least spread of luminance in a frame: less is a blank picture.")
    detail: float = Field(0.25, ge=0, description="Least fine detail of a walk (median): less is blurred.")
    smear: tuple[float, float] = Field(
        (0.45, 3.0), description="Least and most fine detail across over that down: beyond it pictures are smeared."
    )
    blocks: float = Field(
        1.24, ge=1, description="Most excess of edges on an 8 px grid (median): more was coded as JPEG."
    )
    grain: float = Field(20.0, gt=0, description="Most fine detail in the flat parts of a walk: more is noise.")
    dead: Share = Field(0.02, ge=0, le=1, description="Most pixels that stand still while the camera moves.")
    channels: float = Field(
        0.0, description="Least log likelihood ratio of red, green, blue as they stand over any other order of them."
    )
    unusual: float = Field(
        1.1,
        gt=0,
        description="Most by which a walk's colours are less probable than the median walk's, in nats a thing.",
    )
    colourless: Share = Field(0.9, ge=0, le=1, description="Most pixels whose three channels are equal.")
    vivid: float = Field(
        0.42, description="Least colourfulness of a walk's things as a share of that of things of the same name."
    )
    lightness: tuple[float, float] = Field(
        (0.68, 1.3), description="Least and most lightness of its things as a share of that of things of the same name."
    )
    tones: int = Field(65, ge=0, description="Fewest different reds of a walk: fewer were stored in 6 bits.")
    fringes: float = Field(
        1.6, gt=0, description="Most steps of red less blue over steps of light: more, and channels lie apart."
    )
    outlines: float = Field(
        0.55, ge=0, description="Least strength of edges where labels change, compared with the median walk's."
    )
    levels: int = Field(257, ge=0, description="Fewest different depths in three frames: fewer were stored in 8 bits.")
    frozen: Share = Field(
        0.005, ge=0, le=1, description="Most frames, or rows of them, that repeat the one before under way."
    )
    nearest: float = Field(0.03, ge=0, description="Least valid depth in metres.")
    farthest: float = Field(40.0, gt=0, description="Largest valid depth in metres.")
    holes: Share = Field(0.02, ge=0, le=1, description="Most pixels of a frame with an object and without depth.")
    unlabelled: Share = Field(0.5, ge=0, le=1, description="Most pixels of a frame that belong to no object.")
    unknown: Share = Field(0.02, ge=0, le=1, description="Most pixels of a frame whose object its scene does not have.")


class PoseThresholds(Frozen):
    """Bounds on poses, and on what an agent can do from one frame to the next."""

    rigid: float = Field(1e-3, gt=0, description="Most deviation from a right-handed rigid motion.")
    roll: float = Field(2.0, ge=0, description="Most roll of the camera in degrees.")
    upright: float = Field(0.3, ge=-1, le=1, description="Least cosine between the camera's up and the world's.")
    step: float | None = Field(None, gt=0, description="Longest way between frames in metres; none = the plan's step.")
    turn: float | None = Field(
        None, gt=0, description="Widest turn between frames in degrees; none = the plan's widest."
    )
    rise: float = Field(0.25, ge=0, description="Most change of height between frames in metres.")
    still: float = Field(0.01, ge=0, description="A forward action that moves less, in metres, was stuck.")
    stuck: Share = Field(0.3, ge=0, le=1, description="Most forward actions that were stuck.")
    acted: Share = Field(0.9, ge=0, le=1, description="Fewest actions that did what they say.")


class WorldThresholds(Frozen):
    """Bounds on the agreement of neighbouring frames with each other and of what is seen with the scene."""

    near: float = Field(0.03, gt=0, description="Depths that differ by less, in metres, are equal.")
    share: Share = Field(0.02, gt=0, description="Depths that differ by less than this share of them are equal.")
    depth: Share = Field(0.975, ge=0, le=1, description="Fewest carried points whose depth the next frame confirms.")
    through: Share = Field(0.01, ge=0, le=1, description="Most carried points behind which the next frame looks.")
    labels: Share = Field(0.94, ge=0, le=1, description="Fewest confirmed points that keep their object.")
    light: float = Field(
        0.4, ge=0, description="Most change of light along carried points, as a share of that on the spot."
    )
    unsteady: float = Field(
        0.128, gt=0, description="Most change of light along carried points from one frame to the next, in contrasts."
    )
    leap: float = Field(0.45, gt=0, description="The same for the worst two neighbours of a walk.")
    shift: float = Field(0.0, description="Most that pictures one frame earlier or later may fit better.")
    slack: float = Field(0.08, ge=0, description="A point this near to its object's box, in metres, lies in it.")
    in_place: Share = Field(0.96, ge=0, le=1, description="Fewest points that lie in the box of their object.")
    at_home: Share = Field(0.9, ge=0, le=1, description="Fewest objects of a scene in the room that they are told in.")


class StoryThresholds(Frozen):
    """Bounds on instructions and on the shape of a walk under its stratum."""

    words: tuple[int, int] = Field((2, 150), description="Fewest and most words of an instruction.")
    grounded: Share = Field(0.9, ge=0, le=1, description="Fewest named things and rooms that the walk has seen.")
    spin: float = Field(200.0, gt=0, description="`look_around` turns so many degrees on the spot, others do not.")
    spun: Share = Field(
        0.5, gt=0, le=1, description="In short walks it is enough that so many of the frames are turns."
    )
    back: float = Field(
        0.45, gt=0, description="`revisit` and `loop` end so near to their start, in metres; others do not."
    )
    retraced: tuple[float, float] = Field(
        (0.05, 0.65),
        description="Metres between the way back and the way out, on average: least of `loop`, most of `revisit`.",
    )
    manner: float = Field(
        -4.0, description="Least log likelihood ratio of an instruction's words under its stratum over any other."
    )
    familiar: Share = Field(0.6, ge=0, le=1, description="Fewest pairs of words in it that other instructions use.")
    reached: Share = Field(
        0.9, ge=0, le=1, description="Fewest named things that the walk comes near, and named rooms that it enters."
    )


class LikenessThresholds(Frozen):
    """How much walks may look alike, by perceptual hashes of their frames."""

    copy_of: Share = Field(0.35, ge=0, le=1, description="Most views that another walk of the same splits shows too.")
    leak: Share = Field(0.3, ge=0, le=1, description="Most views that a walk of another split shows too.")


class GateThresholds(Frozen):
    """What the dataset as a whole must be to be trained on."""

    rejected: Share = Field(0.2, ge=0, le=1, description="Most episodes that may be rejected.")
    episodes: int = Field(1, ge=1, description="Fewest accepted episodes of each split that the plan asks for.")
    balance: Share = Field(0.25, ge=0, le=1, description="A stratum this far from its planned share gives a warning.")


class Thresholds(Frozen):
    """All thresholds. An episode outside one is rejected, unless its check only warns (tasks/validate/checks.py)."""

    pictures: PictureThresholds = PictureThresholds()
    poses: PoseThresholds = PoseThresholds()
    world: WorldThresholds = WorldThresholds()
    story: StoryThresholds = StoryThresholds()
    likeness: LikenessThresholds = LikenessThresholds()
    gate: GateThresholds = GateThresholds()


class ValidateSpec(StageSpec):
    """`python -m tasks.validate`: gives {"dataset": ...}, the accepted part of a collected dataset."""

    task: ClassVar[str] = "validate"

    stage: Literal["validate"] = "validate"
    dataset: ManifestId
    thresholds: Thresholds = Thresholds()
    workers: int = free(2, ge=1, le=256, description="Processes that measure side by side.")
