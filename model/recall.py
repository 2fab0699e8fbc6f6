"""From frames to an answer: keyframes are picked from the past, and the network says where their places lie now."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from model.errors import UsageError
from model.estimate import NO_SENSORS, Surroundings, estimate, estimator, needs_sensors, pictures
from model.framing import Fit, Framing
from model.memory import enough_memory, peak_memory
from model.placement import device_of
from model.sampling import Past, create_sampler
from model.video import Footage, Moment, watch

if TYPE_CHECKING:
    from model.predict import Predictor

Floats = NDArray[np.float64]
Source = Literal["measured", "estimated", "learnt"]
"""Where depth and poses come from: sensors; the network's own encoder in the sensors' place; or that encoder, as it was
trained to."""

ROUGH = (
    "This model was trained with measured depth and camera poses; a video has none, so its own {name} encoder "
    "estimates them from the pictures, and the maps are less exact than its figures say."
)
CUT = "The instruction has {tokens} tokens; this model reads the first {longest} of them."
SPELT = "This model spells most of the instruction byte by byte: its training data held few such words."
FEWER = "Of the {wanted} keyframes asked for there are only {there}: no more frames come before the current view."

READS_SPACE = ("enhanced", "fast")
"""Samplers that ask where the cameras stand."""

SAVE = "use fewer --candidates or --keyframes, --unload-llm, or --device cpu"


@dataclass(frozen=True)
class Wish:
    """What is asked of some footage."""

    instruction: str
    algorithm: str = "enhanced"
    """One of `model.sampling.SAMPLERS`."""
    keyframes: int | None = None
    """None = as many as the network takes."""


@dataclass(frozen=True)
class Recall:
    """What the network says of the current view; K keyframes in order of time, G x G cells over the framed square."""

    wish: Wish
    footage: Footage
    geometry: Source
    keyframes: tuple[Moment, ...]
    maps: Floats
    """[K, G, G] together with `none` a distribution for each keyframe."""
    none: Floats
    """[K] probability that nothing of the keyframe is in view."""
    classes: NDArray[np.int64]
    """[K, G, G] likeliest class of a cell: 0 out of the keyframe's view, 1 occluded in it, 2 seen by it."""
    goal: Floats
    """[G, G] together with `goal_none` a distribution of the next waypoint."""
    goal_none: float
    turn: Floats
    """[3] probability that the first turn to a waypoint out of view is left, right, around."""
    truth: Floats | None = None
    """[K, G * G + 1] where it is known."""
    seconds: dict[str, float] = field(default_factory=dict)
    """Step -> how long it took."""
    memory: dict[str, float] = field(default_factory=dict)
    """Device -> GB at the most."""
    notes: tuple[str, ...] = ()

    @property
    def framing(self) -> Framing:
        """Which square of the picture the maps lie over."""
        return self.footage.framing

    @property
    def current(self) -> Moment:
        """The current view."""
        return self.footage.current

    @property
    def picture(self) -> NDArray[np.uint8]:
        """[H, W, 3] the current view at its full size."""
        return self.footage.picture

    def save(self, folder: str | Path) -> list[Path]:
        """Overlays, a sheet, a video and `prediction.json` in a folder; see `model.answer_files`."""
        from model.answer_files import write_answer

        return write_answer(self, Path(folder))


class Stopwatch:
    """Seconds by step."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, step: str) -> Iterator[None]:
        """Time what happens inside."""
        started = time.perf_counter()
        yield
        self.seconds[step] = self.seconds.get(step, 0.0) + time.perf_counter() - started


def recall(
    predictor: Predictor, footage: Footage, wish: Wish, clock: Stopwatch, measured: Surroundings | None = None
) -> Recall:
    """Pick keyframes among the footage's past and predict their maps in its current view.

    `measured` is the geometry of the past moments and the current view, where sensors have recorded it.

    Raises:
        UsageError: an empty instruction, more keyframes than the network takes, or a network that needs sensors.
        BacksightError: too little memory.
    """
    network = predictor.network
    wanted = checked(predictor, wish, measured is not None)
    moments = [*footage.past, footage.current]
    rgb = np.stack([moment.seen for moment in moments])
    with enough_memory(device_of(network), SAVE):
        around = measured
        if around is None and wish.algorithm in READS_SPACE and len(footage.past) > wanted:
            with clock("estimate"):
                around = estimate(network, rgb)
        with clock("sample"):
            picked = pick(rgb[:-1], around, wish.algorithm, wanted)
        rows = [*picked, len(rgb) - 1]
        known = around.at(rows) if measured is not None and around is not None else None
        if needs_sensors(network) and known is None:
            with clock("estimate"):
                known = estimate(network, rgb[rows])
        with clock("predict"):
            text = predictor.tokenizer.encode([wish.instruction], predictor.config.language.text_length)
            said = predictor.predict(predictor.filled(pictures(rgb[rows], known)), text)
    maps = said.logits[0].double().softmax(dim=-1).numpy()
    grid, count = predictor.config.grid, len(picked)
    cells, none = maps[:, :-1].reshape(-1, grid, grid), maps[:, -1]
    return Recall(
        wish=wish,
        footage=footage,
        geometry="measured" if measured is not None else "estimated" if needs_sensors(network) else "learnt",
        keyframes=tuple(footage.past[i] for i in picked),
        maps=cells[:count],
        none=none[:count],
        classes=said.classes[0, :count].argmax(dim=1).numpy(),
        goal=cells[-1],
        goal_none=float(none[-1]),
        turn=said.turn[0].double().softmax(dim=-1).numpy(),
        seconds=clock.seconds,
        memory=peak_memory(),
        notes=(*footage.notes, *notes(predictor, wish, wanted, count, measured)),
    )


def recall_video(
    predictor: Predictor,
    path: Path,
    instruction: str,
    *,
    algorithm: str = "enhanced",
    keyframes: int | None = None,
    frame: int | None = None,
    fit: Fit = "crop",
    candidates: int = 128,
    each: Callable[[], object] = lambda: None,
) -> Recall:
    """Read a video once and recall; see `recall`, `model.video.watch`.

    Args:
        frame: number of the current view's frame; none = the last. Nothing after it is read.
        fit: which square of the picture the network sees, see `model.framing`.
        candidates: at most so many frames are kept to pick keyframes from: bounds the memory, whatever the length.
        each: called after every decoded frame.
    """
    wish, clock = Wish(instruction, algorithm, keyframes), Stopwatch()
    wanted = checked(predictor, wish)
    if candidates < wanted:
        raise UsageError(f"{wanted} keyframes cannot be picked from {candidates} candidates: allow more of them.")
    with clock("decode"):
        footage = watch(path, predictor.config.image_size, fit=fit, limit=candidates, until=frame, each=each)
    return recall(predictor, footage, wish, clock)


def checked(predictor: Predictor, wish: Wish, measured: bool = False) -> int:
    """How many keyframes are wanted; `UsageError` for a wish that cannot be met."""
    slots = predictor.config.keyframes
    if needs_sensors(predictor.network) and not measured and estimator(predictor.network) is None:
        raise UsageError(NO_SENSORS)
    if not wish.instruction.strip():
        raise UsageError("The instruction is empty: say where to go, as in --instruction 'walk past the sofa'.")
    if wish.keyframes is not None and not 1 <= wish.keyframes <= slots:
        raise UsageError(f"{wish.keyframes} keyframes were asked for, but this model takes 1 to {slots}.")
    create_sampler(wish.algorithm)
    return wish.keyframes or slots


def pick(rgb: NDArray[np.uint8], around: Surroundings | None, algorithm: str, count: int) -> list[int]:
    """Ascending rows of the keyframes among past pictures [n, H, W, 3]; `around` may hold the current view, too."""
    if len(rgb) <= count:
        return list(range(len(rgb)))
    past = Past(len(rgb), rgb=rgb)
    if around is not None:
        seen = around.at(list(range(len(rgb))))
        past = replace(past, pose=seen.pose, depth=seen.depth, intrinsics=seen.intrinsics, confidence=seen.confidence)
    return create_sampler(algorithm).sample(past, count)


def notes(predictor: Predictor, wish: Wish, wanted: int, count: int, measured: Surroundings | None) -> list[str]:
    """What a reader of the answer should know."""
    said = []
    if needs_sensors(predictor.network) and measured is None:
        named = (n for n, encoder in predictor.network.encoders.items() if not encoder.reads_sensors)
        said.append(ROUGH.format(name=next(named)))
    longest = predictor.config.language.text_length
    tokens = predictor.tokenizer.count(wish.instruction)
    if tokens > longest:
        said.append(CUT.format(tokens=tokens, longest=longest))
    if tokens > len(wish.instruction):
        said.append(SPELT)
    if count < wanted:
        said.append(FEWER.format(wanted=wanted, there=count))
    return said


def divergence_from_truth(answer: Recall) -> list[float]:
    """KL(T | P) in nats of each keyframe's map; only where the truth is known."""
    from model.metrics import divergence

    assert answer.truth is not None
    said = np.concatenate([answer.maps.reshape(len(answer.maps), -1), answer.none[:, None]], axis=1)
    return [float(value) for value in divergence(answer.truth, said)]
