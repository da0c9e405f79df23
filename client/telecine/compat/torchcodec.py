"""torchcodec's `VideoEncoder` with the encoder service behind it: same arguments, same ways out.

    from telecine.compat.torchcodec import VideoEncoder
    VideoEncoder(frames, frame_rate=24).to_file("clip.mp4")

Written for 0.17.0, which has no hook. torch is needed by `to_tensor` alone.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO

from telecine.compat.clips import ENCODERS, format_of, write_clip
from telecine.request.options import Output
from telecine.request.rates import FrameRate

_CODECS = ENCODERS | {"h265": "hevc"}
"""Names of FFmpeg's encoders that torchcodec takes too."""
_CLIP_AXES = 4


class VideoEncoder:
    """Encodes one clip.

    Args:
        frames: uint8 of shape (N, C, H, W), a tensor on any device or an array.
        frame_rate: Frames per second: a number, or a fraction such as "24000/1001".
        server: "host:port" or "unix:/path". None: the configured one (TELECINE_SERVER), else an embedded
            server.

    Raises:
        ValueError: The frames have other axes or another type, or the rate is not above 0.
    """

    def __init__(self, frames: Any, *, frame_rate: FrameRate, server: str | None = None) -> None:
        if not hasattr(frames, "shape") or not hasattr(frames, "dtype"):
            raise ValueError(f"Expected frames to be a Tensor, got {type(frames) = }.")
        if len(frames.shape) != _CLIP_AXES:
            raise ValueError(f"Expected 4D frames, got {frames.shape = }.")
        if str(frames.dtype) not in {"torch.uint8", "uint8"}:
            raise ValueError(f"Expected uint8 frames, got {frames.dtype = }.")
        if isinstance(frame_rate, int | float) and not frame_rate > 0:
            raise ValueError(f"{frame_rate = } must be > 0.")
        self._frames, self._frame_rate, self._server = frames, frame_rate, server

    def to_file(
        self,
        dest: str | Path,
        *,
        codec: str | None = None,
        pixel_format: str | None = None,
        crf: float | None = None,
        preset: str | int | None = None,
        extra_options: Mapping[str, Any] | None = None,
    ) -> None:
        """Writes a file whose name says its format, with its manifest beside it.

        Args:
            dest: The file, such as "clip.mp4".
            codec: Such as "h264" or "libx264". None: the format's default.
            pixel_format: The coded pixel format. None: the codec's default.
            crf: Constant rate factor in the encoder's own scale. None: by the server's default.
            preset: The encoder's preset. None: by the server's default.
            extra_options: Options of the encoder by its own names, from the server's list. None: none.

        Raises:
            TelecineError: What `Client.encode` raises.
        """
        output = Output(
            format_of(dest),
            codec=_CODECS.get(codec or "", codec or ""),
            pixel_format=pixel_format or "",
            crf=crf,
            preset="" if preset is None else str(preset),
            options=dict(extra_options or {}),
        )
        write_clip(
            self._frames, dest, fps=self._frame_rate, output=output, server=self._server, layout="TCHW"
        )

    def to_file_like(self, file_like: BinaryIO, format: str, **options: Any) -> None:  # noqa: A002 - torchcodec's
        """Writes the file's bytes into an open file.

        Args:
            file_like: Anything with `write`.
            format: Such as "mp4".
            **options: As in `to_file`.

        Raises:
            TelecineError: What `Client.encode` raises.
        """
        file_like.write(self._bytes(format, options))

    def to_tensor(self, format: str, **options: Any) -> Any:  # noqa: A002 - torchcodec's
        """Returns the file's bytes as a tensor of uint8.

        Args:
            format: Such as "mp4".
            **options: As in `to_file`.

        Raises:
            TelecineError: What `Client.encode` raises.
        """
        torch = import_module("torch")
        return torch.frombuffer(bytearray(self._bytes(format, options)), dtype=torch.uint8)

    def _bytes(self, name: str, options: Mapping[str, Any]) -> bytes:
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, f"clip.{name}")  # noqa: PTH118 - a name that is checked by `to_file`
            self.to_file(path, **options)
            return Path(path).read_bytes()
