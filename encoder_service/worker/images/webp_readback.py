"""Reads a finished animated WebP back: its head, the bytes of each frame, and pictures as they are shown."""

from __future__ import annotations

import zlib
from array import array
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import msgspec
import numpy as np
import numpy.typing as npt

from encoder_service.evidence.checksum import sha256_file
from encoder_service.evidence.facts import ColorTags, ProducedFile, QualityReport, Readback
from encoder_service.spec.codes import FailureCode
from encoder_service.spec.errors import OutputError
from encoder_service.spec.timing import reduced
from encoder_service.worker.containers.webp import (
    AnimationHead,
    FrameEntry,
    Placement,
    WebpError,
    read_frames,
    read_head,
)
from encoder_service.worker.images.pixels import FramePixels, Pixels, sampled_frames
from encoder_service.worker.images.webp_frame import decode_frame
from encoder_service.worker.quality import QualityMeter
from encoder_service.worker.writer import WriterContext


class FramePrint(msgspec.Struct, frozen=True):
    """What identifies a frame that was decoded when it was made."""

    placement: Placement
    crc32: int
    """The checksum of the frame's chunks."""


class WebpEvidence(msgspec.Struct, frozen=True):
    """What the file must turn out to be."""

    path: Path
    width: int
    height: int
    loop_count: int
    has_alpha: bool
    """Some frame shows transparency."""
    pixel_format: str
    prints: list[FramePrint]


class WebpFound(msgspec.Struct, frozen=True):
    """What was found in a file that was read back."""

    files: tuple[ProducedFile, ...]
    readback: Readback
    quality: QualityReport | None


def read_back(evidence: WebpEvidence, context: WriterContext, pixels: FramePixels) -> WebpFound:
    """Reads the file to its end. Raises OutputError with code VERIFICATION_FAILED."""
    try:
        with evidence.path.open("rb") as file:
            head = read_head(file)
            _check_head(head, evidence)
            offsets, milliseconds = _check_frames(file, evidence)
        quality = _compare(offsets, evidence, context, pixels)
    except WebpError as error:
        raise _broken(str(error)) from error
    file_entry = ProducedFile(
        path=evidence.path.name,
        size_bytes=evidence.path.stat().st_size,
        sha256=sha256_file(evidence.path),
        media_type="image/webp",
    )
    seconds = Fraction(milliseconds, 1000)
    return WebpFound(
        files=(file_entry,),
        readback=Readback(
            frame_count=len(offsets),
            width=head.width,
            height=head.height,
            pixel_format=evidence.pixel_format,
            duration_seconds=float(seconds),
            frame_rate=reduced(len(offsets) / seconds if seconds else Fraction(1000)),
            color_container=ColorTags(),
            has_alpha=evidence.has_alpha,
            loop_count=head.loop_count,
        ),
        quality=quality,
    )


def _check_head(head: AnimationHead, evidence: WebpEvidence) -> None:
    if (head.width, head.height) != (evidence.width, evidence.height):
        raise _broken(f"the canvas is {head.width} x {head.height}")
    if head.loop_count != evidence.loop_count:
        raise _broken(f"the loop count is {head.loop_count}")
    if evidence.has_alpha and not head.has_alpha:
        raise _broken("alpha is missing")


def _check_frames(file: BinaryIO, evidence: WebpEvidence) -> tuple[array[int], int]:
    """Holds each frame's bytes against those that were decoded; returns offsets and the duration in ms."""
    offsets, milliseconds = array("Q"), 0
    offset = file.tell()
    for entry in read_frames(file):
        if len(offsets) >= len(evidence.prints):
            raise _broken("there are more frames than were encoded")
        expected = evidence.prints[len(offsets)]
        if (entry.placement, zlib.crc32(entry.still.chunks)) != (expected.placement, expected.crc32):
            raise _broken(f"frame {len(offsets)} is not the one that was encoded")
        milliseconds += entry.placement.duration_milliseconds
        offsets.append(offset)
        offset = file.tell()
    if len(offsets) != len(evidence.prints):
        raise _broken(f"{len(evidence.prints)} frames were encoded and {len(offsets)} are there")
    return offsets, milliseconds


def _compare(
    offsets: array[int], evidence: WebpEvidence, context: WriterContext, pixels: FramePixels
) -> QualityReport | None:
    indexes = sampled_frames(len(offsets))
    meter = QualityMeter()
    with ThreadPoolExecutor(context.threads) as threads:
        shown = threads.map(lambda index: _shown(offsets, index, evidence), indexes)
        for index, picture in zip(indexes, shown, strict=True):
            meter.add(index, pixels.array(context.source.frame(index)), picture)
    return meter.report()


def _shown(offsets: array[int], index: int, evidence: WebpEvidence) -> Pixels:
    """Composes a frame as a player does, from the last frame that was coded whole."""
    first = index
    while first and not _is_whole(evidence.prints[first].placement, evidence):
        first -= 1
    canvas: Pixels = np.zeros((evidence.height, evidence.width, 4), np.uint8)
    with evidence.path.open("rb") as file:
        for number in range(first, index + 1):
            file.seek(offsets[number])
            canvas = _drawn(canvas, next(read_frames(file)), evidence)
    return canvas if evidence.pixel_format == "rgba" else canvas[..., :3]


def _is_whole(placement: Placement, evidence: WebpEvidence) -> bool:
    is_full = (placement.width, placement.height) == (evidence.width, evidence.height)
    return is_full and not placement.is_blended


def _drawn(canvas: Pixels, entry: FrameEntry, evidence: WebpEvidence) -> Pixels:
    place = entry.placement
    picture = decode_frame(entry.still, place.width, place.height)
    if _is_whole(place, evidence):
        return picture
    if not canvas.flags.writeable:
        canvas = canvas.copy()
    inside = canvas[place.y : place.y + place.height, place.x : place.x + place.width]
    if place.is_blended:
        # Only full transparency and full opacity are ever blended here.
        np.copyto(_whole_pixels(inside), _whole_pixels(picture), where=picture[..., 3] > 0)
    else:
        inside[...] = picture
    return canvas


def _whole_pixels(rgba: Pixels) -> npt.NDArray[np.uint32]:
    """Four samples as one number: copying under a mask is then five times as fast."""
    whole: npt.NDArray[np.uint32] = rgba.view(np.uint32)[..., 0]
    return whole


def _broken(message: str) -> OutputError:
    return OutputError(FailureCode.VERIFICATION_FAILED, f"read back: {message}", is_retryable=True)
