"""How a video file is to be read, where there is a choice."""

from __future__ import annotations

import msgspec


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """The defaults are what players do."""

    is_turned_upright: bool = True
    """Follow the display matrix. False: pictures as they are coded, and a warning where that differs."""
    has_square_pixels: bool = True
    """Scale by the sample aspect ratio. False: pixels as they are coded, and a warning unless it is 1:1."""
    is_deinterlaced: bool = False
    """Make whole pictures of interlaced ones (bwdif), as many as before."""


AS_PLAYERS_DO = Reading()
