"""Reading back: a file that is not what was made is found out, whatever is wrong with it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from encoder_service.capabilities import MemorySource
from encoder_service.formats import open_writer
from encoder_service.isobmff import read_movie_facts
from encoder_service.matroska import read_track_facts
from encoder_service.outputs.video import VideoWriter
from encoder_service.outputs.video_check import Decoded, is_sampled
from encoder_service.outputs.writer import OutputError, WriterContext
from encoder_service.readback import read_back
from encoder_service.spec import OutputSpec
from tests.encoder_service.outputs.drawing import gradient_clip
from tests.encoder_service.outputs.streams import spec_of

FRAMES = 6


def made(directory: Path, container: str) -> tuple[VideoWriter, Decoded]:
    """A writer whose file is closed and not yet read back."""
    source = MemorySource(frame.tobytes() for frame in gradient_clip(FRAMES, 64, 64))
    context = WriterContext(
        video=spec_of(64, 64),
        output=OutputSpec("clip", container),
        directory=directory,
        threads=1,
        source=source,
        warn=lambda _code, _message: None,
        log=lambda _line: None,
    )
    writer = open_writer(context)
    assert isinstance(writer, VideoWriter)
    for index in range(FRAMES):
        writer.write(source.frame(index))
    writer._take(writer._encoder.flush())
    writer._encoder.close()
    return writer, writer._check.finish()


def flip_a_coded_byte(path: Path) -> None:
    data = bytearray(path.read_bytes())
    at = data.index(b"mdat") + 2000 if b"mdat" in data else len(data) * 2 // 3
    data[min(at, len(data) - 40)] ^= 0x55
    path.write_bytes(data)


def cut_the_end(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: -path.stat().st_size // 3])


def change_the_matrix(path: Path) -> None:
    data = path.read_bytes()
    right = b"nclx\x00\x01\x00\x01\x00\x01"
    assert right in data
    path.write_bytes(data.replace(right, b"nclx\x00\x01\x00\x01\x00\x06"))


def move_the_index_to_the_end(path: Path) -> None:
    other = path.with_suffix(".other.mp4")
    with av.open(str(path)) as source, av.open(str(other), "w", format="mp4") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    other.replace(path)


@pytest.mark.parametrize(
    ("container", "damage", "says"),
    [
        ("mp4", flip_a_coded_byte, "packets|malformed|decod"),
        ("webm", flip_a_coded_byte, "packets|malformed|decod|track"),
        ("mp4", cut_the_end, "packets|index|malformed|opening|reading"),
        ("webm", cut_the_end, "packets|duration|decod"),
        ("mp4", change_the_matrix, "container tags"),
        ("mp4", move_the_index_to_the_end, "index stands at the end"),
    ],
)
def test_a_damaged_file_is_found_out(
    tmp_path: Path, container: str, damage: Callable[[Path], None], says: str
) -> None:
    writer, decoded = made(tmp_path, container)
    try:
        read_back(writer._path, writer._row, writer._plan, writer._sent, decoded, threads=1)
        damage(writer._path)
        with pytest.raises(OutputError, match=says) as caught:
            read_back(writer._path, writer._row, writer._plan, writer._sent, decoded, threads=1)
        assert caught.value.code == "VERIFICATION_FAILED"
    finally:
        writer.close()


@pytest.mark.parametrize("read", [read_movie_facts, read_track_facts])
@pytest.mark.parametrize(
    "content", [b"", b"nonsense", bytes(64), b"\xff" * 64, np.arange(256, dtype=np.uint8).tobytes()]
)
def test_what_is_no_such_file_is_told(tmp_path: Path, read: Callable[[Path], object], content: bytes) -> None:
    path = tmp_path / "clip"
    path.write_bytes(content)
    with pytest.raises(OutputError) as caught:
        read(path)
    assert caught.value.code == "VERIFICATION_FAILED"


def test_few_frames_are_compared_however_long_the_clip() -> None:
    assert [frame for frame in range(1000) if is_sampled(frame)] == [0, 48, 96, 192, 384, 768]
