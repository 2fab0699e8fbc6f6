"""Videos of every shape are read once, to the current view and no farther, in bounded memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from model.errors import DataError, UsageError
from model.framing import Framing
from model.video import watch
from tests.videos import number_of, turn_by_a_quarter, write_video


def test_all_frames_of_a_short_video_are_kept(tmp_path: Path) -> None:
    footage = watch(write_video(tmp_path / "v.mp4", 9), 32)
    assert [m.frame for m in footage.past] == list(range(8)) and footage.current.frame == 8
    assert [number_of(m.seen) for m in footage.past] == list(range(8)) and number_of(footage.current.seen) == 8
    assert footage.current.seconds == pytest.approx(0.8, abs=0.01) and footage.picture.shape == (64, 96, 3)
    assert [number_of(m.picture()) for m in footage.past] == list(range(8))


@pytest.mark.parametrize("frames", [20, 47, 64, 150])
def test_of_a_long_video_a_bounded_even_choice_is_kept(frames: int, tmp_path: Path) -> None:
    footage = watch(write_video(tmp_path / "v.mp4", frames, 32, 32), 16, limit=8)
    kept = [m.frame for m in footage.past]
    assert len(kept) == 8 and kept[0] == 0 and footage.current.frame == frames - 1
    gaps = np.diff([*kept, frames - 1])
    assert gaps.min() > 0 and gaps.max() <= 3 * (frames / 8)


def test_nothing_after_the_current_view_is_read(tmp_path: Path) -> None:
    seen = []
    footage = watch(write_video(tmp_path / "v.mp4", 20), 32, until=6, each=lambda: seen.append(1))
    assert footage.current.frame == 6 == number_of(footage.picture) and len(seen) == 7
    assert [m.frame for m in footage.past] == list(range(6))


@pytest.mark.parametrize(("size", "turned"), [((96, 64), False), ((64, 96), False), ((96, 64), True)])
def test_pictures_stand_as_players_show_them(size: tuple[int, int], turned: bool, tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.mp4", 3, *size)
    if turned:
        turn_by_a_quarter(path)
    picture = watch(path, 32).picture
    assert picture.shape[:2] == (size if turned else size[::-1])
    # The white corner goes from the upper left to the upper right.
    corners = picture[2, 2].min() > 200, picture[2, -3].min() > 200
    assert corners == ((False, True) if turned else (True, False))


def test_4k_is_shown_small_and_kept_whole_once(tmp_path: Path) -> None:
    footage = watch(write_video(tmp_path / "v.mp4", 3, 3840, 2160), 64)
    assert footage.picture.shape == (2160, 3840, 3) and footage.past[0].picture().shape == (360, 640, 3)
    assert len(footage.past[0].shown) < 100_000


def test_transparency_is_left_out(tmp_path: Path) -> None:
    pictures = [Image.new("RGBA", (48, 32), (200, 30 * i, 40, 255)) for i in range(4)]
    for picture in pictures:
        picture.putpixel((1, 1), (0, 0, 0, 0))
    pictures[0].save(tmp_path / "v.gif", save_all=True, append_images=pictures[1:], duration=100, disposal=2)
    footage = watch(tmp_path / "v.gif", 16)
    assert footage.picture.shape == (32, 48, 3) and footage.current.frame == 3
    assert abs(int(footage.picture[16, 24, 0]) - 200) < 12


def test_videos_that_cannot_be_used_are_told_in_a_sentence(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    whole = write_video(tmp_path / "whole.mp4", 30)
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "noise.mp4").write_bytes(np.random.default_rng(0).bytes(5000))
    (tmp_path / "cut.mp4").write_bytes(whole.read_bytes()[:300])
    write_video(tmp_path / "one.mp4", 1)
    with pytest.raises(UsageError, match="There is no video"):
        watch(tmp_path / "absent.mp4", 32)
    with pytest.raises(UsageError, match="is no file"):
        watch(tmp_path, 32)
    with pytest.raises(UsageError, match="cannot be read: File name too long"):
        watch(tmp_path / ("long" * 100), 32)
    with pytest.raises(DataError, match="is empty"):
        watch(tmp_path / "empty.mp4", 32)
    for name in ("noise.mp4", "cut.mp4"):
        with pytest.raises(DataError, match="is no video that can be read"):
            watch(tmp_path / name, 32)
    with pytest.raises(UsageError, match="no frame before the current view"):
        watch(tmp_path / "one.mp4", 32)
    with pytest.raises(UsageError, match="has 30 frames: name a current view between 1 and 29, not 30"):
        watch(whole, 32, until=30)
    assert capfd.readouterr().err == ""


def test_a_video_that_breaks_off_is_used_and_told(tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.avi", 40, 160, 120, codec="MJPG")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    footage = watch(path, 32)
    assert footage.notes and "only" in footage.notes[0] and footage.current.frame < 30


@given(st.integers(24, 200), st.integers(24, 200), st.sampled_from(["crop", "letterbox"]))
def test_a_maps_peak_lies_where_the_network_saw_it(width: int, height: int, fit: str) -> None:
    framing = Framing.of(width, height, fit)
    assert framing.side == (min if fit == "crop" else max)(width, height)
    # A white block in a black picture: found in the square, it must be found at the same place of the whole.
    x, y, half = width // 2, height // 2, min(width, height) // 4
    picture = np.zeros((height, width, 3), np.uint8)
    picture[y - half : y + half + 1, x - half : x + half + 1] = 255
    heat = framing.square(picture, 32)[..., 0].astype(float)
    whole = framing.whole(heat, width)
    assert whole.shape == (height, width)
    assert np.corrcoef(whole.ravel(), picture[..., 0].ravel())[0, 1] > 0.8
    cell = framing.centre_of(15.5, 15.5, 32)
    assert abs(cell[0] - width / 2) <= 0.5 and abs(cell[1] - height / 2) <= 0.5


def test_nothing_is_said_outside_of_a_crop() -> None:
    whole = Framing.of(90, 30, "crop").whole(np.ones((4, 4)), 90)
    assert not whole[:, :30].any() and not whole[:, 60:].any() and (whole[:, 30:60] == 1).all()
