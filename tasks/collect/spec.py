"""What collection is asked to do: scenes per split, walks per scene, camera bounds, strata."""

from __future__ import annotations

import hashlib
from enum import StrEnum
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from tasks.spec import Frozen, ManifestId, StageSpec, free

Count = Annotated[int, Field(ge=0, le=1_000_000)]
Bounds = tuple[float, float]


class Stratum(StrEnum):
    """The manner in which an episode is walked; `tasks.collect.strata` has one function each."""

    FORWARD = "forward"
    LOOK_AROUND = "look_around"
    REVISIT = "revisit"
    LOOP = "loop"
    HARD = "hard"


class Split(StrEnum):
    """Splits are by scene, but `val_seen`: other walks in scenes of `train`."""

    TRAIN = "train"
    VAL_SEEN = "val_seen"
    VAL_UNSEEN = "val_unseen"
    SEALED = "sealed"


class SplitPlan(Frozen):
    """How many scenes a split has and how many walks are recorded in each."""

    scenes: Count = Field(description="Number of buildings.")
    episodes: Annotated[int, Field(ge=1, le=1000)] = Field(2, description="Walks recorded in each building.")


class HardView(Frozen):
    """A view on which the champion failed: walks of stratum `hard` lead to it."""

    scene: str = Field(description="Scene id; it must belong to the training split of the plan.")
    position: tuple[float, float, float] = Field(description="Where the camera's foot stood: x, y, z in metres.")
    weight: float = Field(1.0, gt=0, description="Relative frequency among hard walks.")


class EpisodeFile(Frozen):
    """A public episode file (R2R-CE, RxR-CE, or our own) whose instructions and paths are walked in place of generated
    ones."""

    path: str = Field(description="The file: .json.gz or .json.")
    sha256: str | None = Field(None, description="Digest of the file; left out, that of the file as it is now.")
    scenes_dir: str = Field("", description="Folder that scene ids of the file are relative to.")
    scenes: dict[str, str] = Field(
        default_factory=dict, description="Scene id of the file -> scene of the simulator; other scenes are left out."
    )
    languages: tuple[str, ...] = Field((), description="RxR: languages that are walked (en-US, hi-IN); empty = all.")
    roles: tuple[Literal["guide", "follower"], ...] = Field((), description="RxR: roles that are walked; empty = all.")

    @model_validator(mode="after")
    def pin(self) -> Self:
        """Tie the plan to the file's content, so that a changed file is other work."""
        if self.sha256 is None and (file := Path(self.path)).is_file():
            object.__setattr__(self, "sha256", hashlib.sha256(file.read_bytes()).hexdigest())
        return self

    def scene(self, name: str) -> str:
        """The simulator's name for a scene of the file."""
        plain = name.removeprefix("data/scene_datasets/") if self.scenes_dir else name
        return self.scenes.get(name) or str(Path(self.scenes_dir) / plain)


class CollectPlan(Frozen):
    """The section `collect` of a preset. Two equal plans under one seed give the same bytes."""

    simulator: Literal["embedded", "habitat"] = Field("embedded", description="Which simulator renders and navigates.")
    scene_dataset: str | None = Field(None, description="habitat: path of the scene_dataset_config.json.")
    scene_list: tuple[str, ...] = Field(
        (),
        description="Scenes instead of procedural ones (habitat: handles; embedded: exported stage configs), "
        "dealt out in order: train, val_unseen, sealed.",
    )
    episode_files: dict[Split, EpisodeFile] = Field(
        default_factory=dict,
        description="Public episode files by split, walked in place of generated episodes; `scenes` and `episodes` of "
        "a split say how many at most, and a split without a file has none.",
    )
    train: SplitPlan = Field(default_factory=lambda: SplitPlan(scenes=120, episodes=2))
    val_seen: SplitPlan = Field(
        default_factory=lambda: SplitPlan(scenes=12, episodes=1),
        description="Other walks in the first scenes of train.",
    )
    val_unseen: SplitPlan = Field(default_factory=lambda: SplitPlan(scenes=24, episodes=2))
    sealed: SplitPlan = Field(default_factory=lambda: SplitPlan(scenes=8, episodes=2))
    held_out_seed: int = Field(
        0,
        ge=0,
        lt=2**31,
        description="Buildings of val_unseen and sealed follow from it alone, so that nights compare.",
    )
    rooms: tuple[int, int] = Field((4, 10), description="Fewest and most rooms of a procedural building.")
    buildings: Literal["homes", "halls", "duplexes"] = Field(
        "homes",
        description="Kind of procedural buildings; halls are larger, higher, darker, of concrete and brick; duplexes "
        "are homes on two floors with stairs.",
    )
    steps: int = Field(32, ge=8, le=1000, description="Most frames of a walk; walks end with `stop`.")
    size: tuple[int, int] = Field((64, 64), description="Width and height of a frame in pixels.")
    strata: dict[Stratum, float] = Field(
        default_factory=lambda: {
            Stratum.FORWARD: 0.55,
            Stratum.LOOK_AROUND: 0.15,
            Stratum.REVISIT: 0.15,
            Stratum.LOOP: 0.15,
        },
        description="Relative shares of the strata; walks of `hard` come on top of the scenes' own `episodes`.",
    )
    hard: tuple[HardView, ...] = Field((), description="Views for stratum `hard`.")
    mined_from: ManifestId | None = Field(None, description="Evaluation on val_seen whose worst views are hard ones.")
    mined_scenes: int = Field(8, ge=1, le=10_000, description="Worst scenes of that evaluation that are taken.")
    mined_views: int = Field(3, ge=1, le=1000, description="Worst views in each of them.")
    hfov: Bounds = Field((75.0, 95.0), description="Horizontal field of view in degrees, drawn per walk.")
    height: Bounds = Field((1.1, 1.6), description="Camera height above the floor in metres, drawn per walk.")
    pitch: Bounds = Field((-15.0, 5.0), description="Camera pitch in degrees (up is positive), drawn per walk.")
    turns: tuple[float, ...] = Field(
        (15.0, 22.5, 30.0), description="Angles of one turn in degrees, one drawn per walk."
    )
    forward_step: float = Field(0.25, gt=0.05, le=1.0, description="Length of one step forward in metres.")
    styles: tuple[Literal["plain", "terse", "rich"], ...] = Field(
        ("plain", "terse", "rich"), description="Phrasings of instructions, one drawn per walk."
    )
    scenes_per_shard: int = Field(6, ge=1, le=1000, description="Scenes whose walks share one tar.")
    most_bad_scenes: float = Field(
        0.1, ge=0, le=1, description="Share of unusable scenes above which collection fails."
    )

    @field_validator("size")
    @classmethod
    def size_is_drawable(cls, size: tuple[int, int]) -> tuple[int, int]:
        """Frames of 16 to 2048 pixels a side."""
        if not all(16 <= side <= 2048 for side in size):
            raise ValueError(f"size {size[0]}x{size[1]} must lie between 16x16 and 2048x2048 pixels")
        return size

    @field_validator("strata")
    @classmethod
    def strata_are_shares(cls, strata: dict[Stratum, float]) -> dict[Stratum, float]:
        """No negative share, and at least one positive."""
        if any(share < 0 for share in strata.values()) or sum(strata.values()) <= 0:
            raise ValueError("strata must be shares >= 0 with a positive sum")
        return strata

    @model_validator(mode="after")
    def files_name_the_splits(self) -> Self:
        """With episode files, a split without one has no walks; everything else would be asked for in vain."""
        for split in Split if self.episode_files else ():
            if split not in self.episode_files and self.split(split).scenes:
                object.__setattr__(self, split.value, self.split(split).model_copy(update={"scenes": 0}))
        return self

    @model_validator(mode="after")
    def bounds_are_ordered(self) -> Self:
        """Each pair is (least, most) and within what a camera and a building can be."""
        limits = {"hfov": (20.0, 140.0), "height": (0.2, 2.0), "pitch": (-60.0, 60.0), "rooms": (4, 20)}
        for name, (least, most) in limits.items():
            low, high = getattr(self, name)
            if not least <= low <= high <= most:
                raise ValueError(f"{name} {low}..{high} must be ordered and lie within {least}..{most}")
        if not self.turns or not all(5.0 <= turn <= 90.0 for turn in self.turns):
            raise ValueError("turns must name at least one angle, each within 5..90 degrees")
        if not self.styles:
            raise ValueError("styles must name at least one phrasing")
        if self.val_seen.scenes > self.train.scenes and not self.episode_files:
            raise ValueError(f"val_seen.scenes {self.val_seen.scenes} exceeds train.scenes {self.train.scenes}")
        if self.strata.get(Stratum.HARD, 0) > 0 and not self.hard and self.mined_from is None:
            raise ValueError("strata.hard is positive but `hard` lists no views")
        if self.simulator == "habitat" and not self.scene_list and not self.episode_files:
            raise ValueError("simulator habitat needs scene_list or episode_files (and usually scene_dataset)")
        return self

    def split(self, split: Split) -> SplitPlan:
        """The plan of one split."""
        plans = {
            Split.TRAIN: self.train,
            Split.VAL_SEEN: self.val_seen,
            Split.VAL_UNSEEN: self.val_unseen,
            Split.SEALED: self.sealed,
        }
        return plans[split]

    @property
    def episodes(self) -> int:
        """Walks in all splits together."""
        return sum(self.split(split).scenes * self.split(split).episodes for split in Split)


class CollectSpec(StageSpec):
    """`python -m tasks.collect`: gives {"dataset": ...}."""

    task: ClassVar[str] = "collect"

    stage: Literal["collect"] = "collect"
    plan: CollectPlan = Field(default_factory=CollectPlan)
    workers: int = free(
        2, ge=1, le=256, description="Processes that collect side by side, each with its own GL context."
    )
