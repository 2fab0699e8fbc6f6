"""Which shard holds which walks in which scenes: follows from plan and seed alone, so shards can be made anywhere."""

from __future__ import annotations

from dataclasses import dataclass

from tasks.collect.given import GivenEpisode, chosen_episodes
from tasks.collect.seeds import generator, seed_of
from tasks.collect.spec import CollectPlan, HardView, Split, SplitPlan, Stratum
from tasks.errors import UsageError

LETTERS = {"homes": "b", "halls": "h", "duplexes": "d"}
"""Kind of procedural buildings -> the letter that its scenes' ids begin with."""


@dataclass(frozen=True)
class Errand:
    """One walk to record."""

    episode: str
    stratum: Stratum
    goal: tuple[float, float, float] | None = None
    """`hard`: where it shall lead, metres."""
    given: GivenEpisode | None = None
    """From an episode file: what is walked and told instead of something made up."""


@dataclass(frozen=True)
class Visit:
    """The walks of one scene within one shard."""

    scene: str
    errands: tuple[Errand, ...]


@dataclass(frozen=True)
class Shard:
    """What goes into one tar. A shard belongs to one split, so that nobody reads sealed walks by accident."""

    number: int
    split: Split
    visits: tuple[Visit, ...]

    @property
    def blob(self) -> str:
        """Name of its blob in the dataset."""
        return f"shards/{self.number:03d}.tar"

    @property
    def episodes(self) -> int:
        """Walks in it."""
        return sum(len(visit.errands) for visit in self.visits)


def scenes_of(plan: CollectPlan, seed: int, split: Split) -> list[str]:
    """Scene ids of a split; no scene is in two splits but val_seen's, which are the first of train."""
    count = plan.split(split).scenes
    if split is Split.VAL_SEEN:
        return scenes_of(plan, seed, Split.TRAIN)[:count]
    if plan.scene_list:
        return listed_scenes(plan, split)
    base = seed if split is Split.TRAIN else plan.held_out_seed
    # The split is part of the seed's last digit: two splits can never draw the same building.
    digit = {Split.TRAIN: 0, Split.VAL_UNSEEN: 1, Split.SEALED: 2}[split]
    letter = LETTERS[plan.buildings]
    return [f"{letter}{seed_of('scene', base, split, i) // 10 * 10 + digit}" for i in range(count)]


def listed_scenes(plan: CollectPlan, split: Split) -> list[str]:
    """The scene list, dealt out in order: train, val_unseen, sealed. Raises UsageError when it is too short."""
    needed = plan.train.scenes + plan.val_unseen.scenes + plan.sealed.scenes
    if len(plan.scene_list) < needed:
        raise UsageError(
            f"collect.scene_list has {len(plan.scene_list)} scenes, the splits ask for {needed}: name more there, or "
            "ask for fewer with collect.<split>.scenes."
        )
    first = {
        Split.TRAIN: 0,
        Split.VAL_UNSEEN: plan.train.scenes,
        Split.SEALED: plan.train.scenes + plan.val_unseen.scenes,
    }
    return list(plan.scene_list[first[split] : first[split] + plan.split(split).scenes])


def shards_of(plan: CollectPlan, seed: int) -> list[Shard]:
    """All shards of a dataset in order. Raises UsageError for hard views outside the training scenes."""
    groups: list[tuple[Split, tuple[Visit, ...]]] = []
    if plan.episode_files:
        check_scenes(plan)
    for split in Split:
        visits = given_visits(plan, split) if plan.episode_files else visits_of(plan, seed, split)
        size = plan.scenes_per_shard
        groups += [(split, tuple(visits[i : i + size])) for i in range(0, len(visits), size)]
    return [Shard(number, split, visits) for number, (split, visits) in enumerate(groups)]


def visits_of(plan: CollectPlan, seed: int, split: Split) -> list[Visit]:
    """The scenes of a split with their walks; hard walks follow in visits of their own."""
    part = plan.split(split)
    base = seed if split in (Split.TRAIN, Split.VAL_SEEN) else plan.held_out_seed
    usual = plan.strata | {Stratum.HARD: 0.0}
    visits = []
    for scene in scenes_of(plan, seed, split) if any(usual.values()) else ():
        names = [f"{slug(scene)}-{split.value}-{k}" for k in range(part.episodes)]
        visits.append(Visit(scene, tuple(Errand(name, stratum_of(usual, base, name)) for name in names)))
    return visits + (hard_visits(plan, seed, part) if split is Split.TRAIN else [])


def given_visits(plan: CollectPlan, split: Split) -> list[Visit]:
    """A split's scenes and walks as its episode file has them, in the file's order, up to the split's numbers."""
    if split not in plan.episode_files:
        return []
    source, part = plan.episode_files[split], plan.split(split)
    by_scene: dict[str, list[Errand]] = {}
    for episode in chosen_episodes(source):
        scene = source.scene(episode.scene)
        errands = by_scene.setdefault(scene, [])
        errands.append(Errand(f"{slug(scene)}-{split.value}-{slug(episode.id)}", Stratum.FORWARD, given=episode))
    return [Visit(scene, tuple(errands[: part.episodes])) for scene, errands in list(by_scene.items())[: part.scenes]]


def check_scenes(plan: CollectPlan) -> None:
    """Raise UsageError where a scene of one split's file is also in another's (but val_seen's, which are train's)."""
    splits = [split for split in Split if split in plan.episode_files and split is not Split.VAL_SEEN]
    known: dict[str, Split] = {}
    for split in splits:
        for visit in given_visits(plan, split):
            if (other := known.setdefault(visit.scene, split)) is not split:
                raise UsageError(
                    f"collect.episode_files: the scene {visit.scene} is in {other.value} and in {split.value}; what is "
                    "measured must not be trained on."
                )


def slug(scene: str) -> str:
    """A scene's name as it may stand in an episode's id: no dots, no slashes; of a path, file name and digest."""
    name = scene.rsplit("/", 1)[-1].split(".", 1)[0]
    plain = "".join(c if c.isalnum() else "_" for c in name)
    return plain if plain == scene else f"{plain[:40]}_{seed_of('scene name', scene):08x}"


def stratum_of(shares: dict[Stratum, float], seed: int, episode: str) -> Stratum:
    """The stratum that chance gives an episode."""
    names = sorted(shares)
    total = sum(shares.values())
    return names[int(generator("stratum", seed, episode).choice(len(names), p=[shares[n] / total for n in names]))]


def hard_visits(plan: CollectPlan, seed: int, part: SplitPlan) -> list[Visit]:
    """Hard walks beside the usual ones, so many that all of them together have their share; led to views by weight."""
    usual, hard = part.scenes * part.episodes, plan.strata.get(Stratum.HARD, 0.0)
    others = sum(plan.strata.values()) - hard
    count = round(usual * hard / others) if others > 0 else usual
    if count == 0 or not plan.hard:
        # A plan whose views are still to be mined (`tasks.collect.mining`) has none yet.
        return []
    known = set(scenes_of(plan, seed, Split.TRAIN))
    foreign = sorted(view.scene for view in plan.hard if view.scene not in known and not for_training(view.scene))
    if foreign:
        raise UsageError(
            f"collect.hard names {foreign[0]!r}, which is no training scene of this plan and seed: "
            "held-out scenes must not be trained on."
        )
    weights = [view.weight for view in plan.hard]
    rng = generator("hard", seed)
    drawn = rng.choice(len(plan.hard), size=count, p=[w / sum(weights) for w in weights])
    return [hard_visit(plan.hard[int(i)], k) for k, i in enumerate(drawn)]


def for_training(scene: str) -> bool:
    """Whether a procedural building belongs to the training split of some night: its last digit says so."""
    return scene[:1] in LETTERS.values() and scene[1:].isdigit() and scene.endswith("0")


def hard_visit(view: HardView, number: int) -> Visit:
    """One hard walk."""
    return Visit(view.scene, (Errand(f"{slug(view.scene)}-hard-{number}", Stratum.HARD, view.position),))
