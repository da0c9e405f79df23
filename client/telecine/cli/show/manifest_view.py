"""The part of a manifest that the command line shows; everything else in it is passed over."""

from __future__ import annotations

from fractions import Fraction

import msgspec

_SRGB = ("bt709", "iec61966-2-1", "gbr", "pc")


class RateView(msgspec.Struct, frozen=True):
    """An exact frame rate."""

    numerator: int
    denominator: int = 1

    def as_fraction(self) -> Fraction:
        """The rate as a fraction."""
        return Fraction(self.numerator, self.denominator)


class ColorView(msgspec.Struct, frozen=True):
    """Colour tags, FFmpeg's names."""

    primaries: str = "unknown"
    transfer: str = "unknown"
    matrix: str = "unknown"
    range: str = "unknown"

    def as_text(self) -> str:
        """One word where primaries, transfer and matrix agree: `bt709 tv`."""
        if (self.primaries, self.transfer, self.matrix, self.range) == _SRGB:
            return "sRGB"
        names = dict.fromkeys((self.primaries, self.transfer, self.matrix))
        if set(names) | {self.range} == {"unknown"}:
            return "untagged"
        return f"{'/'.join(names)} {self.range}"


class ReadbackView(msgspec.Struct, frozen=True):
    """What a reader found in the finished file."""

    frame_count: int
    width: int
    height: int
    pixel_format: str
    duration_seconds: float
    frame_rate: RateView
    color_container: ColorView


class QualityView(msgspec.Struct, frozen=True):
    """Decoded frames against those that were sent."""

    mean_absolute_error: float
    max_absolute_error: int
    ssim: float
    psnr_db: float | None = None


class EncoderView(msgspec.Struct, frozen=True):
    """What it was made with."""

    encoder: str
    codec: str
    options: dict[str, str] = {}


class OutputView(msgspec.Struct, frozen=True):
    """One output; the last four are None where it failed."""

    name: str
    format: str
    encoder: EncoderView | None = None
    readback: ReadbackView | None = None
    quality: QualityView | None = None


class ManifestView(msgspec.Struct, frozen=True):
    """What the command line reads of a job's manifest."""

    job_id: str
    outputs: tuple[OutputView, ...] = ()

    def output(self, name: str) -> OutputView | None:
        """The output of that name; None: the manifest has none."""
        return next((output for output in self.outputs if output.name == name), None)


def read_view(manifest_json: bytes) -> ManifestView:
    """Reads a manifest; an empty one (the server has written none) gives an empty view."""
    if not manifest_json:
        return ManifestView(job_id="")
    return msgspec.json.decode(manifest_json, type=ManifestView)
