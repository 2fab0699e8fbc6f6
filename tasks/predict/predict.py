"""Predictions on disk: videos one by one or in a batch, and recorded episodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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

    In a batch, a video that cannot be used is told in its outcome and the others go on.
    """
    if settings.instruction is None:
        raise UsageError("No instruction is given: say where to go, as in --instruction 'walk past the sofa'.")
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
    """The answer's files, with what was asked of which model."""
    from model.answer_files import write_answer

    about: dict[str, Any] = {"source": source, "model": {"name": opened.name, **opened.about}}
    write_answer(answer, folder, about)
    return Outcome(source, folder, answer)


def folders(videos: Sequence[Path], out: Path) -> list[Path]:
    """A folder a video; videos of the same name get numbers."""
    taken: dict[str, int] = {}
    found = []
    for video in videos:
        taken[video.stem] = number = taken.get(video.stem, 0) + 1
        found.append(out / (video.stem if number == 1 else f"{video.stem}-{number}"))
    return found
