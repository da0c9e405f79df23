"""What is reported as available has been made: each encoder in each container."""

from __future__ import annotations

import msgspec

from encoder_service.spec.formats import FORMATS
from encoder_service.worker.process.capabilities import probe


def test_an_encoder_is_not_available_in_a_container_that_cannot_be_written() -> None:
    mp4 = msgspec.structs.replace(FORMATS["mp4"], encoders=FORMATS["mp4"].candidates("h264")[:1])
    lost = msgspec.structs.replace(mp4, name="lost", container="no_such_muxer")
    sound, broken = probe([mp4, lost]).formats
    assert [entry.is_available for entry in sound.encoders] == [True]
    assert [entry.is_available for entry in broken.encoders] == [False]
    assert "no_such_muxer" in broken.encoders[0].reason


def test_an_encoder_is_not_available_in_a_container_that_does_not_hold_its_codec() -> None:
    encoders = FORMATS["mp4"].candidates("h264")[:1]
    webm = msgspec.structs.replace(FORMATS["webm"], default_codec="h264", encoders=encoders)
    (found,) = probe([webm]).formats
    assert not found.encoders[0].is_available
    assert found.encoders[0].reason


def test_an_order_of_formats_does_not_change_what_is_found() -> None:
    rows = [FORMATS["avif"], FORMATS["webp"], FORMATS["gif"]]
    assert {found.format: found for found in probe(rows).formats} == {
        found.format: found for found in probe(rows[::-1]).formats
    }
