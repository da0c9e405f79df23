"""What cannot be made here is refused before its frames come."""

from __future__ import annotations

import msgspec

from encoder_service.pool.availability import refusal
from encoder_service.worker_protocol import EncoderProbe, FormatProbe, Probed
from tests.encoder_service.records import record


def probed(*, is_available: bool) -> Probed:
    """A server with one format."""
    encoders = (EncoderProbe("libx264", "h264", is_available, "" if is_available else "no silicon"),)
    return Probed((FormatProbe("mp4", "video/mp4", ".mp4", "h264", False, encoders),), {})


def test_a_strict_output_without_a_working_encoder_is_refused_before_its_frames_come() -> None:
    spec = record().spec
    strict = msgspec.structs.replace(
        spec, outputs=tuple(msgspec.structs.replace(output, strict=True) for output in spec.outputs)
    )
    assert refusal(spec, probed(is_available=False)) is None
    assert refusal(strict, probed(is_available=True)) is None
    error = refusal(strict, probed(is_available=False))
    assert error is not None
    assert error.reason_name == "ENCODER_UNAVAILABLE"
    assert error.metadata == {"output": "mp4", "encoder": "libx264"}
    assert "no silicon" in error.message
