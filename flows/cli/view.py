"""`backsight view | scene`: one recorded episode, or one building, to look at; neither needs a running stack."""

from __future__ import annotations

from pathlib import Path

import click

DATASET = "Folder, id, or `validate`/`collect`: that stage's latest.  [default: validate, else collect]"


@click.command()
@click.argument("episode", required=False)
@click.option("--dataset", help=DATASET)
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=Path(), help="Folder to write to.")
@click.option("--keyframes", default=6, show_default=True, type=click.IntRange(1, 32), help="Keyframes of the truths.")
@click.option("--no-recording", is_flag=True, help="Write the contact sheet alone.")
def view(episode: str | None, dataset: str | None, out: Path, keyframes: int, no_recording: bool) -> None:
    """Write EPISODE as a contact sheet (PNG) and a Rerun recording (.rrd); without EPISODE, list what there is."""
    from tasks.view.source import open_source

    source = open_source(dataset)
    if episode is None:
        from tasks.view.listing import listing

        click.echo(listing(source))
        return
    from tasks.view.episode import read_episode
    from tasks.view.sheet import contact_sheet
    from tasks.view.truth import telling_views

    recorded = read_episode(source, episode)
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"{episode}.png"
    contact_sheet(recorded, telling_views(recorded, keyframes, count=2)).save(path)
    click.echo(path)
    if not no_recording:
        from tasks.view.recording import write_recording

        path = out / f"{episode}.rrd"
        write_recording(recorded, keyframes, path)
        click.echo(f"{path}  (open it with `rerun {path}`)")


@click.command()
@click.argument("building")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="PNG file.  [default: <building>.png]")
@click.option("--rooms", nargs=2, type=int, default=(4, 10), show_default=True, help="Fewest and most rooms.")
@click.option("--views", default=0, show_default=True, type=click.IntRange(0, 64), help="Pictures of rooms to add.")
def scene(building: str, out: Path | None, rooms: tuple[int, int], views: int) -> None:
    """Draw the plan of BUILDING, and views into its rooms.

    BUILDING: a home's seed (`7`), `h7` for a hall, `d7` for two floors, or a file: a GLB, or a stage config.
    """
    from tasks.view.building import building_sheet, room_views
    from tasks.view.scene import scene_of

    out = out or Path(Path(building).name.split(".")[0]).with_suffix(".png")
    found = scene_of(building, rooms, render=views > 0)
    pictures = room_views(found.simulator, views) if found.simulator else []
    building_sheet(found.graph.as_json(), found.title, pictures).save(out)
    click.echo(out)
