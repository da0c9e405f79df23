"""Sizes, overlays, bit rates and durations of a spec: taken as they are meant, or every wrong field named."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from google.protobuf.duration_pb2 import Duration
from telecine.encoder.v1 import encoder_pb2 as pb
from telecine.errors.v1 import error_reason_pb2 as reasons

from encoder_service.config import EncoderConfig
from encoder_service.errors import ServiceError
from encoder_service.pool.availability import without_unavailable
from encoder_service.spec.overlays.overlay import ImageOverlay, Length, Position, TextOverlay
from encoder_service.spec.spec import OutputSpec, Quality, Rational, Scale, ScaleMode, differing_fields
from encoder_service.spool.clip_limit import clip_limit_frames
from encoder_service.wire.job_spec import parse_spec
from encoder_service.wire.limits import WireLimits
from encoder_service.wire.overlays import pictures_of
from encoder_service.worker_protocol import EncoderProbe, FormatProbe, Probed
from tests.encoder_service.raw_client import spec

CONFIG = EncoderConfig().wire_limits
OUTPUT = "spec.outputs[0]"
LOGO = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x10\0\0\0\x10 and so on"
DIGEST = hashlib.sha256(LOGO).hexdigest()


def parsed(output: pb.OutputSpec, **job: object) -> OutputSpec:
    return parse_spec(spec("job", output, **job), CONFIG).outputs[0]


def wrong_fields(*outputs: pb.OutputSpec, config: WireLimits = CONFIG, **job: object) -> set[str]:
    with pytest.raises(ServiceError) as refused:
        parse_spec(spec("job", *outputs, **job), config)
    assert refused.value.reason == reasons.ERROR_REASON_INVALID_FIELD
    return {violation.field.removeprefix(f"{OUTPUT}.") for violation in refused.value.violations}


def text(content: str = "hello", **fields: object) -> pb.Overlay:
    overlay = pb.Overlay(**fields)  # type: ignore[arg-type]
    overlay.text.text = content
    return overlay


def mp4(*overlays: pb.Overlay, **fields: object) -> pb.OutputSpec:
    return pb.OutputSpec(format="mp4", overlays=overlays, **fields)  # type: ignore[arg-type]


def test_overlays_that_say_nothing_more_get_the_documented_defaults() -> None:
    image = pb.Overlay(image=pb.ImageOverlay(image=LOGO))
    first, second = parsed(mp4(text(), image)).overlays
    assert first.kind == TextOverlay("hello")
    assert (first.position, second.position) == (Position.BOTTOM, Position.BOTTOM_RIGHT)
    assert second.kind == ImageOverlay(DIGEST, len(LOGO))
    assert (first.opacity, first.start_seconds, first.end_seconds) == (1.0, 0.0, None)
    assert first.margin == Length(0.03, is_fraction=True)


def test_zero_is_not_the_same_as_unset() -> None:
    overlay = text(opacity=0.0, margin=pb.Length(pixels=0), end=Duration(seconds=0, nanos=500_000_000))
    overlay.text.outline_width.pixels = 0
    found = parsed(mp4(overlay)).overlays[0]
    assert isinstance(found.kind, TextOverlay)
    assert (found.opacity, found.margin, found.end_seconds) == (0.0, Length(0), 0.5)
    assert found.kind.outline_width == Length(0)


def test_an_image_travels_once_and_is_named_by_its_hash_after_that() -> None:
    first = pb.Overlay(image=pb.ImageOverlay(image=LOGO))
    again = pb.Overlay(image=pb.ImageOverlay(image_sha256=DIGEST, width=pb.Length(fraction=0.2)))
    message = spec("job", mp4(first), pb.OutputSpec(format="webp", overlays=[again]))
    job = parse_spec(message, CONFIG)
    kinds = [output.overlays[0].kind for output in job.outputs]
    assert [kind.sha256 for kind in kinds if isinstance(kind, ImageOverlay)] == [DIGEST, DIGEST]
    assert pictures_of(message) == {DIGEST: LOGO}


def test_every_wrong_part_of_an_overlay_is_named() -> None:
    bad = text("{seed} {nobody}", position=99, opacity=2, start=Duration(seconds=3), end=Duration(seconds=2))  # type: ignore[arg-type]
    bad.x.pixels = 5
    bad.margin.fraction = -0.1
    bad.text.font, bad.text.color, bad.text.size.pixels = "../secret.ttf", "red", 1e9
    image = pb.Overlay(image=pb.ImageOverlay(image=LOGO, image_sha256=DIGEST, width=pb.Length(pixels=0)))
    lost = pb.Overlay(image=pb.ImageOverlay(image_sha256="0" * 64))
    at = "overlays[0]"
    assert wrong_fields(mp4(bad, image, lost, pb.Overlay()), metadata={"seed": "1"}) == {
        at,
        f"{at}.position",
        f"{at}.opacity",
        f"{at}.end",
        f"{at}.margin.fraction",
        f"{at}.text.text",
        f"{at}.text.font",
        f"{at}.text.color",
        f"{at}.text.size.pixels",
        "overlays[1].image.image",
        "overlays[1].image.width",
        "overlays[2].image.image_sha256",
        "overlays[3]",
    }


@pytest.mark.parametrize("content", ["", "x" * 2001, "a\0b", "one { brace"])
def test_texts_that_cannot_be_shown_are_refused(content: str) -> None:
    assert wrong_fields(mp4(text(content))) == {"overlays[0].text.text"}


def test_the_limits_of_the_configuration_hold(tmp_path: Path) -> None:
    config = EncoderConfig(max_overlays_per_output=1, max_overlay_image_bytes=4).wire_limits
    image = pb.Overlay(image=pb.ImageOverlay(image=LOGO))
    assert wrong_fields(mp4(text(), text()), config=config) == {"overlays"}
    assert wrong_fields(mp4(image), config=config) == {"overlays[0].image.image"}
    named = text()
    named.text.font = "mine.ttf"
    assert wrong_fields(mp4(named)) == {"overlays[0].text.font"}
    (tmp_path / "mine.ttf").write_bytes(b"a font")
    job = parse_spec(spec("job", mp4(named)), EncoderConfig(font_directories=(tmp_path,)).wire_limits)
    assert isinstance(job.outputs[0].overlays[0].kind, TextOverlay)


def test_a_size_may_be_a_name_and_a_ratio() -> None:
    scale = pb.Scale(size="1080p", aspect_ratio="9:16", mode=pb.SCALE_MODE_FILL, pad_color="#AABBCC")
    assert parsed(mp4(scale=scale)).scale == Scale(
        mode=ScaleMode.FILL, size="1080p", aspect_ratio="9:16", pad_color="#aabbcc"
    )


@pytest.mark.parametrize(
    ("scale", "field"),
    [
        (pb.Scale(size="1081p"), "scale.size"),
        (pb.Scale(size="720p", width=5), "scale.size"),
        (pb.Scale(aspect_ratio="16x9"), "scale.aspect_ratio"),
        (pb.Scale(aspect_ratio="16:9", width=16, height=9), "scale.aspect_ratio"),
        (pb.Scale(aspect_ratio="16:9", mode=pb.SCALE_MODE_FIT), "scale"),
        (pb.Scale(aspect_ratio="16:9", mode=pb.SCALE_MODE_STRETCH), "scale"),
        (pb.Scale(size="720p", pad_color="black"), "scale.pad_color"),
        (pb.Scale(), "scale"),
    ],
)
def test_sizes_that_contradict_themselves_are_refused(scale: pb.Scale, field: str) -> None:
    assert field in wrong_fields(mp4(scale=scale))


def test_a_bit_rate_stands_alone_and_needs_rate_control() -> None:
    assert parsed(mp4(bit_rate=2_000_000)).bit_rate == 2_000_000
    assert wrong_fields(mp4(bit_rate=1, crf=20.0)) == {"bit_rate"}
    assert wrong_fields(mp4(bit_rate=1, quality=pb.QUALITY_LOSSLESS)) == {"bit_rate"}
    assert wrong_fields(mp4(bit_rate=-1)) == {"bit_rate"}
    assert wrong_fields(pb.OutputSpec(format="png", bit_rate=1)) == {"bit_rate"}
    assert wrong_fields(pb.OutputSpec(format="mkv", codec="ffv1", bit_rate=1)) == {"bit_rate"}


def test_the_longest_clip_counts_whole_frames_and_is_reported_at_once() -> None:
    config = EncoderConfig(max_clip_seconds=2.0).wire_limits
    job = parse_spec(spec("job", "mp4"), config)
    assert clip_limit_frames(job.video, config.max_clip_seconds) == 48
    assert clip_limit_frames(job.video, CONFIG.max_clip_seconds) == 0
    assert clip_limit_frames(job.video, 0.001) == 1
    message = spec("job", "mp4")
    message.video.expected_frames = 49
    with pytest.raises(ServiceError, match="at most 48"):
        parse_spec(message, config)


def test_formats_that_nobody_knows_are_left_out_where_the_caller_allows() -> None:
    message = spec("job", "mp4", "av2", skip_unavailable=True)
    job = parse_spec(message, CONFIG)
    assert [output.name for output in job.outputs] == ["mp4"]
    assert [(entry.output.name, "av2" in entry.reason) for entry in job.skipped] == [("av2", True)]
    message.skip_unavailable = False
    with pytest.raises(ServiceError, match="'av2' is unknown"):
        parse_spec(message, CONFIG)


@pytest.mark.parametrize("job", [{"skip_unavailable": True, "strict": True}, {"skip_unavailable": True}])
def test_nothing_is_left_out_of_a_strict_job_nor_everything_of_any(job: dict[str, bool]) -> None:
    outputs = [pb.OutputSpec(format="av2")] + ([mp4()] if "strict" in job else [])
    with pytest.raises(ServiceError):
        parse_spec(spec("job", *outputs, **job), CONFIG)


def probed(**is_available: bool) -> Probed:
    rows = [
        FormatProbe(name, "", "", name, False, (EncoderProbe(f"lib{name}", name, found, "not built"),))
        for name, found in is_available.items()
    ]
    return Probed(tuple(rows), {})


def test_outputs_without_a_working_encoder_are_left_out_too() -> None:
    outputs = (OutputSpec("a", "one"), OutputSpec("b", "two"))
    job = parse_spec(spec("job", "mp4", skip_unavailable=True), CONFIG)
    from msgspec.structs import replace

    asked = replace(job, outputs=outputs)
    left = without_unavailable(asked, probed(one=True, two=False))
    assert [output.name for output in left.outputs] == ["a"]
    assert left.skipped[0].reason == "libtwo: not built"
    assert differing_fields(asked, left) == "", "a resumed upload is the same job"
    with pytest.raises(ServiceError, match="no output can be made"):
        without_unavailable(asked, probed(one=False, two=False))


def test_what_was_asked_for_in_another_way_is_another_job() -> None:
    one = parse_spec(spec("job", mp4(text("a"))), CONFIG)
    other = parse_spec(spec("job", mp4(text("b"))), CONFIG)
    assert differing_fields(one, other) == "outputs"


def test_the_rate_and_quality_stay_what_they_were() -> None:
    found = parsed(mp4(max_duration=Duration(seconds=1, nanos=500_000_000)))
    assert (found.max_duration_seconds, found.quality, found.frame_rate) == (1.5, Quality.HIGH, None)
    assert parse_spec(spec("job", mp4()), CONFIG).video.frame_rate == Rational(24)
