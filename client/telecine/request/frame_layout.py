"""How the bytes of one frame lie in memory: width, height, pixel format."""

from __future__ import annotations

from dataclasses import dataclass, replace

from telecine.request.options import PixelFormat

MAX_SIDE = 16384

_CHANNELS = {
    PixelFormat.GRAY8: 1,
    PixelFormat.GRAY16LE: 1,
    PixelFormat.RGB24: 3,
    PixelFormat.RGB48LE: 3,
    PixelFormat.YUV444P: 3,
    PixelFormat.RGBA: 4,
    PixelFormat.RGBA64LE: 4,
}
_SIXTEEN_BIT = {
    PixelFormat.GRAY16LE,
    PixelFormat.RGB48LE,
    PixelFormat.RGBA64LE,
    PixelFormat.P010LE,
    PixelFormat.YUV420P10LE,
}
_ALIGNMENTS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
"""What decoders, cameras and GPUs pad rows to."""
_PACKED = {
    (1, 8): PixelFormat.GRAY8,
    (3, 8): PixelFormat.RGB24,
    (4, 8): PixelFormat.RGBA,
    (1, 16): PixelFormat.GRAY16LE,
    (3, 16): PixelFormat.RGB48LE,
    (4, 16): PixelFormat.RGBA64LE,
}
_PACKED_SHAPES = {name: key for key, name in _PACKED.items()}


def packed_format(channels: int, bits: int) -> PixelFormat:
    """The pixel format of `channels` (1, 3, 4) interleaved samples of `bits` (8, 16)."""
    return _PACKED[channels, bits]


@dataclass(frozen=True, slots=True)
class FrameLayout:
    """Size and pixel format that all frames of a job share."""

    width: int
    """Pixels."""
    height: int
    """Pixels."""
    pixel_format: PixelFormat

    @property
    def sample_bytes(self) -> int:
        """Bytes of one sample."""
        return 2 if self.pixel_format in _SIXTEEN_BIT else 1

    @property
    def is_packed(self) -> bool:
        """Samples of a pixel lie side by side: an array (H, W, C) or (H, W) holds it."""
        return self.pixel_format in _PACKED_SHAPES

    @property
    def channels(self) -> int:
        """Interleaved samples of a pixel; only for packed formats."""
        return _PACKED_SHAPES[self.pixel_format][0]

    @property
    def frame_bytes(self) -> int:
        """Bytes of one frame; 4:2:0 chroma is rounded up."""
        width, height = self.width, self.height
        if self.pixel_format in _CHANNELS:
            samples = width * height * _CHANNELS[self.pixel_format]
        else:
            samples = width * height + 2 * ((width + 1) // 2) * ((height + 1) // 2)
        return samples * self.sample_bytes

    def explain_size(self, size_bytes: int) -> str:
        """What else a frame of this size could be: padded, or with chroma rounded down; else empty."""
        for rows in (1, 2, 8, 16, 32, 64):
            for columns in _ALIGNMENTS:
                padded = replace(
                    self, width=-(-self.width // columns) * columns, height=-(-self.height // rows) * rows
                )
                if padded.frame_bytes == size_bytes and padded != self:
                    return (
                        f"; it would be one that is padded to {padded.width}x{padded.height}: "
                        "send rows and planes without padding"
                    )
        rounded_down = self.width * self.height + 2 * (self.width // 2) * (self.height // 2)
        if self.pixel_format not in _CHANNELS and size_bytes == rounded_down * self.sample_bytes:
            return f"; chroma of an odd size is rounded up: {(self.width + 1) // 2}x{(self.height + 1) // 2}"
        return ""

    def __str__(self) -> str:
        return f"{self.width}x{self.height} {self.pixel_format.value}"
