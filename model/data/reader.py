"""From planned views to a batch: decodes frames, tokenises texts, computes the targets. Runs in loader processes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.batch import Batch, Views
from model.config import NetworkConfig
from model.data.frames import Frame, FrameReader
from model.data.questions import Question, ask
from model.data.views import View
from model.data.walks import WalkDataset
from model.labels import FuturePath, ThingMask, build_targets, floor_path
from model.tokenizer import Tokenizer

Goal = Literal["path", "thing"]
"""What the text and the goal target are about: the instruction and the way ahead, or a question and a thing in view."""

NOTHING = "Where is nothing?"
"""Asked where a view shows nothing of a known category; its goal is not valid."""


class ViewReader:
    """Makes batches of a dataset's views in the shape that a network takes."""

    def __init__(
        self,
        dataset: WalkDataset,
        network: NetworkConfig,
        tokenizer: Tokenizer,
        goal: Goal = "path",
        seed: int = 0,
        foreign: float = 0.0,
    ) -> None:
        """`foreign`: share of the items that are told the instruction of a walk in another building of their split.

        Nothing of the way ahead follows from it, so their goal is not valid; where earlier places lie stays the same.
        """
        self.dataset = dataset
        self.network = network
        self.tokenizer = tokenizer
        self.goal = goal
        self.seed = seed
        self.foreign = foreign
        self.frames = FrameReader(dataset, network.image_size)

    def batch(self, views: Sequence[View]) -> Batch:
        """The views as one batch on the CPU; keyframes are padded to the network's number, at the end."""
        current = [self.frames.read(view.current) for view in views]
        stacked = self._stack(views)
        text, goal = self._instructions(views) if self.goal == "path" else self._questions(views, current)
        return Batch(
            views=stacked,
            text=self.tokenizer.encode(text, self.network.language.text_length),
            targets=build_targets(stacked, self.network.grid, self.network.patches, goal),
            successor=_successors(views),
            row=torch.tensor([view.row for view in views]),
        )

    def _stack(self, views: Sequence[View]) -> Views:
        slots = self.network.keyframes
        rows = np.array([[*v.keyframes, *[-1] * (slots - len(v.keyframes)), v.current] for v in views])
        valid = rows >= 0
        # Padding repeats the current view's camera, so that no step divides by a focal length of zero.
        rows = np.where(valid, rows, rows[:, -1:])
        frames = {row: self.frames.read(row) for row in np.unique(rows).tolist()}
        place = {row: number for number, row in enumerate(frames)}
        pick = np.vectorize(place.__getitem__)(rows)
        shown = torch.from_numpy(valid)
        rgb = torch.from_numpy(np.stack([f.rgb for f in frames.values()])[pick]).permute(0, 1, 4, 2, 3) / 255.0
        depth = torch.from_numpy(np.stack([f.depth for f in frames.values()])[pick])
        return Views(
            rgb=rgb * shown[..., None, None, None],
            depth=depth * shown[..., None, None],
            pose=_float(self.dataset.pose[rows]),
            intrinsics=_float(np.stack([f.intrinsics for f in frames.values()])[pick]),
            valid=shown,
        )

    def _instructions(self, views: Sequence[View]) -> tuple[list[str], FuturePath]:
        walks = [self.dataset.walk[view.current] for view in views]
        ahead = [np.arange(v.current + 1, self.dataset.walks[w].stop) for v, w in zip(views, walks, strict=True)]
        longest = max(1, *(len(rows) for rows in ahead))
        rows = np.stack(
            [np.pad(a, (0, longest - len(a)), constant_values=v.current) for a, v in zip(ahead, views, strict=True)]
        )
        told = [self._told(view, walk) for view, walk in zip(views, walks, strict=True)]
        lengths = torch.tensor([len(a) if t == w else 0 for a, t, w in zip(ahead, told, walks, strict=True)])
        height = torch.from_numpy(self.dataset.camera_height[walks])
        points = floor_path(torch.from_numpy(self.dataset.pose[rows]), height[:, None])
        text = [self.dataset.walks[w].instruction for w in told]
        return text, FuturePath(points.float(), torch.arange(longest) < lengths[:, None], height.float())

    def _told(self, view: View, own: int) -> int:
        """The walk whose instruction a view is told: its own, or one of another building."""
        if self.foreign == 0:
            return own
        draw = np.random.default_rng([self.seed, 2, view.row])
        if draw.random() >= self.foreign:
            return own
        split = self.dataset.split(self.dataset.walks[own].split)
        other = self.dataset.first_elsewhere(own, np.roll(split, -int(draw.integers(len(split)))).tolist())
        return own if other is None else other

    def _questions(self, views: Sequence[View], current: Sequence[Frame]) -> tuple[list[str], ThingMask]:
        asked = [self._ask(view, frame) for view, frame in zip(views, current, strict=True)]
        blank = np.zeros(current[0].semantic.shape, dtype=bool)
        masks = np.stack([blank if question is None else question.mask for question in asked])
        valid = torch.tensor([question is not None for question in asked])
        return [NOTHING if q is None else q.text for q in asked], ThingMask(torch.from_numpy(masks), valid)

    def _ask(self, view: View, frame: Frame) -> Question | None:
        scene = self.dataset.walks[self.dataset.walk[view.current]].scene
        return ask(frame.semantic, self.dataset.categories[scene], np.random.default_rng([self.seed, view.row]))


def _successors(views: Sequence[View]) -> Tensor:
    """[B] index of the item that shows the next frame with the same keyframes; -1 = none."""
    place = {(view.current, view.keyframes): number for number, view in enumerate(views)}
    return torch.tensor([place.get((view.current + 1, view.keyframes), -1) for view in views])


def _float(values: NDArray) -> Tensor:
    return torch.from_numpy(values.astype(np.float32))
