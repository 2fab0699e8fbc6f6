"""Episode files as a dataset of habitat-lab: what its own R2R loader cannot read (RxR, chosen scenes). Import after
`lab.prepare()`."""

from __future__ import annotations

from habitat.core.dataset import Dataset
from habitat.tasks.nav.nav import NavigationGoal
from habitat.tasks.vln.vln import InstructionData, VLNEpisode

from tasks.collect.camera import yaw_quaternion
from tasks.collect.given import GivenEpisode, chosen_episodes
from tasks.collect.spec import EpisodeFile


class GivenDataset(Dataset):
    """The episodes that a plan would walk, in the file's order."""

    def __init__(self, source: EpisodeFile) -> None:
        self.episodes = [episode_of(source, number, given) for number, given in enumerate(chosen_episodes(source))]


def episode_of(source: EpisodeFile, number: int, given: GivenEpisode) -> VLNEpisode:
    """One episode as habitat-lab's VLN task takes it."""
    return VLNEpisode(
        episode_id=given.id,
        trajectory_id=number,
        scene_id=source.scene(given.scene),
        start_position=list(given.start),
        start_rotation=yaw_quaternion(given.heading),
        goals=[NavigationGoal(position=list(given.goal), radius=given.radius)],
        reference_path=[list(point) for point in given.path],
        instruction=InstructionData(given.text),
        info={"language": given.language, "role": given.role},
    )
