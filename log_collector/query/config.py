"""How much may be read at once."""

from __future__ import annotations

from typing import Annotated

import msgspec


class ReadingConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What bounds those who read."""

    followers: Annotated[int, msgspec.Meta(ge=1)] = 32
    """Tail calls at once."""
    threads: Annotated[int, msgspec.Meta(ge=1)] = 2
    """Queries and stories that are read at once; others wait their turn."""
