"""Predictions on disk: videos one by one or in a batch, and recorded episodes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.errors import BacksightError, UsageError
from tasks.predict.networks import Opened
from tasks.predict.settings import PredictSettings
from tasks.progress import open_progress

if TYPE_CHECKING:
    from model.recall import Recall


@dataclass(frozen=True)
class Outcome:
    """What came of one video or episode."""

    source: str
    folder: Path
    answer: Recall | None = None
    error: str | None = None
    """A sentence, where there is no answer."""


def predict_videos(
    opened: Opened, videos: Sequence[Path], out: Path, settings: PredictSettings, batch: bool
) -> list[Outcome]:
    """One folder an answer: `out` itself, or for a batch `out/<name of the video>`.

    In a batch, a video that cannot be used is told in its outcome and the others go on. Raises `UsageError` for a wish
    that no video could meet.
    """
    from model.recall import Wish, checked

    checked(opened.predictor, Wish(settings.instruction or "", settings.algorithm, settings.keyframes))
    if not batch:
        return [predict_video(opened, videos[0], out, settings)]
    outcomes = []
    for video, folder in zip(videos, folders(videos, out), strict=True):
        try:
            outcomes.append(predict_video(opened, video, folder, settings))
        except BacksightError as error:
            outcomes.append(Outcome(str(video), folder, error=str(error)))
    return outcomes


def predict_video(opened: Opened, video: Path, folder: Path, settings: PredictSettings) -> Outcome:
    """Decode, recall, write."""
    from model.answer_files import check_free
    from model.recall import recall_video
    from model.video import promised_frames

    check_free(folder)
    total = promised_frames(video) if settings.frame is None else settings.frame + 1
    with open_progress().track(f"decode {video.name}", total, "frames") as track:
        answer = recall_video(
            opened.predictor,
            video,
            settings.instruction or "",
            algorithm=settings.algorithm,
            keyframes=settings.keyframes,
            frame=settings.frame,
            fit=settings.fit,
            candidates=settings.candidates,
            each=track.advance,
        )
    return written(opened, str(video), answer, folder)


def predict_episode(opened: Opened, episode: str, dataset: str | None, out: Path, settings: PredictSettings) -> Outcome:
    """The same of a recorded episode, with its sensors."""
    from model.answer_files import check_free
    from tasks.predict.episode import recall_episode
    from tasks.view.episode import read_episode
    from tasks.view.source import open_source

    check_free(out)
    recorded = read_episode(open_source(dataset), episode)
    return written(opened, episode, recall_episode(opened.predictor, recorded, settings), out)


def written(opened: Opened, source: str, answer: Recall, folder: Path) -> Outcome:
    """The answer's files, with what was asked of which model. Raises `BacksightError` where they cannot be written."""
    from model.answer_files import write_answer

    about: dict[str, Any] = {"source": source, "model": {"name": opened.name, **opened.about}}
    try:
        write_answer(answer, folder, about)
    except OSError as error:
        raise BacksightError(f"The answer cannot be written to {folder}: {error.strerror or error}.") from error
    return Outcome(source, folder, answer)


def folders(videos: Sequence[Path], out: Path) -> list[Path]:
    """A folder a video, no two the same: videos of the same name get numbers."""
    found: list[Path] = []
    for video in videos:
        names = (video.stem if number == 1 else f"{video.stem}-{number}" for number in count(1))
        found.append(next(out / name for name in names if out / name not in found))
    return found


def answer_folder(out: Path) -> Path:
    """`out`, or where it leads if it is a link. Raises `UsageError` where no folder can be made there."""
    there = next(place for place in (out, *out.absolute().parents) if place.exists())
    if not there.is_dir():
        raise UsageError(f"{there} is a file: name a folder with --out.")
    if not os.access(there, os.W_OK):
        raise UsageError(f"You may not write to {there}: name another folder with --out.")
    return out.resolve() if out.is_symlink() else out
