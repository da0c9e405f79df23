"""The times of a video file are kept at a constant rate; what that changes of them is counted and said."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from telecine.cli.encode.sources import Source, SourceChoices, SourceError, open_source
from telecine.clients.embedded import EmbeddedServer
from telecine.request.source_warnings import SourceCode

from tests.client.cli.terminal_command import telecine


def film(
    path: Path,
    times: list[int],
    *,
    clock: int = 1000,
    codec: str = "ffv1",
    rate: int = 25,
    options: dict[str, str] | None = None,
) -> Path:
    """Pictures whose brightness is their number times 10, at `times` of the clock."""
    with av.open(str(path), "w", options=options or {}) as container:
        stream = container.add_stream(codec, rate=rate)
        stream.width, stream.height, stream.pix_fmt = 32, 24, "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, clock)
        for number, time in enumerate(times):
            frame = av.VideoFrame.from_ndarray(np.full((36, 32), 20 + number % 20 * 10, np.uint8), "yuv420p")
            frame.pts, frame.time_base = time, Fraction(1, clock)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def numbers(source: Source) -> list[int]:
    """Which picture each frame shows."""
    return [round((frame[0] - 20) / 10) for frame in map(bytes, source.frames)]


def warnings(source: Source) -> dict[SourceCode, str]:
    return {loss.code: loss.message for loss in source.losses}


@pytest.mark.parametrize(
    ("times", "shown", "said"),
    [
        ([0, 100, 200, 500, 800], [0, 1, 2, 2, 2, 3, 3, 3, 4], "4 of them repeated"),
        ([300, 400, 500, 800], [0, 1, 2, 2, 2, 3], "2 of them repeated"),
        ([0, 100, 130, 200, 300], None, "variable frame rate"),
    ],
)
def test_uneven_pictures_stay_where_their_times_are(
    tmp_path: Path, times: list[int], shown: list[int] | None, said: str
) -> None:
    source = open_source(str(film(tmp_path / "clip.mkv", times, rate=10)))
    early = dict(warnings(source))
    frames = numbers(source)
    assert source.frame_rate is not None
    seconds = (times[-1] - times[0] + 100) / 1000
    assert abs(len(frames) / source.frame_rate - seconds) <= 1 / source.frame_rate
    assert shown is None or (frames == shown and source.frame_rate == 10)
    assert source.frame_count == len(frames)
    assert said in warnings(source)[SourceCode.SOURCE_TIMING_CHANGED]
    assert early.keys() == warnings(source).keys(), "with --strict it is an error before anything is sent"


def test_a_bare_stream_has_the_rate_of_its_headers_and_not_ffmpegs_default(tmp_path: Path) -> None:
    path = film(tmp_path / "clip.h264", list(range(60)), clock=60, codec="libx264", rate=60)
    assert open_source(str(path)).frame_rate == 60


def test_an_edit_list_and_a_late_start_change_no_picture(tmp_path: Path) -> None:
    late = film(tmp_path / "late.mp4", [512 * n + 5120 for n in range(8)], clock=12800, codec="libx264")
    source = open_source(str(late))
    assert (len(numbers(source)), source.frame_rate, source.losses) == (8, 25, [])


def test_one_picture_is_one_frame(tmp_path: Path) -> None:
    source = open_source(str(film(tmp_path / "one.mkv", [40])))
    assert (numbers(source), source.frame_rate, source.losses) == ([0], 25, [])


def test_a_rate_of_the_callers_own_shows_each_picture_once_and_says_what_that_does(tmp_path: Path) -> None:
    even, uneven = film(tmp_path / "a.mkv", [0, 40, 80, 120]), film(tmp_path / "b.mkv", [0, 40, 400])
    for path, rate, said in (
        (even, 25, None),
        (even, 50, "in 0.08 s instead of 0.16 s"),
        (uneven, 25, "instead of"),
    ):
        source = open_source(str(path), choices=SourceChoices(frame_rate=Fraction(rate)))
        assert numbers(source) == list(range(4 if path is even else 3))
        assert source.frame_rate == rate
        message = warnings(source).get(SourceCode.SOURCE_RETIMED)
        assert message is None if said is None else said in str(message)
        assert SourceCode.SOURCE_TIMING_CHANGED not in warnings(source)


def test_times_that_no_clip_can_have_are_one_clear_error(tmp_path: Path) -> None:
    path = film(tmp_path / "gap.mkv", [0, 40, 80, 40 * 10**9])
    with pytest.raises(SourceError, match="repeated pictures") as refused:
        open_source(str(path))
    assert "--fps" in refused.value.advice
    assert numbers(open_source(str(path), choices=SourceChoices(frame_rate=Fraction(25)))) == [0, 1, 2, 3]


def test_artifacts_last_as_long_as_the_source_and_the_counts_stand_in_the_manifest(
    tmp_path: Path, encoder: EmbeddedServer
) -> None:
    clip = film(tmp_path / "clip.mkv", [0, 100, 200, 500, 800], rate=10)
    out = tmp_path / "out"
    ran = telecine("encode", clip, "-o", "mp4", "-d", out, "--json", server=encoder.address)
    assert ran.exit_code == 0, ran.err
    (warning,) = ran.document["warnings"]
    assert warning["code"] == "SOURCE_TIMING_CHANGED"
    assert "5 pictures became 9 frames at 10 fps" in warning["message"]
    assert warning["message"] in (out / "manifest.json").read_text()
    with av.open(str(out / "mp4.mp4")) as made:
        assert float(made.duration / av.time_base) == pytest.approx(0.9, abs=0.001)
        assert made.streams.video[0].average_rate == 10
    strict = telecine("encode", clip, "--strict", "-o", "mp4", "-d", out, "--json", server=encoder.address)
    assert (strict.exit_code, strict.document["error"]["code"]) == (2, "SOURCE")


def test_tags_are_named_but_not_shown_and_are_no_error_when_strict(
    tmp_path: Path, encoder: EmbeddedServer
) -> None:
    clip = tmp_path / "clip.mkv"
    with av.open(str(clip), "w") as container:
        container.metadata.update(
            {"title": "A holiday", "location": "+52.5+013.4/", "timecode": "01:00:00:00"}
        )
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 24, "yuv420p"
        stream.metadata["comment"] = "private"
        for _ in range(3):
            container.mux(stream.encode(av.VideoFrame(32, 24, "yuv420p")))
        container.mux(stream.encode())
    out = tmp_path / "out"
    ran = telecine("encode", clip, "--strict", "-d", out, "--json", server=encoder.address)
    assert ran.exit_code == 0, ran.err
    (warning,) = ran.document["warnings"]
    assert warning["code"] == "SOURCE_METADATA_DROPPED"
    assert warning["message"].endswith(": comment, location, timecode, title")
    assert "holiday" not in (out / "manifest.json").read_text()


def test_a_cover_picture_is_no_film(tmp_path: Path) -> None:
    path = tmp_path / "song.mp3"
    with av.open(str(path), "w") as container:
        sound = container.add_stream("libmp3lame", rate=44100, layout="mono")
        cover = container.add_stream("png", rate=1)
        cover.width, cover.height, cover.pix_fmt = 32, 32, "rgb24"
        cover.disposition = av.stream.Disposition.attached_pic
        samples = av.AudioFrame.from_ndarray(np.zeros((1, 4410), np.float32), "fltp", "mono")
        samples.sample_rate = 44100
        container.mux(sound.encode(samples))
        container.mux(cover.encode(av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8))))
        container.mux(sound.encode())
        container.mux(cover.encode())
    with pytest.raises(SourceError, match="no film, only a cover picture"):
        open_source(str(path))
