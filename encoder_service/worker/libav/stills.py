"""Encodes and decodes single pictures in memory, and decodes animations picture by picture."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np
from av.codec.context import CodecContext
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from encoder_service.spec.codes import FailureCode
from encoder_service.spec.errors import OutputError
from encoder_service.worker.libav.errors import translated
from encoder_service.worker.libav.opening import open_input
from encoder_service.worker.libav.pictures import Converter, Picture, PictureFormat, Samples, planes_of, tag


def blank_picture(layout: PictureFormat) -> Picture:
    """Makes a picture whose planes are to be written (`planes_of`); its samples are undefined."""
    picture = VideoFrame(layout.width, layout.height, str(layout.pixel_format))
    tag(picture, layout.color)
    return picture


def encode_still(picture: Picture, encoder: str, options: dict[str, str]) -> bytes:
    """Encodes one picture with an encoder that makes whole files of single frames.

    Raises OutputError: ENCODER_UNAVAILABLE, INVALID_OPTION or ENCODING_FAILED.
    """
    with translated(FailureCode.ENCODER_UNAVAILABLE, encoder):
        context = cast(VideoCodecContext, CodecContext.create(encoder, "w"))
        context.width, context.height = picture.width, picture.height
        context.pix_fmt = picture.format.name
        context.time_base = Fraction(1)
        context.thread_count = 1
        context.options = dict(options)
        context.open()
    if context.options:
        names = ", ".join(sorted(context.options))
        raise OutputError(FailureCode.INVALID_OPTION, f"{encoder} does not know the option(s) {names}")
    with translated(FailureCode.ENCODING_FAILED, encoder):
        picture.pts = 0
        picture.time_base = Fraction(1)
        packets = [*context.encode(picture), *context.encode(None)]
    if len(packets) != 1:
        raise OutputError(
            FailureCode.ENCODING_FAILED, f"{encoder} gave {len(packets)} packets for one picture"
        )
    return bytes(packets[0])


def decode_still(data: bytes, codec: str) -> Picture:
    """Decodes a file of one picture. Raises OutputError with code VERIFICATION_FAILED."""
    with translated(FailureCode.VERIFICATION_FAILED, f"decoding a {codec} picture"):
        context = cast(VideoCodecContext, CodecContext.create(codec, "r"))
        context.thread_count = 1
        # A packet around Python's bytes would have no padding behind it, and decoders read on.
        packet = cast("Packet[VideoStream]", Packet(len(data)))
        packet.update(data)
        pictures = [*context.decode(packet), *context.decode(None)]
    if len(pictures) != 1:
        raise OutputError(FailureCode.VERIFICATION_FAILED, f"{len(pictures)} pictures where one was expected")
    return pictures[0]


def decode_animation(path: Path, *, has_alpha: bool) -> Iterator[Callable[[], Samples]]:
    """Decodes a file of pictures; each item gives its picture as RGB or RGBA of 8 bits when called.

    Raises OutputError with code VERIFICATION_FAILED.
    """
    with (
        translated(FailureCode.VERIFICATION_FAILED, f"decoding {path.name}"),
        open_input(path) as container,
    ):
        for picture in container.decode(video=0):
            yield partial(_as_rgb, picture, has_alpha=has_alpha)


def _as_rgb(picture: Picture, *, has_alpha: bool) -> Samples:
    source = PictureFormat(picture.format.name, picture.width, picture.height)
    target = PictureFormat("rgba" if has_alpha else "rgb24", picture.width, picture.height)
    return np.array(planes_of(Converter(source, target).convert(picture))[0])
