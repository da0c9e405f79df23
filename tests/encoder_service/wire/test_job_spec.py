"""Specs are taken as they are meant, or refused with every wrong field named at once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from google.protobuf.message import DecodeError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from telecine.crc32c import crc32c
from telecine.encoder.v1 import encoder_pb2 as pb
from telecine.errors.v1 import error_reason_pb2 as reasons
from telecine.upload.ring import RingMemory

from encoder_service.config import EncoderConfig
from encoder_service.errors import ServiceError
from encoder_service.spec.formats import FORMATS
from encoder_service.spec.spec import (
    BT709,
    SRGB,
    ColorMatrix,
    ColorRange,
    JobSpec,
    Quality,
    Rational,
    differing_fields,
)
from encoder_service.spool.ring import Ring
from encoder_service.wire import outputs as outputs_of_wire
from encoder_service.wire.chunks import RawChunk, from_message, parse_request
from encoder_service.wire.job_spec import checked_chunk, parse_spec
from encoder_service.wire.limits import WireLimits
from tests.encoder_service.raw_client import spec

CONFIG = EncoderConfig().wire_limits


def wrong_fields(message: pb.JobSpec, config: WireLimits = CONFIG) -> set[str]:
    """The fields that are refused."""
    with pytest.raises(ServiceError) as refused:
        parse_spec(message, config)
    assert refused.value.reason == reasons.ERROR_REASON_INVALID_FIELD
    return {violation.field for violation in refused.value.violations}


def test_a_minimal_spec_gets_the_documented_defaults() -> None:
    job = parse_spec(spec("job", pb.OutputSpec(format="mp4")), CONFIG)
    assert job.video.frame_rate == Rational(24, 1)
    assert job.video.color == SRGB
    assert job.outputs[0].name == "mp4"
    assert job.outputs[0].quality is Quality.HIGH
    assert job.outputs[0].prefix == "frame"
    assert job.video.frame_bytes == 64 * 48 * 3


def test_yuv_means_bt709_limited_unless_it_says_otherwise() -> None:
    message = spec("job")
    message.video.pixel_format = pb.PIXEL_FORMAT_NV12
    assert parse_spec(message, CONFIG).video.color == BT709
    message.video.color.matrix = pb.COLOR_MATRIX_SMPTE170M
    message.video.color.range = pb.COLOR_RANGE_FULL
    color = parse_spec(message, CONFIG).video.color
    assert (color.matrix, color.range) == (ColorMatrix.SMPTE170M, ColorRange.FULL)


def test_an_rgb_matrix_on_yuv_samples_is_refused() -> None:
    message = spec("job")
    message.video.pixel_format = pb.PIXEL_FORMAT_YUV420P
    message.video.color.matrix = pb.COLOR_MATRIX_RGB
    assert wrong_fields(message) == {"spec.video.color.matrix"}


def test_everything_that_is_wrong_is_named_at_once() -> None:
    message = spec(
        "../etc", pb.OutputSpec(format="exe", name="a/b"), pb.OutputSpec(format="mp4", codec="vp9")
    )
    message.video.width = 0
    message.video.pixel_format = pb.PIXEL_FORMAT_UNSPECIFIED
    message.video.frame_rate.numerator = 2000
    message.priority = 101
    message.metadata["prompt"] = "x" * (1 << 20)
    message.outputs[0].scale.SetInParent()
    message.outputs[1].background = "black"
    assert wrong_fields(message) == {
        "spec.job_id",
        "spec.video.width",
        "spec.video.pixel_format",
        "spec.video.frame_rate",
        "spec.priority",
        "spec.metadata",
        "spec.outputs[0].format",
        "spec.outputs[0].name",
        "spec.outputs[0].scale",
        "spec.outputs[1].codec",
        "spec.outputs[1].background",
    }


@pytest.mark.parametrize("job_id", ["", ".", "..", ".hidden", "-x", "a/b", "a\0b", "a" * 129, "é", "a b"])
def test_a_job_id_that_could_be_a_path_or_an_option_is_refused(job_id: str) -> None:
    assert wrong_fields(spec(job_id)) == {"spec.job_id"}


@pytest.mark.parametrize("name", [".", "..", ".mp4", "-o", "a/b", "a\\b", "x" * 65])
def test_an_output_name_that_could_be_a_path_is_refused(name: str) -> None:
    assert wrong_fields(spec("job", pb.OutputSpec(format="mp4", name=name))) == {"spec.outputs[0].name"}


def test_nameless_outputs_are_numbered_around_the_names_taken() -> None:
    outputs = [
        pb.OutputSpec(format="mp4"),
        pb.OutputSpec(format="mp4", name="mp4"),
        pb.OutputSpec(format="mp4"),
    ]
    job = parse_spec(spec("job", *outputs), CONFIG)
    assert [output.name for output in job.outputs] == ["mp4_2", "mp4", "mp4_3"]


def test_what_is_too_many_is_counted_and_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """To look for what each of them was meant to be stops the service for everybody."""

    def never(*_: object) -> None:
        raise AssertionError("it was looked at")

    many = pb.OutputSpec(format="mp4", options={f"{number:x}": "1" for number in range(9000)})
    monkeypatch.setattr(outputs_of_wire, "best_fit", never)
    assert wrong_fields(spec("job", *[many] * 3)) == {f"spec.outputs[{n}].options" for n in range(3)}
    monkeypatch.setattr(outputs_of_wire, "pictures_of", never)
    assert wrong_fields(spec("job", *[pb.OutputSpec()] * 100_000)) == {"spec.outputs"}


def test_two_outputs_of_one_name_or_two_sequences_of_one_prefix_are_refused() -> None:
    doubles = [pb.OutputSpec(format="mp4", name="x"), pb.OutputSpec(format="webm", name="x")]
    assert wrong_fields(spec("job", *doubles)) == {"spec.outputs[1].name"}
    assert wrong_fields(spec("job", "png", "png")) == {"spec.outputs[1].prefix"}


def test_a_job_without_video_or_outputs_says_so() -> None:
    assert wrong_fields(pb.JobSpec(job_id="job")) == {"spec.video", "spec.outputs"}


def test_frames_and_jobs_above_the_limits_are_refused_before_they_come() -> None:
    message = spec("job")
    message.video.expected_frames = 100
    assert wrong_fields(message, EncoderConfig(max_frame_bytes=100).wire_limits) == {"spec.video"}
    assert wrong_fields(message, EncoderConfig(max_job_bytes=10_000).wire_limits) == {
        "spec.video.expected_frames"
    }


def test_strictness_of_the_job_is_that_of_every_output() -> None:
    outputs = parse_spec(spec("job", "mp4", "webm", strict=True), CONFIG).outputs
    assert all(output.strict for output in outputs)


def test_delivery_alone_may_differ_when_a_client_comes_back() -> None:
    first = parse_spec(spec("job"), CONFIG)
    assert differing_fields(first, parse_spec(spec("job", delivery=pb.DELIVERY_REFERENCES), CONFIG)) == ""
    differing = differing_fields(first, parse_spec(spec("job", "webm", priority=3), CONFIG))
    assert set(differing.split(", ")) == {"outputs", "priority"}


numbers = st.one_of(st.integers(-3, 20), st.sampled_from([-(1 << 31), 65535, (1 << 31) - 1]))
texts = st.one_of(st.text(max_size=8), st.sampled_from([*FORMATS, "h264", "../x", "a" * 200]))
outputs = st.builds(
    pb.OutputSpec,
    name=texts,
    format=texts,
    codec=st.one_of(st.just(""), texts),
    quality=st.integers(0, 6),
    crf=st.one_of(st.none(), st.floats(allow_nan=True)),
    preset=texts,
    options=st.dictionaries(texts, texts, max_size=3),
    loop_count=numbers,
    alpha=st.integers(0, 4),
    background=texts,
    pixel_format=texts,
    prefix=texts,
    frame_index=numbers,
    columns=numbers,
    rows=numbers,
    scale=st.one_of(st.none(), st.builds(pb.Scale, width=numbers, height=numbers, mode=st.integers(0, 3))),
)
rationals = st.builds(pb.Rational, numerator=numbers, denominator=numbers)
videos = st.builds(
    pb.VideoTrack,
    width=numbers,
    height=numbers,
    pixel_format=st.integers(0, 13),
    frame_rate=rationals,
    odd_size_policy=st.integers(0, 4),
    expected_frames=numbers,
)
specs = st.builds(
    pb.JobSpec,
    job_id=texts,
    video=videos,
    outputs=st.lists(outputs, max_size=3),
    metadata=st.dictionaries(texts, texts, max_size=2),
    priority=numbers,
    delivery=st.integers(0, 3),
    strict=st.booleans(),
)


def parsed(message: pb.JobSpec) -> JobSpec | ServiceError:
    """The job, or the refusal."""
    try:
        return parse_spec(message, CONFIG)
    except ServiceError as error:
        return error


@settings(max_examples=150, deadline=None)
@given(specs)
def test_any_spec_is_either_right_or_named_wrong(message: pb.JobSpec) -> None:
    job = parsed(message)
    if isinstance(job, ServiceError):
        assert job.reason == reasons.ERROR_REASON_INVALID_FIELD
        assert job.violations
        return
    assert job.video.frame_bytes > 0
    assert len({output.name for output in job.outputs}) == len(job.outputs) > 0


# --- chunks --------------------------------------------------------------------------------------


def raw(**fields: object) -> RawChunk:
    """A right chunk, but for these fields."""
    data = b"frames"
    right = {"track": 1, "offset": 0, "data": memoryview(data), "crc32c": crc32c(data)}
    return RawChunk(**{**right, **fields})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("chunk", "reason"),
    [
        (raw(crc32c=1), reasons.ERROR_REASON_CHUNK_CORRUPTED),
        (raw(data=memoryview(b"")), reasons.ERROR_REASON_INVALID_FIELD),
        (raw(data=memoryview(bytes(CONFIG.max_chunk_bytes + 1))), reasons.ERROR_REASON_TOO_LARGE),
        (raw(offset=CONFIG.max_job_bytes), reasons.ERROR_REASON_TOO_LARGE),
        (raw(track=pb.TRACK_AUDIO), reasons.ERROR_REASON_INVALID_FIELD),
        (raw(track=9), reasons.ERROR_REASON_INVALID_FIELD),
    ],
)
def test_a_wrong_chunk_is_refused(chunk: RawChunk, reason: int) -> None:
    with pytest.raises(ServiceError) as refused:
        checked_chunk(chunk, CONFIG, None)
    assert refused.value.reason == reason


def test_a_right_chunk_gives_its_data() -> None:
    assert bytes(checked_chunk(raw(), CONFIG, None)) == b"frames"


@pytest.fixture
def ring() -> Iterator[tuple[Ring, RingMemory]]:
    ring = Ring(4096)
    memory = RingMemory.open(ring.offer.path, 4096, ring.offer.nonce)
    assert memory is not None
    yield ring, memory
    ring.close()


@given(offset=st.integers(0, 1 << 40), data=st.binary(min_size=1, max_size=100))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_chunk_in_the_ring_is_found_where_its_offset_says(
    ring: tuple[Ring, RingMemory], offset: int, data: bytes
) -> None:
    offset -= max(0, offset % 4096 + len(data) - 4096)
    offset %= CONFIG.max_job_bytes // 2
    size, checksum = ring[1].lay(offset, [data])
    chunk = RawChunk(pb.TRACK_VIDEO, offset, memoryview(b""), checksum, size)
    assert bytes(checked_chunk(chunk, CONFIG, ring[0])) == data


@pytest.mark.parametrize(
    ("offset", "size", "data", "field"),
    [
        (0, 4097, b"", "chunk.ring_bytes"),
        (4000, 97, b"", "chunk.ring_bytes"),
        (0, -1, b"", "chunk.ring_bytes"),
        (0, 4, b"both", "chunk.data"),
    ],
)
def test_a_chunk_that_is_not_in_the_ring_is_refused(
    ring: tuple[Ring, RingMemory], offset: int, size: int, data: bytes, field: str
) -> None:
    with pytest.raises(ServiceError) as refused:
        checked_chunk(RawChunk(1, offset, memoryview(data), 0, size), CONFIG, ring[0])
    assert [violation.field for violation in refused.value.violations] == [field]


def test_without_a_ring_no_chunk_can_lie_there() -> None:
    with pytest.raises(ServiceError) as refused:
        checked_chunk(RawChunk(1, 0, memoryview(b""), 0, 5), CONFIG, None)
    assert [violation.field for violation in refused.value.violations] == ["chunk.ring_bytes"]


def test_bytes_spoiled_in_the_ring_are_found_by_their_checksum(ring: tuple[Ring, RingMemory]) -> None:
    size, checksum = ring[1].lay(0, [b"frames"])
    ring[1].put(2, b"?")
    with pytest.raises(ServiceError) as refused:
        checked_chunk(RawChunk(1, 0, memoryview(b""), checksum, size), CONFIG, ring[0])
    assert refused.value.reason == reasons.ERROR_REASON_CHUNK_CORRUPTED


@given(
    st.integers(0, 9),
    st.integers(-(1 << 63), (1 << 63) - 1),
    st.binary(max_size=300),
    st.integers(0, (1 << 32) - 1),
)
def test_the_copyless_parser_reads_what_protobuf_reads(
    track: int, offset: int, data: bytes, crc: int
) -> None:
    message = pb.EncodeRequest(chunk=pb.Chunk(track=track, offset=offset, data=data, crc32c=crc))  # type: ignore[arg-type]
    found = parse_request(message.SerializeToString())
    assert isinstance(found, RawChunk)
    assert (found.track, found.offset, bytes(found.data), found.crc32c) == (track, offset, data, crc)


@given(st.binary(max_size=60), st.integers(0, 80), st.binary(max_size=3))
def test_whatever_bytes_come_both_parsers_agree(data: bytes, cut: int, more: bytes) -> None:
    right = pb.EncodeRequest(chunk=pb.Chunk(track=1, offset=300, data=data, crc32c=7)).SerializeToString()
    for message in (right[:cut] + more, right + more, more + right, b"\x12" + data):
        try:
            expected = from_message(pb.EncodeRequest.FromString(message))
        except DecodeError:
            with pytest.raises(DecodeError):
                parse_request(message)
            continue
        assert parse_request(message) == expected


def found_wrong(message: pb.JobSpec) -> set[str]:
    """The wrong fields of a spec, with the limits that a server has."""
    try:
        parse_spec(message, EncoderConfig().wire_limits)
    except ServiceError as refused:
        return {violation.field for violation in refused.violations}
    return set()


@pytest.mark.parametrize(
    ("scale", "is_right"),
    [
        ({"width": 8192, "height": 8192}, False),
        ({"width": 16384}, False),
        ({"height": 16384}, False),
        ({"width": 16384, "height": 16}, True),
        ({"width": 7680, "height": 4320}, True),
        ({"size": "1080p"}, True),
        ({"size": "2160p", "aspect_ratio": "20:1"}, False),
    ],
)
def test_pictures_are_bounded_when_they_are_made_larger(scale: dict[str, object], is_right: bool) -> None:
    message = spec("made")
    message.video.width, message.video.height = 64, 48
    message.outputs[0].scale.MergeFrom(pb.Scale(**scale))  # type: ignore[arg-type]
    wrong = set() if is_right else {"spec.outputs[0].scale"}
    assert found_wrong(message) == wrong


def test_frames_that_were_sent_large_stay_as_large() -> None:
    message = spec("made")
    message.video.width, message.video.height = 8192, 8192
    message.outputs[0].scale.width = message.outputs[0].scale.height = 8192
    assert found_wrong(message) == set()


@pytest.mark.parametrize(
    ("field", "pixels", "text", "is_right"),
    [
        ("outline_width", 16384, "Wx", False),
        ("box_padding", 16384, "Wx", False),
        ("size", 16384, "W" * 2000, False),
        ("size", 16, "W" * 2000, True),
        ("size", 400, "Wx", True),
        ("size", 2000, "W\n" * 900, False),
        ("outline_width", 40, "Wx", True),
    ],
)
def test_texts_are_bounded_with_their_outline_and_box(
    field: str, pixels: float, text: str, is_right: bool
) -> None:
    message = spec("made")
    overlay = message.outputs[0].overlays.add().text
    overlay.text = text
    getattr(overlay, field).pixels = pixels
    wrong = set() if is_right else {"spec.outputs[0].overlays[0].text"}
    assert found_wrong(message) == wrong


@pytest.mark.parametrize(("seconds", "is_right"), [(1, False), (999, False), (1001, True)])
def test_a_deadline_that_has_passed_is_refused(seconds: int, is_right: bool) -> None:
    message = spec("made")
    message.deadline.seconds = seconds
    parse_spec(message, EncoderConfig().wire_limits)
    if is_right:
        parse_spec(message, EncoderConfig().wire_limits, 1000.5)
    else:
        with pytest.raises(ServiceError, match="passed already"):
            parse_spec(message, EncoderConfig().wire_limits, 1000.5)
