"""Turns protobuf requests into the service's own types; every wrong field is named at once."""

from __future__ import annotations

import re

from telecine.crc32c import crc32c
from telecine.encoder.v1 import encoder_pb2 as pb

from encoder_service import errors
from encoder_service.spec.sizes import MAX_SIDE_PIXELS
from encoder_service.spec.spec import (
    BT709,
    SRGB,
    Color,
    ColorMatrix,
    Delivery,
    JobSpec,
    OddSizePolicy,
    PixelFormat,
    Rational,
    VideoSpec,
    Webhook,
    WebhookEvent,
)
from encoder_service.spool.clip_limit import clip_limit_frames
from encoder_service.spool.ring import Ring, RingError
from encoder_service.webhooks.config import WebhooksConfig
from encoder_service.webhooks.destination import (
    faults_of_url,
    host_of,
    is_address_allowed,
    is_host_allowed,
    literal_address,
)
from encoder_service.wire.audio import parse_audio
from encoder_service.wire.chunks import RawChunk
from encoder_service.wire.enums import DELIVERIES, ODD_SIZE_POLICIES, PIXEL_FORMATS
from encoder_service.wire.fields import FieldViolations, color_override, rational
from encoder_service.wire.limits import WireLimits
from encoder_service.wire.made import check_total
from encoder_service.wire.outputs import parse_outputs

_JOB_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


def _check_deadline(message: pb.JobSpec, now_unix_seconds: float, violations: FieldViolations) -> None:
    deadline = message.deadline
    violations.check(
        0 <= deadline.seconds < 1 << 33 and 0 <= deadline.nanos < 1_000_000_000,
        "spec.deadline",
        "must be a time after 1970",
    )
    violations.check(
        not message.HasField("deadline") or deadline.seconds + deadline.nanos / 1e9 > now_unix_seconds,
        "spec.deadline",
        "has passed already; leave it out, or name a time to come",
    )


def parse_spec(message: pb.JobSpec, limits: WireLimits, now_unix_seconds: float = 0.0) -> JobSpec:
    """Returns the job that is asked for. Raises ServiceError naming every wrong field.

    `now_unix_seconds`: a deadline before it is one; 0 for the spec of a job that is known already.
    """
    violations = FieldViolations()
    violations.check(
        _JOB_ID.fullmatch(message.job_id) is not None,
        "spec.job_id",
        "must be 1 to 128 characters of [A-Za-z0-9._-], beginning with a letter or digit, "
        f"is {message.job_id[:140]!r}",
    )
    video = _video(message, limits, violations)
    audio = parse_audio(message, limits, violations)
    outputs, skipped = parse_outputs(message, limits, violations)
    check_total(outputs, video, limits, violations)
    metadata = dict(message.metadata)
    metadata_bytes = sum(len(key.encode()) + len(value.encode()) for key, value in metadata.items())
    violations.check(
        metadata_bytes <= limits.max_metadata_bytes,
        "spec.metadata",
        f"must be at most {limits.max_metadata_bytes} bytes in all (max_metadata_bytes of the server), "
        f"is {metadata_bytes}",
    )
    violations.number(message.priority, -100, 100, "spec.priority")
    deadline = message.deadline
    _check_deadline(message, now_unix_seconds, violations)
    delivery = violations.pick(DELIVERIES, message.delivery, "spec.delivery", Delivery.BYTES)
    webhooks = parse_webhooks(message, limits.webhooks, violations)
    if violations.found:
        raise errors.invalid_fields(violations.found)
    return JobSpec(
        job_id=message.job_id,
        video=video,
        outputs=outputs,
        metadata=metadata,
        priority=message.priority,
        deadline_unix_nano=deadline.seconds * 1_000_000_000 + deadline.nanos,
        delivery=delivery,
        strict=message.strict,
        skip_unavailable=message.skip_unavailable,
        skipped=skipped,
        webhooks=webhooks,
        audio=audio,
    )


def _video(message: pb.JobSpec, limits: WireLimits, violations: FieldViolations) -> VideoSpec:
    track, at = message.video, "spec.video"
    if not message.HasField("video"):
        violations.add(at, "is missing")
        return VideoSpec(1, 1, PixelFormat.RGB24, Rational(1))
    width = violations.number(track.width, 1, MAX_SIDE_PIXELS, f"{at}.width")
    height = violations.number(track.height, 1, MAX_SIDE_PIXELS, f"{at}.height")
    pixel_format = violations.pick(PIXEL_FORMATS, track.pixel_format, f"{at}.pixel_format", PixelFormat.RGB24)
    frames = violations.number(track.expected_frames, 0, 1 << 40, f"{at}.expected_frames")
    video = VideoSpec(
        width=width,
        height=height,
        pixel_format=pixel_format,
        frame_rate=rational(track.frame_rate, f"{at}.frame_rate", violations),
        color=_source_color(track.color, pixel_format, f"{at}.color", violations),
        odd_size_policy=violations.pick(
            ODD_SIZE_POLICIES, track.odd_size_policy, f"{at}.odd_size_policy", OddSizePolicy.PAD
        ),
        expected_frames=frames,
    )
    if width > 0 and height > 0:
        size = video.frame_bytes
        violations.check(
            size <= limits.max_frame_bytes,
            at,
            f"a frame has {size} bytes; this server takes at most {limits.max_frame_bytes}",
        )
        violations.check(
            size * max(frames, 1) <= limits.max_job_bytes,
            f"{at}.expected_frames",
            f"{max(frames, 1)} frames have {size * max(frames, 1)} bytes; "
            f"this server takes at most {limits.max_job_bytes}",
        )
        longest = clip_limit_frames(video, limits.max_clip_seconds)
        violations.check(
            not longest or frames <= longest,
            f"{at}.expected_frames",
            f"{frames} frames are longer than {limits.max_clip_seconds:g} s; "
            f"this server takes at most {longest} at this rate",
        )
    return video


def _source_color(
    message: pb.Color, pixel_format: PixelFormat, at: str, violations: FieldViolations
) -> Color:
    is_gray = pixel_format in {PixelFormat.GRAY8, PixelFormat.GRAY16LE}
    base = SRGB if pixel_format.is_rgb or is_gray else BT709
    chosen = color_override(message, at, violations)
    # Gray has no chroma: its matrix only names how luma would be made, which RGB does not do.
    matrix = chosen.matrix or (ColorMatrix.BT709 if is_gray else base.matrix)
    violations.check(
        (matrix is ColorMatrix.RGB) == pixel_format.is_rgb,
        f"{at}.matrix",
        f"{matrix.value!r} does not go with pixel format {pixel_format.value!r}",
    )
    return Color(
        primaries=chosen.primaries or base.primaries,
        transfer=chosen.transfer or base.transfer,
        matrix=matrix,
        range=chosen.range or base.range,
    )


def checked_chunk(
    chunk: RawChunk, limits: WireLimits, ring: Ring | None, *, has_audio: bool = False
) -> memoryview:
    """Returns a chunk's data once its track, size and checksum are right. Raises ServiceError.

    `has_audio`: the job has declared an audio track.
    """
    is_audio = chunk.track == pb.TRACK_AUDIO
    if chunk.track not in {pb.TRACK_UNSPECIFIED, pb.TRACK_VIDEO, pb.TRACK_AUDIO}:
        raise errors.invalid_field("chunk.track", f"is unknown ({chunk.track})")
    if is_audio and not has_audio:
        raise errors.invalid_field(
            "chunk.track", "must not be AUDIO: the job has declared no audio track (spec.audio)"
        )
    if is_audio and chunk.ring_bytes:
        raise errors.invalid_field("chunk.ring_bytes", "must be 0: sound is sent as chunk.data")
    data = _located(chunk, ring)
    if not data:
        raise errors.invalid_field("chunk.data", "must not be empty")
    if len(data) > limits.max_chunk_bytes:
        raise errors.too_large("chunk.data", len(data), limits.max_chunk_bytes)
    most = limits.max_audio_bytes if is_audio else limits.max_job_bytes
    if chunk.offset + len(data) > most:
        track = "the audio track" if is_audio else "the video track"
        raise errors.too_large(track, chunk.offset + len(data), most)
    if crc32c(data) != chunk.crc32c:
        raise errors.chunk_corrupted(chunk.offset)
    return data


def _located(chunk: RawChunk, ring: Ring | None) -> memoryview:
    if not chunk.ring_bytes:
        return chunk.data
    if ring is None:
        raise errors.invalid_field("chunk.ring_bytes", "must be 0: no ring was offered on this stream")
    if chunk.data:
        raise errors.invalid_field("chunk.data", "must be empty when the bytes lie in the ring")
    try:
        return ring.read(chunk.offset, chunk.ring_bytes)
    except RingError as error:
        raise errors.invalid_field("chunk.ring_bytes", str(error)) from error


MAX_WEBHOOKS = 8


WEBHOOK_EVENTS: dict[int, WebhookEvent] = {
    pb.WEBHOOK_EVENT_UNSPECIFIED: WebhookEvent.JOB_ENDED,
    pb.WEBHOOK_EVENT_JOB_RECEIVED: WebhookEvent.JOB_RECEIVED,
    pb.WEBHOOK_EVENT_OUTPUT_ENDED: WebhookEvent.OUTPUT_ENDED,
    pb.WEBHOOK_EVENT_JOB_ENDED: WebhookEvent.JOB_ENDED,
}


def parse_webhooks(
    message: pb.JobSpec, config: WebhooksConfig, violations: FieldViolations
) -> tuple[Webhook, ...]:
    """Returns the webhooks of the job, noting every violation."""
    count = len(message.webhooks)
    violations.check(count <= MAX_WEBHOOKS, "spec.webhooks", f"must be at most {MAX_WEBHOOKS}, are {count}")
    if count and not config.secret:
        violations.add(
            "spec.webhooks", "are not taken: this server has no secret to sign with (webhooks.secret)"
        )
    found = []
    for index, hook in enumerate(message.webhooks[:MAX_WEBHOOKS]):
        at = f"spec.webhooks[{index}]"
        _check_url(hook.url, config, f"{at}.url", violations)
        events = tuple(
            violations.pick(WEBHOOK_EVENTS, event, f"{at}.events", WebhookEvent.JOB_ENDED)
            for event in hook.events
        )
        found.append(Webhook(hook.url, tuple(dict.fromkeys(events)) or (WebhookEvent.JOB_ENDED,)))
    urls = [hook.url for hook in found]
    violations.check(len(set(urls)) == len(urls), "spec.webhooks", "must name each URL only once")
    return tuple(found)


def _check_url(url: str, config: WebhooksConfig, at: str, violations: FieldViolations) -> None:
    wrong = faults_of_url(url, allows_plain_http=config.allows_plain_http)
    for violation in wrong:
        violations.add(at, violation)
    if wrong:
        return
    host = host_of(url)
    address = literal_address(host)
    if not is_host_allowed(host, config.allowed_hosts):
        violations.add(at, f"names {host}, which is none of the hosts that this server allows")
    elif address is not None and not is_address_allowed(address, config.allowed_networks):
        violations.add(at, f"names {host}, which is neither public nor in a network that this server allows")
