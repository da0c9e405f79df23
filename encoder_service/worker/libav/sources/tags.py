"""What a file says about itself beside its pictures and sound: titles, places, dates, time codes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from av.container import InputContainer
from av.stream import Stream

_OF_THE_CONTAINER: Final = frozenset(
    {
        *("alpha_mode", "bps", "compatible_brands", "duration", "encoder", "handler_name", "language"),
        *("loop", "major_brand", "minor_version", "number_of_bytes", "number_of_frames", "rotate"),
        *("software", "stereo_mode", "variant_bitrate", "vendor_id"),
    }
)
"""Written by whatever muxed the file, about the file: the outputs have their own."""
_STATISTICS: Final = ("_statistics", "bps-", "duration-", "number_of_")
_MOST_NAMED: Final = 8
_LONGEST_NAME: Final = 40


def tags_left_out(container: InputContainer, stream: Stream) -> str:
    """The names of the tags that the outputs do not have, for people; empty: none.

    Names alone: values may be private, such as where a clip was filmed.
    """
    names = sorted({*_own(container.metadata), *_own(stream.metadata)})
    shown = [name[:_LONGEST_NAME] for name in names[:_MOST_NAMED]]
    more = len(names) - len(shown)
    return ", ".join([*shown, *([f"and {more} more"] if more else [])])


def _own(names: Iterable[str]) -> Iterator[str]:
    for name in names:
        folded = name.lower()
        if folded not in _OF_THE_CONTAINER and not folded.startswith(_STATISTICS):
            yield "".join(each if each.isprintable() else "?" for each in folded)
