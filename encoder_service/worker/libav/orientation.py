"""How a file says that its pictures are to be turned or mirrored: FFmpeg's display matrix."""

from __future__ import annotations

import struct
from typing import Final

import msgspec
import numpy as np
from av.sidedata.sidedata import SideData
from av.video.frame import VideoFrame

from encoder_service.worker.libav.pictures import Samples

_MATRIX: Final = struct.Struct("=9i")
_ONE: Final = 1 << 16


class Orientation(msgspec.Struct, frozen=True):
    """One of the eight ways in which a picture can lie; applied, it stands upright."""

    is_transposed: bool = False
    """Rows and columns change places, before anything is flipped."""
    is_flipped_across: bool = False
    """Left and right change places."""
    is_flipped_down: bool = False
    """Top and bottom change places."""

    @property
    def is_mirrored(self) -> bool:
        """No mere turn gives it: text in the coded picture reads backwards."""
        return (self.is_transposed + self.is_flipped_across + self.is_flipped_down) % 2 == 1

    @property
    def turned_degrees(self) -> int:
        """Counterclockwise, before the picture is mirrored left to right, if it is: 0, 90, 180 or -90."""
        if not self.is_transposed:
            return 180 if self.is_flipped_down else 0
        return 90 if self.is_flipped_down else -90

    def apply(self, plane: Samples) -> Samples:
        """The plane as it is to be shown; a view."""
        shown = plane.swapaxes(0, 1) if self.is_transposed else plane
        shown = np.flip(shown, 1) if self.is_flipped_across else shown
        return np.flip(shown, 0) if self.is_flipped_down else shown

    def describe(self) -> str:
        """What was done, for people; empty: nothing."""
        words = [f"turned upright by {self.turned_degrees} degrees"] if self.turned_degrees else []
        return ", ".join([*words, *(["mirrored"] if self.is_mirrored else [])])


def orientation_of(picture: VideoFrame) -> tuple[Orientation, bool]:
    """What the picture's display matrix asks for, and whether that is all of it.

    A matrix that turns by something else than quarters is not followed.
    """
    data = picture.side_data.get("DISPLAYMATRIX")
    if not isinstance(data, SideData):
        return Orientation(), True
    a, b, _, c, d, *_ = _MATRIX.unpack(bytes(data)[: _MATRIX.size])
    # Columns and rows as shown are a x + c y and b x + d y.
    if not b and not c and a and d:
        return Orientation(is_flipped_across=a < 0, is_flipped_down=d < 0), abs(a) == abs(d)
    if not a and not d and b and c:
        is_whole = abs(b) == abs(c)
        return Orientation(is_transposed=True, is_flipped_across=c < 0, is_flipped_down=b < 0), is_whole
    return Orientation(), not any((a, b, c, d))
