"""What a spec asks to be made is bounded before a frame is taken; what people really make is not."""

from __future__ import annotations

import struct

import pytest
from google.protobuf.duration_pb2 import Duration
from telecine.encoder.v1 import encoder_pb2 as pb

from encoder_service.config import EncoderConfig
from encoder_service.errors import ServiceError
from encoder_service.spec.made_pixels import Making, most_frames, picture_size
from encoder_service.spec.spec import JobSpec, OutputSpec, PixelFormat, Rational, Scale, ScaleMode, VideoSpec
from encoder_service.spool.clip_limit import ClipLimit, clip_limit
from encoder_service.wire.job_spec import parse_spec
from encoder_service.wire.limits import WireLimits
from tests.encoder_service.raw_client import spec

CONFIG = EncoderConfig().wire_limits
EIGHT = ("mp4", "webm", "webp", "png", "gif", "apng", "mov", "mkv")


def png(width: int, height: int) -> bytes:
    """The first bytes of a picture: no more is read before the job is taken."""
    return b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", width, height) + b"\x08\x06\0\0\0"


def job(
    width: int, height: int, *outputs: pb.OutputSpec | str, frames: int = 0, **fields: object
) -> pb.JobSpec:
    message = spec("made", *outputs, **fields)
    message.video.width, message.video.height = width, height
    message.video.expected_frames = frames
    return message


def _limit(spec: JobSpec, config: WireLimits) -> ClipLimit:
    return clip_limit(spec, config.max_clip_seconds, config.most_made_pixels)


def wrong(message: pb.JobSpec, config: WireLimits = CONFIG) -> dict[str, str]:
    """The wrong fields, and what is said of them."""
    try:
        parse_spec(message, config)
    except ServiceError as refused:
        return {
            violation.field.removeprefix("spec.outputs[0]."): violation.description
            for violation in refused.violations
        }
    return {}


def logo(size: tuple[int, int], **width: float) -> pb.OutputSpec:
    image = pb.ImageOverlay(image=png(*size), width=pb.Length(**width) if width else None)  # type: ignore[arg-type]
    return pb.OutputSpec(format="mp4", overlays=[pb.Overlay(image=image)])


def captions(text: str, count: int = 1, **fields: object) -> pb.OutputSpec:
    overlays = [pb.Overlay(text=pb.TextOverlay(text=text, **fields)) for _ in range(count)]  # type: ignore[arg-type]
    return pb.OutputSpec(format="mp4", overlays=overlays)


# --- what people make ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "message",
    [
        job(7680, 4320, *EIGHT, frames=100),
        job(16384, 16, "mp4", "webp", "gif", "png"),
        job(16, 16384, "mp4"),
        job(832, 480, *EIGHT, frames=6000),
        job(1920, 1080, *EIGHT, frames=2000),
        job(3840, 2160, "mp4", frames=600),
        job(960, 540, pb.OutputSpec(format="mp4", scale=pb.Scale(size="4k")), frames=7200),
        job(64, 48, "poster", "contact_sheet", frames=1_000_000),
        job(1920, 1080, pb.OutputSpec(format="contact_sheet", columns=20, rows=20)),
        job(1920, 1080, pb.OutputSpec(format="contact_sheet", columns=100)),
        job(1920, 1080, pb.OutputSpec(format="contact_sheet", rows=30)),
        job(7680, 4320, logo((7680, 2000), fraction=1.0)),
        job(7680, 4320, logo((3000, 3000))),
        job(7680, 4320, captions("a caption of one line and forty letters", 16)),
        job(1920, 1080, captions("{prompt}"), metadata={"prompt": "a cat " * 300}),
    ],
    ids=lambda message: f"{message.video.width}x{message.video.height}",
)
def test_what_people_make_is_taken(message: pb.JobSpec) -> None:
    assert wrong(message) == {}


def test_whatever_can_be_sent_can_be_made_at_its_own_size_in_every_output() -> None:
    """The default bound is on what is made larger than it was sent."""
    config = EncoderConfig(
        max_job_bytes=1 << 24, max_frame_bytes=1 << 20, spool_quota_bytes=1 << 24
    ).wire_limits
    assert config.most_made_pixels == 32 << 24
    outputs = tuple(OutputSpec(name=str(number), format="mp4") for number in range(32))
    video = VideoSpec(512, 512, PixelFormat.GRAY8, Rational(24))
    assert most_frames(outputs, video, config.most_made_pixels) == config.max_job_bytes // video.frame_bytes


# --- what costs too much -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "width"),
    [((10, 4000), {"fraction": 1.0}), ((10, 4000), {"pixels": 16384.0}), ((0, 0), {"pixels": 7000})],
)
def test_images_are_bounded_at_the_size_at_which_they_are_drawn(
    size: tuple[int, int], width: dict[str, float]
) -> None:
    found = wrong(job(7680, 4320, logo(size, **width)))
    assert set(found) == {"overlays[0].image"}
    assert f"max_overlay_pixels is {64 << 20}" in found["overlays[0].image"]


def test_an_image_that_may_lie_on_its_side_is_taken_at_the_larger_of_both() -> None:
    output = logo((7680, 2000), fraction=1.0)
    output.overlays[0].image.image += b"eXIf"
    assert set(wrong(job(7680, 4320, output))) == {"overlays[0].image"}


def test_all_overlays_of_an_output_are_bounded_together() -> None:
    config = EncoderConfig(max_drawn_pixels=1_000_000).wire_limits
    found = wrong(job(1920, 1080, captions("x" * 40, 8, size=pb.Length(pixels=60))), config)
    assert set(found) == {"overlays"}
    assert "max_drawn_pixels is 1000000" in found["overlays"]
    assert wrong(job(1920, 1080, captions("x" * 40, 2, size=pb.Length(pixels=60))), config) == {}


def test_a_text_is_as_long_as_its_fields_make_it() -> None:
    message = job(1920, 1080, captions("{prompt}" * 100), metadata={"prompt": "x" * 60_000})
    found = wrong(message)
    assert set(found) == {"overlays[0].text.text"}
    assert "6000000 characters" in found["overlays[0].text.text"]
    large = captions("{prompt}", size=pb.Length(pixels=200))
    assert set(wrong(job(1920, 1080, large, metadata={"prompt": "x" * 5000}))) == {"overlays[0].text"}


@pytest.mark.parametrize(
    ("size", "grid", "field"),
    [
        ((1920, 1080), (1, 100), "rows"),
        ((2048, 16384), (1, 3), "rows"),
        ((16, 16384), (1, 100), "rows"),
        ((1920, 1080), (100, 100), "columns"),
        ((1920, 1080), (21, 20), "columns"),
    ],
)
def test_contact_sheets_are_bounded_in_tiles_and_size(
    size: tuple[int, int], grid: tuple[int, int], field: str
) -> None:
    output = pb.OutputSpec(format="contact_sheet", columns=grid[0], rows=grid[1])
    found = wrong(job(*size, output))
    assert set(found) == {field}
    assert field == "columns" or "max_output_pixels" in found[field]


def test_a_grid_without_a_clip_of_that_length_is_what_the_clip_has() -> None:
    output = pb.OutputSpec(format="contact_sheet", columns=100, rows=100)
    assert wrong(job(1920, 1080, output, frames=3)) == {}


def test_a_side_that_scaling_makes_too_long_is_refused_at_once() -> None:
    scale = pb.Scale(size="8k", aspect_ratio="20:1")
    assert set(wrong(job(64, 48, pb.OutputSpec(format="mp4", scale=scale)))) == {"scale"}


def test_a_fitted_picture_counts_as_what_it_comes_to() -> None:
    scale = pb.Scale(width=16384, height=16384)
    assert wrong(job(1600, 100, pb.OutputSpec(format="mp4", scale=scale))) == {}
    assert picture_size(Scale(16384, 16384, ScaleMode.FIT), 1600, 100) == (16384, 1024)


# --- all frames of a job -------------------------------------------------------------------------

UP = pb.OutputSpec(format="mp4", scale=pb.Scale(size="8k"))


def test_a_declared_clip_of_which_too_much_is_made_is_refused_at_once() -> None:
    found = wrong(job(64, 36, *[UP] * 32, frames=2000))
    assert set(found) == {"spec.video.expected_frames"}
    said = found["spec.video.expected_frames"]
    assert f"max_job_output_pixels is {32 << 34}" in said
    assert "at most 517 frames" in said
    assert wrong(job(64, 36, *[UP] * 32, frames=517)) == {}
    assert (
        wrong(job(64, 36, *[UP] * 32, frames=2000), EncoderConfig(max_job_output_pixels=0).wire_limits) == {}
    )


def test_one_frame_may_be_too_much() -> None:
    assert set(wrong(job(64, 36, "mp4", "webm"), EncoderConfig(max_job_output_pixels=5000).wire_limits)) == {
        "spec.outputs"
    }


def test_a_clip_that_was_not_declared_has_the_same_end() -> None:
    parsed = parse_spec(job(64, 36, *[UP] * 32), CONFIG)
    limit = _limit(parsed, CONFIG)
    assert limit.size_bytes == 517 * parsed.video.frame_bytes
    assert "max_job_output_pixels" in limit.reason


def test_the_nearer_of_two_limits_counts() -> None:
    config = EncoderConfig(max_clip_seconds=1.0).wire_limits
    limit = _limit(parse_spec(job(64, 36, *[UP] * 32), config), config)
    assert limit.size_bytes == 24 * 64 * 36 * 3
    assert "1 s" in limit.reason


def test_outputs_that_end_early_make_no_more() -> None:
    cut = pb.OutputSpec(format="mp4", scale=pb.Scale(size="8k"), max_duration=Duration(seconds=2))
    assert _limit(parse_spec(job(64, 36, cut, "poster"), CONFIG), CONFIG).size_bytes == 0
    assert Making(100_000, 48).total(1 << 40) == 4_800_000


def test_many_tiny_pictures_count_as_more_than_their_pixels() -> None:
    output = (OutputSpec(name="png", format="png"),)
    video = VideoSpec(1, 1, PixelFormat.GRAY8, Rational(24))
    assert most_frames(output, video, 4096 * 1000) == 1000


@pytest.mark.parametrize(
    ("size", "output", "field"),
    [
        ((48, 48), pb.OutputSpec(format="mp4", codec="av1", bit_rate=10**6), ""),
        ((48, 128), pb.OutputSpec(format="avif", bit_rate=10**6), ""),
        (
            (128, 128),
            pb.OutputSpec(format="webm", codec="av1", bit_rate=10**6, scale=pb.Scale(width=32)),
            "scale",
        ),
        ((16, 16), pb.OutputSpec(format="mp4", codec="hevc", scale=pb.Scale(width=8, height=8)), "scale"),
        ((128, 128), pb.OutputSpec(format="mov", codec="hevc", scale=pb.Scale(width=14, height=14)), "scale"),
        ((128, 128), pb.OutputSpec(format="mp4", codec="av1", scale=pb.Scale(width=2)), "scale"),
        ((64, 64), pb.OutputSpec(format="mp4", bit_rate=999), "bit_rate"),
        ((64, 64), pb.OutputSpec(format="mp4", codec="av1", bit_rate=100_000_001), "bit_rate"),
    ],
)
def test_what_a_codec_cannot_make_is_refused_before_frames_come(
    size: tuple[int, int], output: pb.OutputSpec, field: str
) -> None:
    assert list(wrong(job(*size, output))) == [field or "spec.outputs[0]"]


@pytest.mark.parametrize(
    ("size", "output"),
    [
        ((64, 64), pb.OutputSpec(format="mp4", codec="av1", bit_rate=10**6)),
        ((63, 63), pb.OutputSpec(format="mp4", codec="av1", bit_rate=10**6)),
        ((48, 48), pb.OutputSpec(format="mp4", codec="av1")),
        ((15, 15), pb.OutputSpec(format="mp4", codec="hevc")),
        ((8, 8), pb.OutputSpec(format="mp4", codec="hevc", scale=pb.Scale(width=64))),
        ((8, 8), pb.OutputSpec(format="mp4", bit_rate=1000)),
    ],
)
def test_what_it_can_make_is_taken(size: tuple[int, int], output: pb.OutputSpec) -> None:
    assert wrong(job(*size, output)) == {}
