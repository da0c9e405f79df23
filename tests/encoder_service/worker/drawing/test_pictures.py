"""An overlay's picture is of a kind that we name, and is judged before it is decoded."""

from __future__ import annotations

import io
import stat
import struct
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from encoder_service.spec.errors import OutputError
from encoder_service.spec.overlays.picture_header import KINDS, MAX_PIXELS, find_fault, read_header
from encoder_service.worker.pillow import decode_still, read_overlay

EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 32 32\n%%EndComments\n(/etc/passwd) (r) file\n%%EOF"


def picture(kind: str, width: int = 23, height: int = 17, mode: str = "RGB", **settings: object) -> bytes:
    """A drawn file."""
    file = io.BytesIO()
    Image.linear_gradient("L").resize((width, height)).convert(mode).save(file, kind, **settings)
    return file.getvalue()


def huge_png(width: int, height: int) -> bytes:
    """Promises many pixels in a few bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b""))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    "data",
    [
        *(picture(kind) for kind in KINDS),
        picture("WEBP", lossless=True),
        picture("WEBP", mode="RGBA", icc_profile=b"no profile"),
        picture("JPEG", progressive=True, comment=b"words"),
        picture("PNG", mode="RGBA"),
    ],
)
def test_the_first_bytes_show_kind_and_size(data: bytes) -> None:
    header = read_header(data)
    assert header is not None
    assert (header.width, header.height) == (23, 17)
    assert not find_fault(data)
    assert read_overlay(data, MAX_PIXELS).pixels.shape == (17, 23, 4)


@pytest.mark.parametrize(
    "data",
    [
        EPS,
        b"\xc5\xd0\xd3\xc6" + bytes(30) + EPS,
        b"",
        b"an image",
        b"<svg/>",
        b"%PDF-1.4",
        b"RIFF\0\0\0\0WAVE",
        *(picture(kind) for kind in ("TIFF", "ICO", "PPM", "PCX", "TGA", "SGI", "DDS")),
    ],
)
def test_other_kinds_are_refused_at_the_edge_and_by_the_door(data: bytes) -> None:
    assert find_fault(data).startswith("must be a picture: PNG, JPEG, WEBP, GIF, BMP")
    with pytest.raises(OutputError) as refused:
        read_overlay(data, MAX_PIXELS)
    assert refused.value.code == "INVALID_OVERLAY"
    assert "0x" not in str(refused.value)
    with pytest.raises(OutputError):
        decode_still(data)


def test_postscript_starts_no_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program, called = tmp_path / "gs", tmp_path / "called"
    program.write_text(f"#!/bin/sh\necho called > {called}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    for data in (EPS, b"\xff\xd8\xff" + EPS, b"\x89PNG\r\n\x1a\n" + EPS, b"BM" + EPS):
        with pytest.raises(OutputError):
            read_overlay(data, MAX_PIXELS)
    assert not called.exists()


@pytest.mark.parametrize(
    "size", [(50_000, 50_000), (4001, 4000), (65_536, 1), (2**31 - 1, 1), (2**32 - 1, 2**32 - 1)]
)
def test_a_picture_that_promises_too_much_is_refused_before_it_is_decoded(size: tuple[int, int]) -> None:
    data = huge_png(*size)
    assert "at most" in find_fault(data)
    with pytest.raises(OutputError) as refused:
        read_overlay(data, MAX_PIXELS)
    assert refused.value.code == "INVALID_OVERLAY"
    with pytest.raises(OutputError):
        decode_still(data)


@given(
    st.sampled_from([picture(kind, 8, 8) for kind in KINDS]),
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=6),
    st.integers(0, 400),
)
def test_a_damaged_picture_is_one_clear_error_or_a_picture(
    data: bytes, changes: list[tuple[int, int]], cut: int
) -> None:
    damaged = bytearray(data)
    for place, value in changes:
        damaged[place % len(damaged)] = value
    damaged = damaged[: len(damaged) - cut % len(damaged)]
    find_fault(bytes(damaged))
    found = outcome(bytes(damaged))
    assert not found or (found.startswith("INVALID_OVERLAY") and "0x" not in found)


def outcome(data: bytes) -> str:
    """Code and message of the error; empty: it was decoded."""
    try:
        read_overlay(data, MAX_PIXELS)
    except OutputError as error:
        return f"{error.code} {error}"
    return ""
