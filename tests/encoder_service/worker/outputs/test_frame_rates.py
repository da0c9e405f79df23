"""Frame rates: what the service accepts for a format is made, with times exact or rounded once."""

from __future__ import annotations

import tempfile
from fractions import Fraction
from pathlib import Path

import av
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image
from telecine.encoder.v1 import encoder_pb2 as pb

from encoder_service.config import EncoderConfig
from encoder_service.errors import ServiceError
from encoder_service.spec.spec import Rational
from encoder_service.spec.timing import ticks_in_16_bits
from encoder_service.wire.job_spec import parse_spec
from tests.encoder_service.raw_client import spec
from tests.encoder_service.worker.outputs.drawing import Run, gradient_clip, run_writer

VIDEO = (
    *(("mp4", codec) for codec in ("h264", "hevc", "av1")),
    *(("mov", codec) for codec in ("prores", "h264", "hevc")),
    *(("webm", codec) for codec in ("vp9", "av1")),
    ("avif", "av1"),
    *(("mkv", codec) for codec in ("ffv1", "h264", "hevc", "vp9", "av1")),
)
ANIMATIONS = {"gif": Fraction(1, 100), "webp": Fraction(1, 1000), "apng": Fraction(1, 1000)}
AWKWARD = [
    *(Fraction(n * 1000, 1001) for n in (24, 30, 48, 60, 72, 90, 120, 240)),
    *map(Fraction, ("1/1000", "1/3600", "1/60", "0.5", "15.987", "24.123456", "11640000/785999")),
    *map(Fraction, ("1", "25", "50", "100", "101", "144", "240", "241", "300", "500", "999.9", "1000")),
    *map(Fraction, ("100/65535", "100/65536", "1000/65537", "99999989/99999971", "1000000000/1000003")),
]
RATES = st.one_of(
    st.sampled_from(AWKWARD),
    st.integers(1, 1000).map(Fraction),
    st.integers(1, 1000).map(lambda nominal: Fraction(nominal * 1000, 1001)),
    st.fractions(Fraction(1, 1000), 1000, max_denominator=1_000_000),
)


def refusal(format_name: str, codec: str, rate: Fraction) -> str:
    """What the service says to a rate before the upload; empty: it takes it."""
    message = spec("job", pb.OutputSpec(format=format_name, codec=codec))
    message.video.frame_rate.numerator, message.video.frame_rate.denominator = rate.as_integer_ratio()
    try:
        parse_spec(message, EncoderConfig().wire_limits)
    except ServiceError as error:
        return "; ".join(f"{entry.field}: {entry.description}" for entry in error.violations)
    return ""


def made(directory: str, format_name: str, codec: str, rate: Fraction, frames: int) -> Run:
    own = Rational(*rate.as_integer_ratio())
    clip = gradient_clip(frames, 18, 34)
    return run_writer(Path(directory), clip, frame_rate=own, format=format_name, codec=codec, quality="draft")


def times_in(path: Path) -> tuple[list[Fraction], Fraction]:
    """When each frame of a video is shown, in order, and the unit of these times, as its packets say."""
    with av.open(str(path)) as file:
        stream = file.streams.video[-1]  # of an AVIF, the track and not the still picture
        assert stream.time_base is not None
        packets = [packet for packet in file.demux(stream) if packet.size]
        return sorted(Fraction(packet.pts or 0) * stream.time_base for packet in packets), stream.time_base


def agrees(run: Run, format_name: str, rate: Fraction, frames: int) -> None:
    """Judges the file by itself, and what the service says of it."""
    told = run.finished.readback
    if format_name in ANIMATIONS:
        tick = ANIMATIONS[format_name]
        if format_name == "apng":
            # Its delays have 16 bits: of a frame that is shown for more than a minute they are coarser.
            tick = max(tick, Fraction(1, 2 * ticks_in_16_bits(Rational(*rate.as_integer_ratio()))))
        with Image.open(run.path) as image:
            count = getattr(image, "n_frames", 1)
            shown = Fraction(0)
            for index in range(count):
                image.seek(index)
                image.load()
                shown += Fraction(image.info.get("duration", 0)) / 1000
        # Pillow joins equal GIF frames and has whole milliseconds of an APNG's exact times.
        assert abs(told.duration_seconds - frames / rate) <= tick
        assert format_name == "apng" or abs(shown - frames / rate) <= tick
        return
    times, tick = times_in(run.path)
    rounded = Fraction(0) if format_name in {"mp4", "mov", "avif"} else tick / 2
    assert len(times) == frames
    assert all(abs(time - index / rate) <= rounded for index, time in enumerate(times))
    assert (told.frame_rate.numerator, told.frame_rate.denominator) == rate.as_integer_ratio()


@pytest.mark.parametrize(("format_name", "codec"), [*VIDEO, *((name, name) for name in ANIMATIONS)])
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(rate=RATES, frames=st.sampled_from([1, 2, 3, 40]))
@example(rate=Fraction(60000, 1001), frames=3)
@example(rate=Fraction(11640000, 785999), frames=1)
@example(rate=Fraction(1, 1000), frames=2)
@example(rate=Fraction(1000), frames=3)
def test_a_rate_is_made_as_it_was_asked_for_or_refused_before_the_upload(
    format_name: str, codec: str, rate: Fraction, frames: int
) -> None:
    said = refusal(format_name, codec, rate)
    if said:
        assert format_name == "gif" or codec == "av1", said
        assert said.startswith("spec.outputs[0].frame_rate: ")
        return
    with tempfile.TemporaryDirectory() as place:
        agrees(made(place, format_name, codec, rate, frames), format_name, rate, frames)


@pytest.mark.parametrize("rate", [Fraction(60000, 1001), Fraction("24.123456"), Fraction(999)])
@pytest.mark.parametrize("format_name", ["webm", "mkv", "mp4"])
def test_times_do_not_drift_over_hundreds_of_frames(tmp_path: Path, format_name: str, rate: Fraction) -> None:
    codec = {"webm": "vp9"}.get(format_name, "h264")
    agrees(made(str(tmp_path / "made"), format_name, codec, rate, 300), format_name, rate, 300)


@pytest.mark.parametrize(
    ("format_name", "codec", "rate", "says"),
    [
        ("gif", "", "101", "gif takes 20/13107 to 100 frames per second, not 101"),
        ("gif", "", "1/1000", "gif takes 20/13107 to 100 frames per second, not 1/1000 (0.001)"),
        ("mp4", "av1", "500", "av1 takes 1/3600 to 240 frames per second, not 500"),
        ("webm", "av1", "240001/1000", "av1 takes 1/3600 to 240 frames per second"),
        ("mp4", "", "1001", "spec.video.frame_rate: must be 1/3600 to 1000 frames per second"),
        ("webp", "", "1/3601", "spec.video.frame_rate: must be 1/3600 to 1000 frames per second"),
        ("png", "", "1000000001/100000000", "at most 1000000000/100000000"),
    ],
)
def test_a_rate_that_cannot_be_is_refused_by_name(format_name: str, codec: str, rate: str, says: str) -> None:
    assert says.removeprefix("at most ") in refusal(format_name, codec, Fraction(rate))


def test_a_rate_of_the_output_s_own_is_what_counts() -> None:
    message = spec("job", pb.OutputSpec(format="gif", frame_rate=pb.Rational(numerator=25)))
    message.video.frame_rate.numerator = 120
    parse_spec(message, EncoderConfig().wire_limits)
    message.outputs[0].frame_rate.numerator = 120
    with pytest.raises(ServiceError) as refused:
        parse_spec(message, EncoderConfig().wire_limits)
    assert [entry.field for entry in refused.value.violations] == ["spec.outputs[0].frame_rate"]
    assert "spec.video" not in refused.value.violations[0].description


@pytest.mark.parametrize(
    ("format_name", "codec", "size", "says"),
    [
        ("mp4", "hevc", (8, 8), "hevc takes pictures from 16 x 16 on, not 8 x 8"),
        ("mov", "hevc", (64, 13), "hevc takes pictures from 16 x 16 on, not 64 x 14"),
        ("webm", "av1", (2, 2), "av1 takes pictures from 4 x 4 on"),
    ],
)
def test_frames_below_a_codec_s_smallest_size_are_refused(
    format_name: str, codec: str, size: tuple[int, int], says: str
) -> None:
    message = spec("job", pb.OutputSpec(format=format_name, codec=codec))
    message.video.width, message.video.height = size
    with pytest.raises(ServiceError, match=says):
        parse_spec(message, EncoderConfig().wire_limits)


@pytest.mark.parametrize("rows", [1, 2, 7, 256])
def test_one_column_fits_into_ffv1(tmp_path: Path, rows: int) -> None:
    run = run_writer(tmp_path, gradient_clip(2, rows, 1), format="mkv")
    assert (run.finished.readback.width, run.finished.readback.height) == (1, rows)
