"""`VideoEncoder` takes what torchcodec's takes and gives what it gives."""

from __future__ import annotations

import io
from pathlib import Path

import av
import numpy as np
import pytest
from telecine.clients.embedded import EmbeddedServer
from telecine.compat.torchcodec import VideoEncoder
from telecine.exceptions import InvalidRequestError

from encoder_service.worker.verification.verify import verify

FRAMES = np.full((4, 3, 32, 48), 90, np.uint8)


def test_a_file_has_the_options_that_were_given(encoder: EmbeddedServer, tmp_path: Path) -> None:
    to = tmp_path / "clip.mp4"
    made = VideoEncoder(FRAMES, frame_rate=30000 / 1001, server=encoder.address)
    assert made.to_file(
        to, codec="libx264", crf=12, preset="fast", pixel_format="yuv444p", extra_options={"g": 2}
    ) is None  # fmt: skip
    assert verify(to).is_sound
    with av.open(str(to)) as container:
        stream = container.streams.video[0]
        assert (stream.codec.canonical_name, stream.pix_fmt, stream.frames) == ("h264", "yuv444p", 4)
        keys = [packet.is_keyframe for packet in container.demux(stream) if packet.size]
    assert keys == [True, False, True, False]
    buffer = io.BytesIO()
    made.to_file_like(buffer, "webm")
    assert buffer.getvalue()[:4] == b"\x1a\x45\xdf\xa3"


def test_what_torchcodec_refuses_is_refused_alike(encoder: EmbeddedServer, tmp_path: Path) -> None:
    for frames, rate, words in (
        ([1], 24, "Expected frames to be a Tensor"),
        (FRAMES[0], 24, "Expected 4D frames"),
        (FRAMES / 255, 24, "Expected uint8 frames"),
        (FRAMES, 0, "must be > 0"),
    ):
        with pytest.raises(ValueError, match=words):
            VideoEncoder(frames, frame_rate=rate)
    made = VideoEncoder(FRAMES, frame_rate=24, server=encoder.address)
    with pytest.raises(InvalidRequestError):
        made.to_file(tmp_path / "clip.flv")
    with pytest.raises(InvalidRequestError):
        made.to_file_like(io.BytesIO(), "../mp4")
    assert list(tmp_path.iterdir()) == []
