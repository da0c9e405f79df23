"""Reading back: a file that is not what was made is found out, whatever is wrong with it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from encoder_service.evidence.facts import Readback
from encoder_service.spec.errors import OutputError
from encoder_service.spec.spec import OutputSpec
from encoder_service.worker.containers.isobmff import read_movie_facts
from encoder_service.worker.containers.matroska import read_track_facts
from encoder_service.worker.libav.decoding import DecodedPicture, FilePacket, PacketDecoder
from encoder_service.worker.outputs import video
from encoder_service.worker.outputs.video import VideoWriter
from encoder_service.worker.process.capabilities import MemorySource
from encoder_service.worker.video import decode_check
from encoder_service.worker.video.decode_check import Decoded, is_sampled
from encoder_service.worker.video.readback import FileContent, Numbering, compare, read_content
from encoder_service.worker.writer import WriterContext, open_writer
from tests.encoder_service.worker.outputs.drawing import gradient_clip
from tests.encoder_service.worker.outputs.streams import spec_of

FRAMES = 6


def filled(directory: Path, container: str) -> VideoWriter:
    """A writer that has all frames."""
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
    return writer


def made(directory: Path, container: str) -> tuple[VideoWriter, Decoded]:
    """A writer whose file is closed and not yet read back."""
    writer = filled(directory, container)
    writer._encode(writer._ahead.swap(None), FRAMES - 1)
    writer._take(writer._encoder.flush())
    writer._encoder.close()
    return writer, writer._check.finish()


def read_back(writer: VideoWriter, decoded: Decoded) -> Readback:
    content = read_content(writer._path, writer._row, writer._plan, threads=1)
    return compare(writer._path.name, content, writer._row, writer._plan, writer._sent, decoded)


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
        read_back(writer, decoded)
        damage(writer._path)
        with pytest.raises(OutputError, match=says) as caught:
            read_back(writer, decoded)
        assert caught.value.code == "VERIFICATION_FAILED"
    finally:
        writer.close()


@pytest.mark.parametrize("read", [read_movie_facts, read_track_facts])
@pytest.mark.parametrize(
    "content", [b"", b"nonsense", bytes(64), b"\xff" * 64, np.arange(256, dtype=np.uint8).tobytes()]
)
def test_what_is_no_such_file_is_reported(
    tmp_path: Path, read: Callable[[Path], object], content: bytes
) -> None:
    path = tmp_path / "clip"
    path.write_bytes(content)
    with pytest.raises(OutputError) as caught:
        read(path)
    assert caught.value.code == "VERIFICATION_FAILED"


@given(
    frame=st.integers(0, 10**6),
    error=st.fractions(-2, 2),
    rate=st.sampled_from([Fraction(24), Fraction(24000, 1001), Fraction(1000), Fraction(1, 3)]),
    ticks_per_second=st.sampled_from([1000, 12288, 90000]),
)
def test_a_packet_is_numbered_by_its_time_or_said_to_stand_between_frames(
    frame: int, error: Fraction, rate: Fraction, ticks_per_second: int
) -> None:
    tick = Fraction(1, ticks_per_second)
    ticks = round((frame / rate + error / 1000) / tick)
    for tolerance in (Fraction(0), Fraction(1, 1000)):
        numbering = Numbering(tick, rate, is_exact=not tolerance)
        nearest = round(ticks * tick * rate)
        packet = FilePacket(b"", ticks, is_key=True)
        if abs(ticks * tick - nearest / rate) > tolerance:
            with pytest.raises(OutputError, match="between two frames"):
                numbering.numbered(packet)
        else:
            assert numbering.numbered(packet).frame == nearest


def test_the_file_is_read_back_while_the_last_packets_are_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_read, waits = threading.Event(), []
    read = video.read_content

    def read_and_signal(*arguments: Any, **options: Any) -> FileContent:
        content = read(*arguments, **options)
        is_read.set()
        return content

    class LateDecoder(PacketDecoder):
        def flush(self) -> list[DecodedPicture]:
            waits.append(is_read.wait(10))
            return super().flush()

    monkeypatch.setattr(video, "read_content", read_and_signal)
    monkeypatch.setattr(decode_check, "PacketDecoder", LateDecoder)
    writer = filled(tmp_path, "mp4")
    try:
        assert writer.finish().frames_decoded == FRAMES
        assert waits == [True], "decoding waited in vain for the file to be read"
    finally:
        writer.close()


def test_few_frames_are_compared_however_long_the_clip() -> None:
    assert [frame for frame in range(1000) if is_sampled(frame)] == [0, 48, 96, 192, 384, 768]
