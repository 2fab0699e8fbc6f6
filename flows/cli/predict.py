"""`backsight predict`: a trained network on videos, or on a recorded episode with its sensors."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flows.cli.view import DATASET
from tasks.errors import UsageError

if TYPE_CHECKING:
    from tasks.predict.predict import Outcome

FAILED = 1
FILE = click.Path(path_type=Path)


@click.command()
@click.argument("videos", nargs=-1, type=FILE)
@click.option("--video", type=FILE, help="The video; its last frame is the view now.")
@click.option("--batch", is_flag=True, help="Several videos: a folder each inside --out.")
@click.option("--episode", help="A recorded episode in place of a video, with its depth, poses and truth.")
@click.option("--dataset", help=f"Where the episode is. {DATASET}")
@click.option("--instruction", help="Where to go, in words; an episode has its own.")
@click.option("--algorithm", type=click.Choice(["enhanced", "quality", "fast", "uniform"]), help="Keyframe sampler.")
@click.option("--keyframes", type=int, help="How many.  [default: as many as the model takes]")
@click.option("--frame", type=int, help="Number of the frame that is the view now.  [default: the last]")
@click.option("--fit", type=click.Choice(["crop", "letterbox"]), help="What of a picture the model sees: the square in "
              "its middle, or all of it between black borders.  [default: crop]")  # fmt: skip
@click.option("--candidates", type=int, help="Frames at most that keyframes are picked from.  [default: 128]")
@click.option("--model", help="champion, the folder of a checkpoint, or its id.  [default: champion]")
@click.option("--device", help="cpu, cuda, cuda:1.  [default: the GPU where there is one]")
@click.option("--unload-llm", is_flag=True, default=None, help="Keep the language model off the device between calls.")
@click.option("--config", type=FILE, help="YAML file of such settings (docs/predict.md); what is typed goes before it.")
@click.option("--out", type=FILE, default=Path("prediction"), show_default=True, help="Folder to write to.")
def predict(
    videos: tuple[Path, ...],
    video: Path | None,
    batch: bool,
    episode: str | None,
    dataset: str | None,
    config: Path | None,
    out: Path,
    **options: Any,
) -> int:
    """Say where the places of a film's keyframes lie in its current view: overlays, a video, and JSON.

    backsight predict --video walk.mp4 --instruction "walk past the sofa"

    backsight predict --batch a.mp4 b.mp4 --instruction "walk past the sofa"
    """
    from tasks.predict.settings import read_settings

    asked = (*videos, *([video] if video is not None else []))
    settings = read_settings(config, options)
    if (episode is None) == (not asked) or (len(asked) > 1 and not batch):
        raise UsageError("Name one video (--video v.mp4), several (--batch a.mp4 b.mp4), or an --episode.")
    if dataset is not None and episode is None:
        raise UsageError("--dataset says where an --episode is: name one, or leave --dataset out.")
    if episode is None and settings.instruction is None:
        raise UsageError("No instruction is given: say where to go, as in --instruction 'walk past the sofa'.")
    from tasks.predict.networks import open_network
    from tasks.predict.predict import answer_folder, predict_episode, predict_videos

    out = answer_folder(out)
    opened = open_network(settings.model, settings.device, settings.unload_llm)
    if episode is not None:
        outcomes = [predict_episode(opened, episode, dataset, out, settings)]
    else:
        outcomes = predict_videos(opened, asked, out, settings, batch)
    click.echo(f"model {opened.name} ({opened.about['phase']}, step {opened.about['step']})")
    if opened.note:
        click.echo(f"note: {opened.note}", err=True)
    for outcome in outcomes:
        tell(outcome)
    return FAILED if any(outcome.error for outcome in outcomes) else 0


def tell(outcome: Outcome) -> None:
    """What came of one video, as lines."""
    if outcome.answer is None:
        click.echo(f"{outcome.source}: {outcome.error}", err=True)
        return
    from model.answer_files import peak

    answer = outcome.answer
    click.echo(f"{outcome.source}: {answer.wish.algorithm} keyframes seen from frame {answer.current.frame}")
    click.echo("  keyframe   frame  seconds  in view  likeliest at (x, y)")
    for slot, moment in enumerate(answer.keyframes):
        x, y = peak(answer, answer.maps[slot])
        where = f"{x:.0f}, {y:.0f}" if answer.none[slot] < 0.5 else "-"
        click.echo(
            f"  {slot + 1:>8}  {moment.frame:>6}  {moment.seconds:7.1f}  {1 - answer.none[slot]:>6.0%}   {where}"
        )
    for note in answer.notes:
        click.echo(f"  note: {note}")
    took = ", ".join(f"{step} {seconds:.2f} s" for step, seconds in answer.seconds.items())
    used = ", ".join(f"{device} {size:.2f} GB" for device, size in answer.memory.items())
    click.echo(f"  {took}; at most {used}")
    click.echo(f"  written to {outcome.folder}")
