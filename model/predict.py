"""A checkpoint that answers: what evaluation, the model registry and robots call."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from model.batch import Prediction, Text, Views
from model.config import NetworkConfig
from model.errors import DataError, UsageError
from model.memory import enough_memory
from model.placement import checked_device, device_of
from model.spatial_mllm import SpatialMLLM
from model.tokenizer import Tokenizer
from model.training.checkpoint import NAMES, CheckpointFiles, load_network

if TYPE_CHECKING:
    from model.recall import Recall

Arrays = dict[str, NDArray[np.float32]]


class Predictor:
    """A network in eval() with its tokenizer."""

    def __init__(self, network: SpatialMLLM, tokenizer: Tokenizer) -> None:
        self.network = network.eval()
        self.tokenizer = tokenizer

    @classmethod
    def load(cls, files: CheckpointFiles, device: str | None = None, unload_language: bool = False) -> Self:
        """From a checkpoint's files, onto `device` (default: the GPU where there is one) and its config's placement.

        With `unload_language` the language model rests in the host's memory and is brought to its device for each
        call: the other parts then have that memory to themselves while they work.

        Raises `DataError` for files that are no checkpoint of this program, or damaged; `UsageError` for a device that
        this machine does not have; `BacksightError` where the network does not fit into its memory.
        """
        target = checked_device(device or ("cuda" if torch.cuda.is_available() else "cpu"), "--device")
        network, tokenizer = load_network(files)
        with enough_memory(target, "use --unload-llm, another --device, or place the parts with network.devices"):
            if unload_language:
                network.language.on_demand = torch.device(network.config.devices.language or target)
            for name, part in network.named_children():
                if name != "language" or not unload_language:
                    part.to(target)
            network.place()
            if unload_language:
                network.language.unload()
        return cls(network, tokenizer)

    @classmethod
    def open(cls, folder: str | Path, device: str | None = None, unload_language: bool = False) -> Self:
        """From the folder of a checkpoint; see `load`. `UsageError` where there is none."""
        path = Path(folder)
        if not path.is_dir():
            raise UsageError(f"There is no folder {path}: name a checkpoint's folder, with {NAMES['config']} in it.")
        if not (path / NAMES["config"]).is_file():
            raise DataError(f"{path} holds no {NAMES['config']}: it is no checkpoint of this program.")
        return cls.load(CheckpointFiles.inside(path), device, unload_language)

    def video(self, path: str | Path, instruction: str, **options: object) -> Recall:
        """What the network says of a video's last frame; the options are those of `model.recall.recall_video`."""
        from model.recall import recall_video

        return recall_video(self, Path(path), instruction, **options)  # type: ignore[arg-type]

    @property
    def config(self) -> NetworkConfig:
        """The network's sizes."""
        return self.network.config

    def predict(self, views: Views, text: Text) -> Prediction:
        """The network's answer to a batch, on the CPU in float32, without gradients."""
        device = device_of(self.network)
        with torch.inference_mode():
            return self.network(views.to(device), text.to(device)).to("cpu")

    def answer(
        self, rgb: ArrayLike, depth: ArrayLike, pose: ArrayLike, intrinsics: ArrayLike, instruction: Sequence[str]
    ) -> Arrays:
        """Heatmaps for B items of up to K keyframes, oldest first, and the current view last.

        Args:
            rgb: [B, S, H, W, 3] uint8, H = W = the network's image size.
            depth: [B, S, H, W] z-depth in metres; 0 = unknown.
            pose: [B, S, 4, 4] camera-to-world, OpenCV camera (x right, y down, z forward), metres.
            intrinsics: [B, S, 3, 3] in pixels, pixel centres at +0.5.
            instruction: B texts.

        Returns:
            `heatmap` [B, S - 1, G, G] and `none` [B, S - 1], together a distribution for each keyframe; `goal`
            [B, G, G] and `goal_none` [B] the same for the next waypoint; `turn` [B, 3] left, right, around.

        Raises:
            UsageError: shapes that the network does not take.
        """
        shown = np.asarray(rgb)
        views = self._views(shown, depth, pose, intrinsics)
        text = self.tokenizer.encode(list(instruction), self.config.language.text_length)
        said = self.predict(views, text)
        maps = said.logits.float().softmax(dim=-1).numpy()
        grid, keyframes = self.config.grid, shown.shape[1] - 1
        cells, none = maps[..., :-1].reshape(*maps.shape[:2], grid, grid), maps[..., -1]
        return {
            "heatmap": cells[:, :keyframes],
            "none": none[:, :keyframes],
            "goal": cells[:, -1],
            "goal_none": none[:, -1],
            "turn": said.turn.float().softmax(dim=-1).numpy(),
        }

    def _views(self, rgb: NDArray, depth: ArrayLike, pose: ArrayLike, intrinsics: ArrayLike) -> Views:
        side, slots = self.config.image_size, self.config.keyframes
        if rgb.ndim != 5 or rgb.shape[2:] != (side, side, 3):
            raise UsageError(f"rgb has the shape {rgb.shape}, but this network takes [B, S, {side}, {side}, 3].")
        count, shown = rgb.shape[:2]
        if not 2 <= shown <= slots + 1:
            raise UsageError(f"{shown} views were given, but this network takes 1 to {slots} keyframes and a view.")
        given = Views(
            rgb=torch.from_numpy(rgb.astype(np.float32) / 255).permute(0, 1, 4, 2, 3),
            depth=torch.from_numpy(np.array(depth, np.float32)),
            pose=torch.from_numpy(np.array(pose, np.float32)),
            intrinsics=torch.from_numpy(np.array(intrinsics, np.float32)),
            valid=torch.ones(count, shown, dtype=torch.bool),
        )
        return self.filled(given)

    def filled(self, views: Views) -> Views:
        """The views with empty keyframes up to the network's number."""
        return padded(views, self.config.keyframes + 1 - views.rgb.shape[1])


def padded(views: Views, missing: int) -> Views:
    """The views with `missing` empty keyframes before the current view; their cameras repeat the current one's."""

    def fill(name: str, part: torch.Tensor) -> torch.Tensor:
        blank = part[:, -1:].expand(-1, missing, *part.shape[2:])
        if name not in ("pose", "intrinsics"):
            blank = torch.zeros_like(blank)
        return torch.cat([part[:, :-1], blank, part[:, -1:]], dim=1)

    return Views(**{name: fill(name, part) for name, part in vars(views).items()})
