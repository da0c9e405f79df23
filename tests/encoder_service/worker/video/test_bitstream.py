"""Payloads: the same picture gives the same bytes, however a container has wrapped it."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from encoder_service.spec.errors import OutputError
from encoder_service.worker.video.bitstream import PayloadForm, form_of, normalized

# Units as encoders make them: no start code inside, no zero at the end.
BODY = st.binary(min_size=1, max_size=600).map(lambda data: data.replace(b"\x00", b"\x01"))


def annex_b(units: list[bytes], start_code: bytes = b"\x00\x00\x00\x01") -> bytes:
    return b"".join(start_code + unit for unit in units)


def prefixed(units: list[bytes]) -> bytes:
    return b"".join(len(unit).to_bytes(4, "big") + unit for unit in units)


@given(bodies=st.lists(BODY, min_size=1, max_size=4), is_short=st.booleans())
@example(bodies=[b"x" * 300], is_short=False)  # its length looks like a start code: 00 00 01 2d
def test_start_codes_and_lengths_come_to_the_same(bodies: list[bytes], is_short: bool) -> None:
    units = [b"\x65" + body for body in bodies]
    code = b"\x00\x00\x01" if is_short else b"\x00\x00\x00\x01"
    expected = b"".join(units)
    assert normalized("h264", annex_b(units, code), PayloadForm.START_CODES) == expected
    assert normalized("h264", prefixed(units), PayloadForm.LENGTHS) == expected


def test_parameter_sets_and_delimiters_do_not_count() -> None:
    h264 = [b"\x09\xf0", b"\x67sps", b"\x68pps", b"\x06sei", b"\x65idr"]
    assert normalized("h264", annex_b(h264), PayloadForm.START_CODES) == b"\x06sei\x65idr"
    hevc = [b"\x46\x01", b"\x40\x01vps", b"\x42\x01sps", b"\x44\x01pps", b"\x26\x01idr"]
    assert normalized("hevc", annex_b(hevc), PayloadForm.START_CODES) == b"\x26\x01idr"


def obu(kind: int, body: bytes, *, has_extension: bool = False) -> bytes:
    extension = b"\x00" if has_extension else b""
    return bytes([kind << 3 | has_extension << 2 | 2]) + extension + bytes([len(body)]) + body


def test_temporal_delimiters_of_av1_do_not_count() -> None:
    kept = obu(1, b"sequence") + obu(6, b"frame", has_extension=True)
    assert normalized("av1", obu(2, b"") + kept + obu(15, b"padding"), PayloadForm.START_CODES) == kept


@pytest.mark.parametrize(
    ("codec", "data", "form"),
    [
        ("h264", b"\x00\x00\x01\x00abc", PayloadForm.LENGTHS),
        ("hevc", b"\x00\x00", PayloadForm.LENGTHS),
        ("av1", b"\x32\x20frame", PayloadForm.START_CODES),
        ("av1", b"\x32" + b"\xff" * 9, PayloadForm.START_CODES),
    ],
)
def test_a_cut_packet_is_reported(codec: str, data: bytes, form: PayloadForm) -> None:
    with pytest.raises(OutputError) as caught:
        normalized(codec, data, form)
    assert caught.value.code == "VERIFICATION_FAILED"


def test_the_headers_show_the_form() -> None:
    assert form_of(b"\x01\x64\x00") is PayloadForm.LENGTHS
    assert form_of(b"\x00\x00\x00\x01\x67") is PayloadForm.START_CODES
    assert form_of(b"") is PayloadForm.START_CODES


def test_other_codecs_are_taken_as_they_are() -> None:
    assert normalized("vp9", b"\x00\x01", PayloadForm.START_CODES) == b"\x00\x01"
