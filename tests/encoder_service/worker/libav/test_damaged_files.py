"""Damaged sources: what is cut or broken is seen, and no healthy file is taken for one."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

import imageio_ffmpeg
import pytest

from encoder_service.spec.errors import OutputError
from encoder_service.worker.libav.file_ends import missing_end
from encoder_service.worker.libav.video_file import open_video

PICTURE = ["-f", "lavfi", "-i", "testsrc2=size=160x112:rate=30:duration=1"]
TONE = ["-f", "lavfi", "-i", "sine=duration=2"]
X264 = ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-g", "8"]
MPEG2 = ["-c:v", "mpeg2video", "-g", "8", "-bf", "2"]

MADE = {
    "plain.mp4": [*PICTURE, *X264],
    "faststart.mp4": [*PICTURE, *X264, "-movflags", "+faststart"],
    "b-frames.mp4": [*PICTURE, *X264, "-bf", "8", "-x264-params", "b-pyramid=normal:open-gop=1"],
    "fragmented.mp4": [*PICTURE, *X264, "-movflags", "frag_keyframe+empty_moov+default_base_moof"],
    "dash.mp4": [*PICTURE, *X264, "-movflags", "frag_keyframe+dash"],
    "varying.mp4": [*PICTURE, "-vf", "select='not(mod(n,3))+not(mod(n,7))'", "-fps_mode", "vfr", *X264],
    "negative-cts.mp4": [*PICTURE, *X264, "-bf", "3", "-movflags", "+negative_cts_offsets"],
    "long-sound.mp4": [*PICTURE, *TONE, *X264, "-c:a", "aac"],
    "sound-first.mov": [*TONE, *PICTURE, *X264, "-c:a", "aac"],
    "interlaced.mp4": [*PICTURE, *X264, "-flags", "+ilme+ildct"],
    "intra-refresh.mp4": [*PICTURE, *X264, "-x264-params", "intra-refresh=1"],
    "one.mp4": [*PICTURE, "-frames:v", "1", *X264],
    "hevc.mp4": [*PICTURE, "-c:v", "libx265", "-x265-params", "open-gop=1:keyint=8:log-level=none"],
    "av1.mp4": [*PICTURE, "-c:v", "libsvtav1"],
    "h263.3gp": ["-f", "lavfi", "-i", "testsrc2=size=176x144:rate=15:duration=1", "-c:v", "h263"],
    "prores.mov": [*PICTURE, "-c:v", "prores_ks"],
    "mjpeg.avi": [*PICTURE, "-c:v", "mjpeg"],
    "mpeg4.avi": [*PICTURE, *TONE, "-c:v", "mpeg4", "-bf", "2", "-c:a", "mp3"],
    "raw.avi": [*PICTURE, "-c:v", "rawvideo", "-pix_fmt", "yuv420p"],
    "ffv1.mkv": [*PICTURE, "-c:v", "ffv1", "-level", "3"],
    "h264.mkv": [*PICTURE, *X264],
    "live.mkv": [*PICTURE, *X264, "-live", "1"],
    "paff.mkv": [*PICTURE, *X264, "-x264-params", "interlaced=1"],
    "vp9.webm": [*PICTURE, "-c:v", "libvpx-vp9", "-b:v", "200k"],
    "vp8.webm": [*PICTURE, "-c:v", "libvpx", "-b:v", "200k"],
    "h264.ts": [*PICTURE, *TONE, *X264, "-c:a", "aac"],
    "mpeg2.ts": [*PICTURE, *MPEG2],
    "mpeg2.mpg": [*PICTURE, *MPEG2],
    "h264.flv": [*PICTURE, *X264],
    "theora.ogv": [*PICTURE, "-c:v", "libtheora"],
    "wmv2.wmv": [*PICTURE, "-c:v", "wmv2"],
    "loop.gif": [*PICTURE],
    "loop.apng": [*PICTURE, "-plays", "0"],
    "raw.y4m": [*PICTURE],
    "raw.h264": [*PICTURE, *X264],
}
"""How FFmpeg makes each of them."""
DERIVED = {
    "cut-without-decoding.mp4": ("b-frames.mp4", ["-ss", "0.37"], ["-c", "copy"]),
    "cut-hevc.mp4": ("hevc.mp4", ["-ss", "0.4"], ["-c", "copy"]),
    "cut.mkv": ("b-frames.mp4", ["-ss", "0.5"], ["-c", "copy"]),
    "later.mp4": ("plain.mp4", ["-itsoffset", "0.7"], ["-c", "copy"]),
    "rotated.mp4": ("plain.mp4", ["-display_rotation", "90"], ["-c", "copy"]),
}
STATES_ITS_SIZE = [
    *("faststart.mp4", "fragmented.mp4", "long-sound.mp4", "prores.mov", "mjpeg.avi", "mpeg4.avi", "raw.avi"),
    *("ffv1.mkv", "h264.mkv", "live.mkv", "vp9.webm", "h264.ts", "theora.ogv", "loop.gif", "loop.apng"),
    *("raw.y4m", "av1.mp4", "hevc.mp4"),
]
NOTICED_BY_THE_DECODER = ["faststart.mp4", "h264.mkv", "mpeg4.avi", "mpeg2.ts", "mpeg2.mpg", "raw.h264"]


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("clips")
    program = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y"]
    for name, arguments in MADE.items():
        subprocess.run([*program, *arguments, str(place / name)], check=True, capture_output=True)
    for name, (source, before, after) in DERIVED.items():
        command = [*program, *before, "-i", str(place / source), *after, str(place / name)]
        subprocess.run(command, check=True, capture_output=True)
    for name in ("h264.ts", "mpeg2.ts"):
        data = (place / name).read_bytes()
        (place / f"mid-{name}").write_bytes(data[len(data) // 188 // 3 * 188 :])
    return place


def decoded(path: Path) -> int:
    return sum(1 for _ in open_video(path).frames)


@pytest.mark.parametrize("name", [*MADE, *DERIVED, "mid-h264.ts", "mid-mpeg2.ts"])
def test_a_healthy_file_is_read_to_its_end(clips: Path, name: str) -> None:
    assert missing_end(clips / name) == ""
    found: list[str] = []
    frames = sum(1 for _ in open_video(clips / name, found.append).frames)
    assert found == []
    assert decoded(clips / name) == frames
    assert frames >= (1 if name == "one.mp4" else 8)


@pytest.mark.parametrize("part", [0.5, 0.9, 1.0])
@pytest.mark.parametrize("name", STATES_ITS_SIZE)
def test_a_cut_file_is_refused(clips: Path, tmp_path: Path, name: str, part: float) -> None:
    data = (clips / name).read_bytes()
    cut = tmp_path / name
    # An odd length: a transport stream that ends with a whole packet is one that was merely ended there.
    cut.write_bytes(data[: min(int(len(data) * part) | 1, len(data) - 1)])
    with pytest.raises(OutputError, match="is damaged") as refused:
        decoded(cut)
    assert refused.value.code == "SOURCE_UNREADABLE"


def broken(clips: Path, tmp_path: Path, name: str) -> Path:
    data = bytearray((clips / name).read_bytes())
    draw = random.Random(1)
    for at in range(len(data) // 2, len(data) // 2 + 60):
        data[at] ^= draw.randrange(1, 256)
    (tmp_path / name).write_bytes(data)
    return tmp_path / name


@pytest.mark.parametrize("name", NOTICED_BY_THE_DECODER)
def test_frames_that_a_decoder_had_to_guess_are_refused(clips: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(OutputError, match="is damaged"):
        decoded(broken(clips, tmp_path, name))


@pytest.mark.parametrize("name", ["faststart.mp4", "h264.mkv", "mpeg4.avi", "loop.gif"])
def test_what_can_be_read_is_taken_where_that_is_asked_for(clips: Path, tmp_path: Path, name: str) -> None:
    data = (clips / name).read_bytes()
    (tmp_path / name).write_bytes(data[: len(data) * 2 // 3])
    found: list[str] = []
    frames = sum(1 for _ in open_video(tmp_path / name, found.append).frames)
    assert 0 < frames < decoded(clips / name)
    assert found


def test_a_clip_that_was_filmed_on_its_side_is_turned_upright(clips: Path) -> None:
    lying, upright = open_video(clips / "plain.mp4"), open_video(clips / "rotated.mp4")
    assert (upright.width, upright.height) == (lying.height, lying.width)
    assert upright.orientation.turned_degrees == 90
    frame = next(upright.frames)
    top_right = next(lying.frames)[lying.width - 1]
    assert frame[0] == top_right, "turned counterclockwise, the upper right corner becomes the upper left one"
    for video in (lying, upright):
        assert sum(1 for _ in video.frames) > 0


@pytest.mark.parametrize(
    "name", ["mid-h264.ts", "cut-hevc.mp4", "cut.mkv", "cut-without-decoding.mp4", "vp8.webm"]
)
def test_times_are_those_of_the_pictures_that_can_be_decoded(clips: Path, name: str) -> None:
    video = open_video(clips / name, [].append)
    shown = [picture.seconds for picture in video.pictures]
    stated = [tick * video.times.tick_seconds for tick in video.times.ticks]
    assert stated == shown
