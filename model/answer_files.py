"""An answer on disk: an overlay a keyframe, a sheet, a video side by side, and all figures as JSON; all or nothing."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.errors import BacksightError, UsageError
from model.quiet import quiet_stderr
from model.recall import Recall, divergence_from_truth

RECORD = "prediction.json"
TURNS = ("left", "right", "around")
VIDEO, CODEC = "side-by-side.webm", "VP80"
"""VP8 in WebM: of what OpenCV can write, the quickest that browsers can play."""


def write_answer(answer: Recall, folder: Path, about: dict[str, Any] | None = None) -> list[Path]:
    """Write all files beside `folder`, then put them in its place at once.

    A folder that holds an earlier answer is replaced; a `UsageError` refuses one that holds anything else.
    """
    from model.draw.recall import keyframe_overlay, recall_sheet

    check_free(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as scratch:
        fresh = Path(scratch) / "answer"
        fresh.mkdir()
        for slot, moment in enumerate(answer.keyframes):
            keyframe_overlay(answer, slot).save(fresh / f"keyframe-{slot + 1}-frame-{moment.frame:06d}.png")
        recall_sheet(answer).save(fresh / "sheet.png")
        write_video(answer, fresh / VIDEO)
        (fresh / RECORD).write_text(json.dumps(record(answer) | (about or {}), indent=1, ensure_ascii=False))
        shutil.rmtree(folder, ignore_errors=True)
        fresh.rename(folder)
    return sorted(folder.iterdir())


def check_free(folder: Path) -> None:
    """Raise `UsageError` unless an answer may take this folder's place."""
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file: name a folder with --out.")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / RECORD).is_file():
        raise UsageError(f"{folder} holds other things: name a new folder with --out.")


def write_video(answer: Recall, path: Path) -> None:
    """The film and the maps side by side. Raises `BacksightError` where OpenCV cannot write it."""
    import cv2

    from model.draw.recall import side_by_side, video_rate

    writer = None
    for frame in side_by_side(answer):
        if writer is None:
            size = (frame.shape[1], frame.shape[0])
            with quiet_stderr():
                writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*CODEC), video_rate(answer), size)
            if not writer.isOpened():
                raise BacksightError(
                    f"OpenCV cannot write {CODEC} to {path}: install opencv-python-headless from PyPI."
                )
        writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    assert writer is not None
    writer.release()


def record(answer: Recall) -> dict[str, Any]:
    """All that an answer says, as plain data."""
    framing, grid = answer.framing, answer.maps.shape[-1]
    losses = None if answer.truth is None else divergence_from_truth(answer)
    keyframes = [
        {
            "frame": moment.frame,
            "seconds": round(moment.seconds, 3),
            "visible": rounded(1 - answer.none[slot]),
            "none": rounded(answer.none[slot]),
            "peak": peak(answer, answer.maps[slot]),
            "map": rounded(answer.maps[slot]),
            "classes": answer.classes[slot].tolist(),
            **({} if losses is None else {"kld": round(losses[slot], 4)}),
        }
        for slot, moment in enumerate(answer.keyframes)
    ]
    return {
        "instruction": answer.wish.instruction,
        "algorithm": answer.wish.algorithm,
        "geometry": answer.geometry,
        "size": [framing.width, framing.height],
        "square": {"left": framing.left, "top": framing.top, "side": framing.side},
        "grid": grid,
        "current": {"frame": answer.current.frame, "seconds": round(answer.current.seconds, 3)},
        "keyframes": keyframes,
        "goal": {"map": rounded(answer.goal), "none": rounded(answer.goal_none), "peak": peak(answer, answer.goal)},
        "turn": {name: rounded(value) for name, value in zip(TURNS, answer.turn, strict=True)},
        "candidates": len(answer.footage.past),
        "seconds": {step: round(value, 4) for step, value in answer.seconds.items()},
        "memory_gb": {device: round(value, 3) for device, value in answer.memory.items()},
        "notes": list(answer.notes),
    }


def peak(answer: Recall, cells: NDArray[np.float64]) -> list[float]:
    """(x, y) in pixels of the whole picture of a map's likeliest cell."""
    row, column = divmod(int(cells.argmax()), cells.shape[1])
    return [round(value, 1) for value in answer.framing.centre_of(row, column, cells.shape[1])]


def rounded(values: NDArray[np.float64] | float) -> Any:
    """Six digits after the point say all that a float32 probability does."""
    return np.round(np.asarray(values, np.float64), 6).tolist()
