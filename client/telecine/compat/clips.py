"""A clip into the file that a tool names, by a client that is kept for the next one."""

from __future__ import annotations

import os
import tempfile
import threading
from pathlib import Path
from typing import Any, Unpack

from telecine.clients.blocking import Client
from telecine.clients.plan import JobArguments
from telecine.exceptions import InvalidFramesError, UnavailableError
from telecine.request.fields import refused
from telecine.request.options import Output
from telecine.request.rates import FrameRate
from telecine.results.destination import destination_of, outputs_for
from telecine.results.values import EncodeResult

ENCODERS = {
    "libx264": "h264", "libx265": "hevc", "libsvtav1": "av1", "libaom-av1": "av1", "libvpx-vp9": "vp9",
}  # fmt: skip
"""What tools call a codec by FFmpeg's encoder, to our name of the codec."""
_lock = threading.Lock()
_clients: dict[tuple[int, str | None], Client] = {}
"""One of each process and server: a forked child must not use its parent's."""
_CLIP_AXES = 4
_MAX_CRF = 51
"""Of x264 and x265."""
_CHANNELS = (1, 3, 4)


def client_of(server: str | None) -> Client:
    """The client of a server, kept; None: the configured one (TELECINE_SERVER), else the embedded one.

    Raises what `Client` raises.
    """
    key = (os.getpid(), server)
    with _lock:
        client = _clients.get(key)
        if client is None:
            client = _clients[key] = Client(server)
        return client


def forget(server: str | None) -> None:
    """Drops the client of a server that cannot be reached: an embedded one may have ended. Idempotent.

    It is not closed: other threads may be using it.
    """
    with _lock:
        _clients.pop((os.getpid(), server), None)


def crf_of(quality: float) -> int:
    """The constant rate factor that imageio means by a quality of 0 to 10: 51 down to 1."""
    return int(min(max((1 - quality / 10) * _MAX_CRF, 1), _MAX_CRF))


def format_of(path: str | os.PathLike[str]) -> str:
    """The format that a file's name says. Raises InvalidRequestError for a name that is no file of ours."""
    destination = destination_of(Path(path))
    if destination is None or not destination.is_file:
        raise refused("path", str(path), "a file whose name says its format, such as clip.mp4")
    return outputs_for(destination, None)[0].format


def write_clip(
    frames: object,
    path: str | os.PathLike[str],
    *,
    fps: FrameRate,
    output: Output,
    server: str | None,
    **arguments: Unpack[JobArguments],
) -> EncodeResult:
    """Encodes a clip into that file, its manifest beside it. Raises what `Client.encode` raises."""
    try:
        return client_of(server).encode(frames, fps=fps, outputs=output, to=Path(path), **arguments)
    except UnavailableError:
        forget(server)
        raise


def temporary_file(suffix: str) -> str:
    """The name of a new file for a caller who named none; the caller removes it."""
    descriptor, name = tempfile.mkstemp(suffix=suffix)
    os.close(descriptor)
    return name


def one_clip(frames: Any) -> Any:
    """A clip of a batch of one: pipelines return `frames`, of which the clip is `frames[0]`.

    Raises InvalidFramesError for a batch of several.
    """
    shape = getattr(frames, "shape", None)
    if shape is not None:
        is_batch = len(shape) == _CLIP_AXES + 1
    else:
        is_batch = isinstance(frames, list | tuple) and bool(frames) and _is_clip(frames[0])
    if not is_batch:
        return frames
    count = len(frames)
    if count != 1:
        raise InvalidFramesError(
            f"frames are a batch of {count} clips; pass one of them: frames[0]",
            recovery="Pass frames[0], one clip of the batch at a time.",
        )
    return frames[0]


def layout_of(frames: Any) -> str:
    """ "TCHW" for a clip with channels behind its frames, as decoders give; else "auto"."""
    shape = tuple(getattr(frames, "shape", ()))
    is_first = len(shape) == _CLIP_AXES and shape[-1] not in _CHANNELS and shape[1] in _CHANNELS
    return "TCHW" if is_first else "auto"


def _is_clip(item: Any) -> bool:
    return isinstance(item, list | tuple) or len(getattr(item, "shape", ())) == _CLIP_AXES
