"""The one door by which FFmpeg opens a file: a path is a path, whatever its name looks like.

FFmpeg takes what it is given for a URL: `12:30.mp4` for a protocol `12`, `http:/host/x.mp4` for an address
on the network, `concat:a.ts` for another file, and `x%03d.png` for a sequence of pictures.
"""

from __future__ import annotations

from pathlib import Path

import av
from av.container import InputContainer, OutputContainer

_LOCAL_PROTOCOLS = "file,crypto,data"
"""What a file may refer to (a playlist, for example); FFmpeg's own list for local files."""


def open_input(path: Path) -> InputContainer:
    """Opens a local file for reading; nothing that it refers to is fetched from the network.

    Raises what FFmpeg raises.
    """
    # Its demuxer of image sequences is the only one that knows `pattern_type`; the others leave it.
    return av.open(
        _url(path),
        "r",
        container_options={"protocol_whitelist": _LOCAL_PROTOCOLS, "pattern_type": "none"},
    )


def open_output(path: Path, muxer: str, options: dict[str, str]) -> OutputContainer:
    """Opens a local file for writing with FFmpeg's muxer of that name. Raises what FFmpeg raises."""
    return av.open(
        _url(path),
        "w",
        format=muxer,
        container_options={"protocol_whitelist": _LOCAL_PROTOCOLS} | options,
    )


def _url(path: Path) -> str:
    # FFmpeg decodes nothing behind `file:`, and takes it as it is.
    return f"file:{path.absolute()}"
