"""An episode as a Rerun recording: the way in 3-D, frames, depth, things, and the heatmap truth over time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from model.draw.overlay import overlay
from model.draw.palette import keyframe_colour
from tasks.errors import UsageError
from tasks.view.episode import Recorded
from tasks.view.sheet import id_colours
from tasks.view.truth import truth_of

if TYPE_CHECKING:
    from rerun import RecordingStream

CAMERA, TIMELINE = "world/camera", "frame"
SHELL = ("wall", "floor", "ceiling", "door", "doorway")
"""Things whose boxes would hide the rest."""
OVERLAY = 224
"""Pixels a side of a heatmap over its view."""


def rerun() -> Any:
    """The module rerun. Raises UsageError saying how to get it."""
    try:
        import rerun
    except ImportError as error:
        raise UsageError(
            f"The recording needs rerun-sdk, which is not installed here ({error}): "
            "run `pip install 'rerun-sdk>=0.41,<0.42'`, or ask for the contact sheet alone with --no-recording."
        ) from error
    return rerun


def write_recording(episode: Recorded, keyframes: int, path: Path) -> None:
    """Write `path` (.rrd), to be opened with `rerun`; truths are those of up to `keyframes` uniform keyframes."""
    rr = rerun()
    stream = rr.RecordingStream("backsight", recording_id=episode.id)
    stream.save(path, default_blueprint=blueprint(keyframes))
    log_building(rr, stream, episode)
    for frame in range(len(episode.actions)):
        stream.set_time(TIMELINE, sequence=frame)
        log_frame(rr, stream, episode, frame)
        if frame:
            log_truth(rr, stream, episode, frame, keyframes)
    stream.flush()
    stream.disconnect()


def blueprint(keyframes: int) -> Any:
    """What the viewer shows first: the building, the frame's pictures, and a row of keyframes over their truths."""
    import rerun.blueprint as rrb

    view = rrb.Spatial2DView
    pictures = [view(origin=f"{CAMERA}/{part}", name=part) for part in ("rgb", "depth", "things")]
    truths = [
        rrb.Vertical(
            view(origin=f"truth/{slot + 1}/keyframe", name=f"keyframe {slot + 1}"),
            view(origin=f"truth/{slot + 1}/map", name=f"its place in view {slot + 1}"),
        )
        for slot in range(keyframes)
    ]
    return rrb.Blueprint(
        rrb.Vertical(
            rrb.Horizontal(rrb.Spatial3DView(origin="world", name="building"), rrb.Vertical(*pictures)),
            rrb.Horizontal(*truths),
            rrb.TextDocumentView(origin="instruction", name="instruction"),
            row_shares=[5, 3, 1],
        ),
        collapse_panels=True,
    )


def log_building(rr: Any, stream: RecordingStream, episode: Recorded) -> None:
    """What does not change: rooms, walls, things, the whole way, the instruction, the names of ids."""
    scene = episode.scene
    stream.log("world", rr.ViewCoordinates.RIGHT_HAND_Y_UP, static=True)
    outlines = [
        [[x, room.get("floor", 0.0), z] for x, z in [*room["polygon"], room["polygon"][0]]] for room in scene["rooms"]
    ]
    if outlines:
        labels = [room["name"] for room in scene["rooms"]]
        stream.log("world/rooms", rr.LineStrips3D(outlines, labels=labels, colors=[90, 96, 110]), static=True)
    things = [thing for thing in scene["objects"] if thing["category"] not in SHELL]
    if things:
        stream.log(
            "world/things",
            rr.Boxes3D(
                centers=[thing["centre"] for thing in things],
                sizes=[thing["size"] for thing in things],
                rotation_axis_angles=[rr.RotationAxisAngle(axis=[0, 1, 0], radians=thing["yaw"]) for thing in things],
                colors=id_colours(np.array([thing["id"] for thing in things])),
                labels=[thing["category"] for thing in things],
                show_labels=False,
            ),
            static=True,
        )
    stream.log("world/way", rr.LineStrips3D([episode.poses[:, :3, 3]], colors=[28, 32, 40], radii=0.015), static=True)
    text = "\n\n".join([episode.instruction, episode.info.get("instruction_zh", "")])
    stream.log("instruction", rr.TextDocument(text, media_type=rr.MediaType.MARKDOWN), static=True)
    ids = np.array([thing["id"] for thing in scene["objects"]])
    names = [
        (int(i), thing["name"], colour) for i, thing, colour in zip(ids, scene["objects"], id_colours(ids), strict=True)
    ]
    stream.log("world", rr.AnnotationContext(names), static=True)


def log_frame(rr: Any, stream: RecordingStream, episode: Recorded, frame: int) -> None:
    """The camera and what it saw; pictures keep the bytes that were recorded."""
    pose, intrinsics = episode.poses[frame], episode.intrinsics[frame]
    height, width = episode.depth.shape[1:]
    stream.log(CAMERA, rr.Transform3D(translation=pose[:3, 3], mat3x3=pose[:3, :3]))
    for part in ("rgb", "depth", "things"):
        stream.log(
            f"{CAMERA}/{part}",
            rr.Pinhole(
                image_from_camera=intrinsics, width=width, height=height, camera_xyz=rr.ViewCoordinates.RDF,
                image_plane_distance=0.4,
            ),
        )  # fmt: skip
    png = {"media_type": "image/png"}
    stream.log(f"{CAMERA}/rgb", rr.EncodedImage(contents=episode.encoded["rgb"][frame], **png))
    stream.log(f"{CAMERA}/depth", rr.EncodedDepthImage(episode.encoded["depth"][frame], meter=1000.0, **png))
    stream.log(f"{CAMERA}/things", rr.SegmentationImage(episode.semantic[frame]))
    stream.log("world/walked", rr.LineStrips3D([episode.poses[: frame + 1, :3, 3]], colors=[222, 86, 60], radii=0.03))


def log_truth(rr: Any, stream: RecordingStream, episode: Recorded, frame: int, keyframes: int) -> None:
    """The keyframes of a view, each with its map over the view, and their cameras in the building."""
    truth = truth_of(episode, frame, keyframes)
    for slot, keyframe in enumerate(truth.keyframes):
        grid = truth.grid(slot)
        shown = overlay(episode.rgb[frame], grid, max(float(grid.max()), 3 / grid.size), OVERLAY)
        stream.log(
            f"truth/{slot + 1}/keyframe",
            rr.EncodedImage(contents=episode.encoded["rgb"][keyframe], media_type="image/png"),
        )
        stream.log(f"truth/{slot + 1}/map", rr.Image(np.asarray(shown)).compress(jpeg_quality=85))
        stream.log(f"truth/{slot + 1}/none", rr.Scalars(truth.maps[slot, -1]))
    places = episode.poses[list(truth.keyframes), :3, 3]
    colours = [keyframe_colour(slot) for slot in range(len(truth.keyframes))]
    labels = [str(slot + 1) for slot in range(len(truth.keyframes))]
    stream.log("world/keyframes", rr.Points3D(places, colors=colours, radii=0.06, labels=labels))
