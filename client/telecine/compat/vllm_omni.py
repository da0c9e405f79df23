"""A plug-in for vLLM-Omni: clips are encoded by a server instead of in the serving process.

vLLM-Omni finds it by the entry point `telecine` of the group `vllm_omni.general_plugins`, in each of its
processes, and `VLLM_PLUGINS` may leave it out. It is off unless TELECINE_SERVER names a server. Written for
0.30.0.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from telecine.clients.plan import JobArguments
from telecine.compat import serving
from telecine.compat.clips import ENCODERS, write_clip
from telecine.request.options import Output

_MODULE = "vllm_omni.diffusion.utils.media_utils"


def activate() -> bool:
    """Wraps `mux_video_audio_bytes`; returns whether that was done, and says so. Never raises. Idempotent."""
    return serving.activate("vLLM-Omni", _MODULE, {"mux_video_audio_bytes": mux_video_audio_bytes})


def mux_video_audio_bytes(
    video_frames: Any,
    audio_waveform: Any = None,
    *,
    fps: float = 25.0,
    audio_sample_rate: int = 44100,
    video_codec: str = "h264",
    audio_codec: str = "aac",
    crf: str = "18",
    video_codec_options: Mapping[str, str] | None = None,
) -> bytes:
    """Returns the bytes of an MP4.

    Args:
        video_frames: uint8 of shape (T, H, W, 3).
        audio_waveform: Mono (N,), (N, C) or (C, N). None: silent.
        fps: Frames per second.
        audio_sample_rate: Samples per second.
        video_codec: Such as "h264" or "libx264".
        audio_codec: Ignored: sound is AAC.
        crf: Constant rate factor in the encoder's own scale.
        video_codec_options: Options of the encoder; "preset" among them. None: none.

    Raises:
        TelecineError: What `Client.encode` raises.
    """
    options = dict(video_codec_options or {})
    preset = options.pop("preset", "")
    codec = ENCODERS.get(video_codec, video_codec)
    output = Output("mp4", codec=codec, crf=float(options.pop("crf", crf)), preset=preset, options=options)
    arguments: JobArguments = {}
    if audio_waveform is not None:
        arguments["audio"] = serving.audio_of(audio_waveform, audio_sample_rate)
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "clip.mp4"
        write_clip(video_frames, path, fps=fps, output=output, server=serving.address(), **arguments)
        return path.read_bytes()
