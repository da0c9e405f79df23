"""A path is a path to FFmpeg, whatever its name looks like, and nothing is fetched from the network."""

from __future__ import annotations

import socket
from pathlib import Path

import av
import av.error
import pytest

from encoder_service.spec.errors import OutputError
from encoder_service.worker.libav.decoding import FileReader
from encoder_service.worker.libav.full_decode import decode_video
from encoder_service.worker.libav.opening import open_input, open_output
from encoder_service.worker.libav.stills import decode_animation
from encoder_service.worker.libav.video_file import open_video
from tests.encoder_service.worker.libav.test_video_file import write_clip

NAMES = [
    "12:30.mkv",
    "-dash.mkv",
    "http:x.mkv",
    "concat:a.mkv",
    "concat:a.mkv|b.mkv",
    "file:x.mkv",
    "subfile,,start,0,end,0,,:x.mkv",
    "pipe:0",
    "data:,x.mkv",
    "x%03d.mkv",
    "100%.mkv",
    "x%20y.mkv",
    "what?.mkv",
    "a#b.mkv",
    "[1].mkv",
    "a*b.mkv",
    "a b\n\\'\".mkv",
    "é.mkv",
]


@pytest.fixture
def clip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """A sound clip of four frames; the working directory is empty, for relative paths."""
    write_clip(tmp_path / "clip.mkv", "yuv420p")
    content = (tmp_path / "clip.mkv").read_bytes()
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    return content


@pytest.mark.parametrize("name", NAMES)
def test_every_reader_takes_a_relative_path_of_any_name(clip: bytes, name: str) -> None:
    path = Path(name)
    path.write_bytes(clip)
    assert len(list(open_video(path).frames)) == 4
    assert decode_video(path).frame_count == 4
    assert len(list(decode_animation(path, has_alpha=False))) == 4
    assert FileReader(path).width == 64


@pytest.mark.parametrize("name", NAMES)
def test_an_output_is_written_where_its_name_says(clip: bytes, name: str) -> None:
    with open_output(Path(name), "matroska", {}) as container:
        stream = container.add_stream("ffv1", rate=4)
        stream.width, stream.height, stream.pix_fmt = 16, 16, "yuv420p"
        container.mux(stream.encode(av.VideoFrame(16, 16, "yuv420p")))
        container.mux(stream.encode())
    assert [path.name for path in Path().iterdir()] == [name]
    assert decode_video(Path(name)).frame_count == 1


@pytest.mark.parametrize("name", ["x%03d.png", "x%d.png", "x*.png", "x?.png", "x[0-9].png", "%%.png"])
def test_a_picture_whose_name_is_a_pattern_is_read_itself(clip: bytes, name: str) -> None:
    for other in ("x001.png", "x1.png", "x2.png"):
        write_picture(Path(other), 32)
    write_picture(Path(name), 48)
    video = open_video(Path(name))
    assert (video.width, len(list(video.frames))) == (48, 1)


@pytest.mark.parametrize("scheme", ["http", "https", "tcp", "rtmp", "ftp"])
def test_a_local_file_sends_nothing_to_the_network(clip: bytes, scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        host = f"127.0.0.1:{listener.getsockname()[1]}"
        path = Path(f"{scheme}:/{host}/x.mkv")
        path.parent.mkdir(parents=True)
        path.write_bytes(clip)
        assert len(list(open_video(path).frames)) == 4
        for playlist, text in (
            (
                "list.m3u8",
                f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{scheme}://{host}/x.ts\n#EXT-X-ENDLIST\n",
            ),
            ("list.ffconcat", f"ffconcat version 1.0\nfile {scheme}://{host}/x.mkv\n"),
            ("list.sdp", f"v=0\nc=IN IP4 127.0.0.1\nm=video {host.rpartition(':')[2]} RTP/AVP 96\n"),
        ):
            Path(playlist).write_text(text)
            with pytest.raises((OutputError, av.error.FFmpegError)):
                list(open_video(Path(playlist)).frames)
        with pytest.raises(BlockingIOError):
            listener.accept()


def test_a_missing_file_is_reported_as_missing(clip: bytes) -> None:
    with pytest.raises(FileNotFoundError):
        open_input(Path("http:x.mkv"))


def write_picture(path: Path, side: int) -> None:
    """Writes a square PNG."""
    from PIL import Image

    Image.new("RGB", (side, side)).save(path, format="PNG")
